"""How the fleet stands, as gauges: every worker and every daemon on the same state shows the same figures."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import GaugeMetricFamily, Metric

from syncer.ports import FleetView, WorkerState

#: What a run does that has not ended.
_ACTIVE = ("planning", "running", "finalising", "paused")
#: What a unit does that is not done. Stalled ones count as running, too.
_OPEN = ("waiting", "running", "stalled")


class FleetGauges:
    """The fleet at the last look."""

    def __init__(self) -> None:
        """Know of no fleet."""
        self._view: FleetView | None = None

    def show(self, view: FleetView | None) -> None:
        """Take a snapshot; None: there is no fleet, or nobody knows how it stands."""
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield all families, without samples where no fleet is known."""
        workers = GaugeMetricFamily("syncer_fleet_workers", "Workers by what they do.", labels=("state",))
        units = GaugeMetricFamily(
            "syncer_fleet_units", "Units of runs under way; stalled: their worker fell silent.",
            labels=("queue", "state"),
        )  # fmt: skip
        runs = GaugeMetricFamily("syncer_fleet_runs", "Runs under way by where they stand.", labels=("state",))
        if self._view is not None:
            at_work = Counter(worker.state for worker in self._view.workers)
            for doing in get_args(WorkerState):
                workers.add_metric([doing], at_work[doing])
            for queue in self._view.queues:
                for state in _OPEN:
                    units.add_metric([queue.name, state], getattr(queue, state))
            stand = Counter("paused" if run.paused else run.state for run in self._view.runs if run.state != "ended")
            for word in _ACTIVE:
                runs.add_metric([word], stand[word])
        yield from (workers, units, runs)
