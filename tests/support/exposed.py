"""Reads what Prometheus would read, and finds fault with it as `promtool check metrics` does, and a little more."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

#: Units that have a base unit which is to be used instead.
_NOT_BASE = re.compile(
    r"_(milli|micro|nano|ms|us|ns|sec|secs|minutes?|hours?|days?|kilobytes?|kb|mb|gb|bits?|percent)(_|$)"
)
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
#: The names of labels that there may be, and words that some of them are from.
LABELS: Mapping[str, frozenset[str] | None] = {
    "sync_job": None, "platform": None, "version": None, "le": None, "queue": None,
    "result": frozenset({"listed", "stored", "unchanged", "owed", "filtered", "frozen", "suppressed",
                         "updated", "deleted", "withdrawn", "held", "replayed"}),
    "kind": frozenset({"requests", "retries", "throttled"}),
    "class": frozenset({"api", "auth", "content"}),
    "status": frozenset({"1xx", "2xx", "3xx", "4xx", "5xx", "429", "none"}),
    "state": frozenset({"working", "draining", "silent", "waiting", "running", "stalled",
                        "planning", "finalising", "paused"}),
    "code": frozenset({"0", "1", "3", "4", "5", "75", "77", "78"}),
}  # fmt: skip


def values(text: str) -> dict[str, float]:
    """Return the samples of a text by their names and labels, as they would be written: `name{a="b"}`."""
    return {_series(name, labels): value for family in families(text) for name, labels, value, *_ in family.samples}


def families(text: str) -> list[Metric]:
    """Return the families of a text in the plain format."""
    return list(text_string_to_metric_families(text))


def faults(text: str) -> list[str]:
    """Return what is wrong with a text: form, names, units, labels, and series that stand in it twice."""
    found = [f"{name}: not in the form of a name" for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
             if not _NAME.fullmatch(name)]  # fmt: skip
    typed = Counter(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    found += [f"{name}: its type stands there {count} times" for name, count in typed.items() if count > 1]
    series: Counter[str] = Counter()
    for family in families(text):
        found += _of_family(family)
        series.update(_series(name, labels) for name, labels, *_ in family.samples)
    return found + [f"{name}: stands there {count} times" for name, count in series.items() if count > 1]


def _of_family(family: Metric) -> Iterator[str]:
    name = family.name
    if not family.documentation.strip():
        yield f"{name}: no help"
    if family.type == "unknown":
        yield f"{name}: no type"
    if _NOT_BASE.search(name):
        yield f"{name}: not in base units"
    if any(word in name.split("_") for word in ("counter", "gauge", "histogram", "summary", "total", "sum", "bucket")):
        yield f"{name}: the type does not belong into the name"
    for sample, labels, value, *_ in family.samples:
        if family.type == "counter" and not sample.endswith("_total"):
            yield f"{sample}: a counter ends with _total"
        if family.type == "counter" and value < 0:
            yield f"{sample}: a counter below zero"
        if name.startswith("process_"):
            continue
        for label, text in labels.items():
            known = LABELS.get(label)
            if label not in LABELS or (known is not None and text not in known):
                yield f"{sample}: label {label}={text!r} is not one of those agreed"
            if "://" in text or len(text) > 64:
                yield f"{sample}: label {label}={text!r} is no name"
    if family.type == "histogram":
        yield from _of_histogram(family)


def _of_histogram(family: Metric) -> Iterator[str]:
    for labels in {tuple(sorted((k, v) for k, v in each.labels.items() if k != "le")) for each in family.samples}:
        mine = [
            each
            for each in family.samples
            if labels == tuple(sorted((k, v) for k, v in each.labels.items() if k != "le"))
        ]
        buckets = [each.value for each in mine if each.name.endswith("_bucket")]
        count = next((each.value for each in mine if each.name.endswith("_count")), None)
        if buckets != sorted(buckets) or not buckets or buckets[-1] != count:
            yield f"{family.name}{labels}: buckets do not add up to the count"


def _series(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
