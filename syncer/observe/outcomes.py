"""How jobs stand after their last run, as gauges: the same for a daemon's `/metrics`, a file, and a Pushgateway.

Labels are names of the configuration, and words from a fixed list, nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric

from syncer.model.report import WHOLE, Counts, Report
from syncer.ports import JobView, RunRow

#: What becomes of items, as `Counts` names it. The first row adds up to what was listed.
RESULTS = (
    "listed", "stored", "unchanged", "owed", "filtered", "frozen", "suppressed",
    "updated", "deleted", "withdrawn", "held", "replayed",
)  # fmt: skip
_TRAFFIC = ("requests", "retries", "throttled")


class Outcome(msgspec.Struct, frozen=True):
    """What a job's last run came to."""

    ended: datetime
    seconds: float
    code: int
    complete: bool
    counts: Mapping[str, int]


class Outcomes:
    """The last outcome of each job, what it owes, and up to when it is fresh."""

    def __init__(self, version: str, allow_owed: int = 0) -> None:
        """Take the version of the program, and how many owed items are no reason for an exit code."""
        self._version = version
        self._allow_owed = allow_owed
        self._last: dict[str, Outcome] = {}
        self._owed: dict[str, int] = {}
        self._fresh: dict[str, datetime] = {}

    def ended(self, report: Report) -> None:
        """Take the report of a run that ended."""
        job = report.job
        seconds = (report.ended - report.started).total_seconds()
        code = int(report.exit_code(self._allow_owed))
        self._last[job] = Outcome(report.ended, seconds, code, report.complete, _counted(report.counts))
        if report.share == WHOLE:
            self._fresh_until(job, report.fresh_until)

    def known(self, job: str, owed: int, fresh_until: datetime | None) -> None:
        """Take what the state knows of a job."""
        self._owed[job] = owed
        self._fresh_until(job, fresh_until)

    def show(self, views: Sequence[JobView]) -> None:
        """Take what the state knows of jobs; those that are no longer configured are forgotten."""
        names = {view.name for view in views}
        for known in (self._last, self._owed, self._fresh):
            for job in known.keys() - names:
                del known[job]
        for view in views:
            self.known(view.name, view.owed, view.fresh_until)
            outcome = None if view.last is None else _outcome(view.last)
            before = self._last.get(view.name)
            if outcome is not None and (before is None or before.ended <= outcome.ended):
                self._last[view.name] = outcome

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        info = _gauge("syncer_build_info", "The program; always 1.", "version")
        info.add_metric([self._version], 1)
        yield info
        ended = _gauge("syncer_last_run_timestamp_seconds", "When the last run ended.")
        seconds = _gauge("syncer_last_run_duration_seconds", "How long the last run took.")
        code = _gauge("syncer_last_run_exit_code", "Exit code of the last run; 0 is done.")
        complete = _gauge("syncer_last_run_complete", "1 if the last run listed everything selected to its end.")
        items = _gauge("syncer_last_run_items", "Items of the last run, by what became of them.", "sync_job", "result")
        size = _gauge("syncer_last_run_bytes", "Bytes of the documents that the last run stored.")
        requests = _gauge("syncer_last_run_requests", "Requests of the last run.", "sync_job", "kind")
        for job, last in self._last.items():
            ended.add_metric([job], last.ended.timestamp())
            seconds.add_metric([job], last.seconds)
            code.add_metric([job], last.code)
            complete.add_metric([job], last.complete)
            for name in RESULTS:
                items.add_metric([job, name], last.counts.get(name, 0))
            size.add_metric([job], last.counts.get("bytes", 0))
            for name in _TRAFFIC:
                requests.add_metric([job, name], last.counts.get(name, 0))
        yield from (ended, seconds, code, complete, items, size, requests)
        owed = _gauge("syncer_owed_items", "Items that could not be had, earlier runs included.")
        for job, count in self._owed.items():
            owed.add_metric([job], count)
        yield owed
        fresh = _gauge(
            "syncer_fresh_until_timestamp_seconds", "Start of the last complete listing whose items are all stored."
        )
        for job, until in self._fresh.items():
            fresh.add_metric([job], until.timestamp())
        yield fresh

    def _fresh_until(self, job: str, until: datetime | None) -> None:
        # Where it is not known now, what was known stays: it only ever gets old.
        if until is not None:
            self._fresh[job] = until


def _gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, labels=labels or ("sync_job",))


def _counted(counts: Counts) -> Mapping[str, int]:
    return {name: getattr(counts, name) for name in (*RESULTS, "bytes", *_TRAFFIC)}


def _outcome(row: RunRow) -> Outcome | None:
    """Return what a line of history says; None while the run goes on, or if it was killed."""
    if row.ended is None or row.code is None:
        return None
    counts = row.report.get("counts")
    known = {} if not isinstance(counts, Mapping) else counts
    seconds = (row.ended - row.started).total_seconds()
    return Outcome(row.ended, seconds, row.code, bool(row.report.get("complete")), known)
