"""What a daemon counts, for Prometheus: an observer of the event stream that is also a collector of its client.

Events of single items are the hot path, so an event costs an addition or two to plain numbers of our own, and no lock;
families of samples are built from them when somebody asks. No registry of the process is touched.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import assert_never

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from syncer.model import events
from syncer.model.errors import EXIT_ORDER
from syncer.model.report import Counts
from syncer.model.running import running
from syncer.observe.fleet import FleetGauges
from syncer.observe.outcomes import RESULTS, Outcomes
from syncer.ports import JobView, PlatformView

#: Upper bounds of histograms, in seconds.
REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
RUN = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

_THROTTLED = 429
_SUCCESS = range(200, 300)
_NOTHING = Counts()


class Distribution(msgspec.Struct):
    """Numbers by size."""

    bounds: Sequence[float]
    total: float = 0.0
    counts: list[int] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing in any bucket."""
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def show(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Put it into a family: buckets are cumulative there."""
        below = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, map(float, self.bounds)), "+Inf"), self.counts, strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric(labels, buckets, self.total)


class _Job(msgspec.Struct):
    """What is counted of a job since the process began."""

    items: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    size: int = 0
    codes: dict[int, int] = msgspec.field(default_factory=lambda: dict.fromkeys(map(int, EXIT_ORDER), 0))
    commits: Distribution = msgspec.field(default_factory=lambda: Distribution(REQUEST))
    runs: Distribution = msgspec.field(default_factory=lambda: Distribution(RUN))
    #: The run under way.
    live: events.RunStarted | None = None
    next_run: float | None = None

    def start(self, run: events.RunStarted) -> None:
        """Begin to show a run. One before it that never ended was cancelled; what it did counts."""
        if self.live is not None:
            self.settle(self.live.counts)
        self.live = run

    def settle(self, counts: Counts | None) -> None:
        """Add up what a run did that is over; a job never runs twice at once."""
        self.live = None
        if counts is not None:
            self.size += counts.bytes
            for name in RESULTS:
                self.items[name] += getattr(counts, name)


class _Platform(msgspec.Struct):
    """What is counted of a platform since the process began."""

    #: By purpose and HTTP status; 0: no answer.
    requests: dict[tuple[events.Purpose, int], int] = msgspec.field(default_factory=dict)
    fetches: Distribution = msgspec.field(default_factory=lambda: Distribution(REQUEST))
    retries: int = 0
    throttled: int = 0
    #: By origin; the origin is shown nowhere.
    limits: dict[str, int] = msgspec.field(default_factory=dict)
    open: bool = False


class Metrics:
    """Counters of jobs and platforms, with the outcomes of their runs."""

    def __init__(self, outcomes: Outcomes) -> None:
        """Start at zero."""
        self._outcomes = outcomes
        self._jobs: dict[str, _Job] = {}
        self._platforms: dict[str, _Platform] = {}
        self._lag = Distribution(LAG)
        #: The fleet on the same state.
        self.fleet = FleetGauges()

    def __call__(self, event: events.Event) -> None:  # noqa: C901  # one case an event, each a line
        """Count one event."""
        match event:
            case events.RequestEnded():
                self._request(event)
            case events.ItemFetched() | events.Written() | events.PageListed() | events.PagePlanned():
                # The account of the run counts these.
                pass
            case events.Committed(seconds=seconds):
                this = running()
                if this is not None:
                    self._job(this.job).commits.add(seconds)
            case events.Retrying(platform=platform):
                self._platform(platform).retries += 1
            case events.Throttled(platform=platform):
                self._platform(platform).throttled += 1
            case events.LimitChanged(origin, limit, platform):
                self._platform(platform).limits[origin] = limit
            case events.RunStarted(job=job):
                self._job(job).start(event)
            case events.RunEnded():
                self._ended(event)
            case (
                events.UnitStarted()
                | events.UnitEnded()
                | events.ItemOwed()
                | events.Sealed()
                | events.Staged()
                | events.PublishedLeg()
                | events.SegmentSent()
                | events.HeadMoved()
                | events.ErasureMoved()
                | events.LegDetached()
                | events.LegReset()
                | events.DeletesHeld()
                | events.PartitionFrozen()
                | events.Draining()
                | events.Warned()
            ):
                pass
            case _:
                assert_never(event)

    def late(self, seconds: float) -> None:
        """Count by how much the event loop was late at a measurement."""
        self._lag.add(seconds)

    def show(self, jobs: Sequence[JobView], platforms: Sequence[PlatformView]) -> None:
        """Take a snapshot of the daemon; what is configured is shown from then on, also before it was ever used."""
        self._outcomes.show(jobs)
        for name in self._jobs.keys() - {view.name for view in jobs}:
            if self._jobs[name].live is None:
                del self._jobs[name]
        for view in jobs:
            self._job(view.name).next_run = None if view.next_run is None else view.next_run.timestamp()
        for each in platforms:
            self._platform(each.name).open = each.circuit != "closed"

    def collect(self) -> Iterator[Metric]:
        """Yield all families. Reads numbers only: no state, no network, nothing waits."""
        yield from self._outcomes.collect()
        yield from self._of_jobs()
        yield from self._of_platforms()
        yield from self.fleet.collect()
        lag = HistogramMetricFamily("syncer_event_loop_lag_seconds", "By how much the event loop was late.", labels=())
        self._lag.show(lag, ())
        yield lag

    def _of_jobs(self) -> Iterator[Metric]:
        label = ("sync_job",)
        items = CounterMetricFamily("syncer_items", "Items by what became of them.", labels=(*label, "result"))
        size = CounterMetricFamily("syncer_bytes", "Bytes of the documents stored.", labels=label)
        codes = CounterMetricFamily("syncer_runs", "Runs by their exit code.", labels=(*label, "code"))
        active = GaugeMetricFamily("syncer_run_active", "1 while a run is under way.", labels=label)
        queue = GaugeMetricFamily(
            "syncer_queue_bytes", "Bytes of documents that are being fetched or wait to be written.", labels=label
        )
        following = GaugeMetricFamily("syncer_next_run_timestamp_seconds", "When the next run is due.", labels=label)
        commits = HistogramMetricFamily(
            "syncer_commit_seconds", "How long sealing and committing a group took.", labels=label
        )
        runs = HistogramMetricFamily("syncer_run_seconds", "How long runs took.", labels=label)
        for name, job in self._jobs.items():
            now = _NOTHING if job.live is None or job.live.counts is None else job.live.counts
            for result in RESULTS:
                items.add_metric([name, result], job.items[result] + getattr(now, result))
            size.add_metric([name], job.size + now.bytes)
            for code, count in job.codes.items():
                codes.add_metric([name, str(code)], count)
            active.add_metric([name], job.live is not None)
            queue.add_metric([name], 0 if job.live is None or job.live.queued is None else job.live.queued())
            if job.next_run is not None:
                following.add_metric([name], job.next_run)
            job.commits.show(commits, [name])
            job.runs.show(runs, [name])
        yield from (items, size, codes, active, queue, following, commits, runs)

    def _of_platforms(self) -> Iterator[Metric]:
        label = ("platform",)
        requests = CounterMetricFamily(
            "syncer_requests", "Requests by purpose and answer; none: no answer.", labels=(*label, "class", "status")
        )
        retries = CounterMetricFamily("syncer_retries", "Attempts that were repeated.", labels=label)
        throttled = CounterMetricFamily("syncer_throttled", "Times the platform asked to slow down.", labels=label)
        limit = GaugeMetricFamily("syncer_concurrency_limit", "Requests now allowed in flight.", labels=label)
        opened = GaugeMetricFamily("syncer_circuit_open", "1 while the platform is left alone.", labels=label)
        fetches = HistogramMetricFamily("syncer_fetch_seconds", "How long requests took that succeeded.", labels=label)
        for name, platform in self._platforms.items():
            answers: dict[tuple[str, str], int] = {}
            for (purpose, status), count in platform.requests.items():
                key = purpose, status_class(status)
                answers[key] = answers.get(key, 0) + count
            for labels, count in answers.items():
                requests.add_metric([name, *labels], count)
            retries.add_metric([name], platform.retries)
            throttled.add_metric([name], platform.throttled)
            if platform.limits:
                limit.add_metric([name], sum(platform.limits.values()))
            opened.add_metric([name], platform.open)
            platform.fetches.show(fetches, [name])
        yield from (requests, retries, throttled, limit, opened, fetches)

    def _request(self, event: events.RequestEnded) -> None:
        platform = self._platforms.get(event.platform)
        if platform is None:
            platform = self._platform(event.platform)
        status = event.status
        key = event.purpose, status
        requests = platform.requests
        requests[key] = requests.get(key, 0) + 1
        if status in _SUCCESS:
            platform.fetches.add(event.seconds)

    def _ended(self, event: events.RunEnded) -> None:
        report = event.report
        job = self._job(report.job)
        job.settle(report.counts)
        job.codes[int(report.exit_code())] += 1
        job.runs.add((report.ended - report.started).total_seconds())
        self._outcomes.ended(report)

    def _job(self, name: str) -> _Job:
        job = self._jobs.get(name)
        if job is None:
            job = self._jobs[name] = _Job()
        return job

    def _platform(self, name: str) -> _Platform:
        platform = self._platforms.get(name)
        if platform is None:
            platform = self._platforms[name] = _Platform()
        return platform


def status_class(status: int) -> str:
    """Return what is shown of an HTTP status: `2xx`, `429`, `none` where there was no answer."""
    if status == _THROTTLED:
        return "429"
    return f"{status // 100}xx" if status else "none"
