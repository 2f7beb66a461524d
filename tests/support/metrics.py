"""The metrics of the daemon and of `--metrics-file`, as the exporter has them: what rules and panels may rely on."""

from collections.abc import Mapping
from functools import cache

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from syncer.observe.metrics import Metrics
from syncer.observe.outcomes import Outcomes

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


@cache
def _families() -> tuple[Family, ...]:
    return tuple(each for each in Metrics(Outcomes("1")).collect() if isinstance(each, Family))


def names(kind: str) -> frozenset[str]:
    """Return the metrics of a kind, `counter`, `gauge` or `histogram`, by the names that expressions begin with."""
    ending = {"counter": "_total", "histogram": "_bucket"}.get(kind, "")
    return frozenset(family.name + ending for family in _families() if family.type == kind)


@cache
def series() -> Mapping[str, frozenset[str]]:
    """Return the names as they are scraped, with their labels."""
    found: dict[str, frozenset[str]] = {}
    for family in _families():
        labels = frozenset(family._labelnames)
        if isinstance(family, HistogramMetricFamily):
            found[f"{family.name}_bucket"] = labels | {"le"}
            found |= {f"{family.name}_{part}": labels for part in ("sum", "count")}
        else:
            found[f"{family.name}_total" if isinstance(family, CounterMetricFamily) else family.name] = labels
    return found
