"""What the API answers and takes: a contract of its own, so that a change inside the daemon never changes it unseen.

What could open a door stays out: locators of items (signed links), and whatever else a listing said of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from syncer.model.checkpoint import OwedItem
from syncer.model.refs import ItemKey
from syncer.ports import CircuitState, Health, JobState, JobView, LiveRun, PlatformView, RunRow
from syncer.serve import words


class Shape(Struct, kw_only=True):
    """An answer: all fields are always there, `null` where nothing is known."""


class Run(Shape):
    """One run of a job."""

    job: str
    run: str
    started: datetime
    ended: datetime | None
    exit_code: Annotated[int | None, Meta(description="As `syncer sync` would end; null while it runs.")]
    outcome: Annotated[str, Meta(description="The same in words.")]
    report: Annotated[Mapping[str, Any], Meta(description="The whole account, as `syncer history -o json` shows it.")]

    @classmethod
    def of(cls, row: RunRow) -> "Run":
        """Show a line of history."""
        return cls(
            job=row.job, run=row.run, started=row.started, ended=row.ended, exit_code=row.code,
            outcome=words.outcome(row)[0], report=row.report,
        )  # fmt: skip


class Live(Shape):
    """A run under way, as far as it got."""

    run: str
    started: datetime
    stage: str
    listed: int
    stored: int
    unchanged: int
    owed: int
    total: Annotated[int | None, Meta(description="Items that the run will list; null while that is not known.")]
    bytes: int
    items_per_second: float
    bytes_per_second: float
    eta_seconds: float | None
    requests: int
    retries: int
    throttled: int

    @classmethod
    def of(cls, live: LiveRun) -> "Live":
        """Show a run under way."""
        return cls(
            run=live.run, started=live.started, stage=live.stage, listed=live.listed, stored=live.stored,
            unchanged=live.unchanged, owed=live.owed, total=live.total, bytes=live.bytes,
            items_per_second=live.items_per_second, bytes_per_second=live.bytes_per_second, eta_seconds=live.eta,
            requests=live.requests, retries=live.retries, throttled=live.throttled,
        )  # fmt: skip


class Job(Shape):
    """A job of the configuration."""

    name: str
    platform: Annotated[str, Meta(description="Name of its platform in the configuration.")]
    sinks: Annotated[Mapping[str, str], Meta(description="Where the data lies, by sink.")]
    schedule: Annotated[str, Meta(description="When it runs, in words.")]
    state: JobState
    paused: bool
    next_run: datetime | None
    last_run: Run | None
    fresh_until: Annotated[
        datetime | None, Meta(description="Start of the last complete listing whose finished items are all stored.")
    ]
    items: Annotated[int, Meta(description="Items stored, over all sinks.")]
    owed: Annotated[int, Meta(description="Items that could not be stored yet.")]
    live: Live | None

    @classmethod
    def of(cls, view: JobView) -> "Job":
        """Show a job."""
        return cls(
            name=view.name, platform=view.platform, sinks=view.sinks, schedule=view.schedule, state=view.state,
            paused=view.paused, next_run=view.next_run, last_run=Run.of(view.last) if view.last else None,
            fresh_until=view.fresh_until, items=view.items, owed=view.owed,
            live=Live.of(view.live) if view.live else None,
        )  # fmt: skip


class Platform(Shape):
    """A platform account that jobs share."""

    name: str
    type: str
    circuit: Annotated[CircuitState, Meta(description="open: left alone until `retry_at`; half-open: being tried.")]
    retry_at: datetime | None
    concurrency: Annotated[Mapping[str, int], Meta(description="Requests now allowed in flight, by origin.")]
    requests_per_second: Annotated[Mapping[str, float], Meta(description="By origin, where a rate is set.")]
    requests: int
    retries: int
    throttled: int

    @classmethod
    def of(cls, view: PlatformView) -> "Platform":
        """Show a platform."""
        return cls(
            name=view.name, type=view.type, circuit=view.circuit, retry_at=view.retry_at, concurrency=view.limits,
            requests_per_second=view.rates, requests=view.requests, retries=view.retries, throttled=view.throttled,
        )  # fmt: skip


class Owed(Shape):
    """A finished item that could not be stored yet."""

    sink: str
    key: Annotated[ItemKey, Meta(description="[kind, project, batch, annotation type, item]: what `retry` takes.")]
    version: str
    reason: str
    attempts: int
    first: datetime | None
    next: Annotated[datetime | None, Meta(description="When it is tried again.")]
    ignored_until: datetime | None

    @classmethod
    def of(cls, item: OwedItem) -> "Owed":
        """Show an owed item."""
        return cls(
            sink=item.leg, key=item.key, version=item.version, reason=item.reason, attempts=item.attempts,
            first=item.first, next=item.next, ignored_until=item.ignored_until,
        )  # fmt: skip


class Process(Shape):
    """The daemon itself."""

    version: str
    started: datetime
    ready: bool
    reasons: Annotated[Sequence[str], Meta(description="What is wrong, in words; empty if nothing is.")]
    stalled: Annotated[str | None, Meta(description="The stage that does not move, if one was found.")]
    lag_seconds: float
    worst_lag_seconds: float
    idle_seconds: float

    @classmethod
    def of(cls, health: Health, version: str, started: datetime) -> "Process":
        """Show how the process is."""
        return cls(
            version=version, started=started, ready=health.ready, reasons=health.reasons, stalled=health.stalled,
            lag_seconds=health.lag, worst_lag_seconds=health.worst_lag, idle_seconds=health.idle,
        )  # fmt: skip


class Jobs(Shape):
    """All jobs, in the order of the configuration."""

    jobs: Sequence[Job]


class Platforms(Shape):
    """All platforms of the configuration."""

    platforms: Sequence[Platform]


class Runs(Shape):
    """Some runs, the newest first."""

    runs: Sequence[Run]
    next: Annotated[int | None, Meta(description="`offset` of the next page; null: this is the last.")]


class OwedItems(Shape):
    """Some owed items, the oldest first."""

    items: Sequence[Owed]
    next: Annotated[int | None, Meta(description="`offset` of the next page; null: this is the last.")]


class Triggered(Shape):
    """What became of the wish to run a job."""

    started: Annotated[bool, Meta(description="false: it runs already, waits for its turn, or is paused.")]


class Retried(Shape):
    """What became of the wish to retry."""

    retried: Annotated[int, Meta(description="Owed items that are due now.")]


class Slice(Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of a list is wanted."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Most entries of the answer.")] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000, description="Entries to pass over; `next` of the page before.")] = 0


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Retry(Struct, frozen=True, forbid_unknown_fields=True):
    """Which owed items to retry."""

    keys: Annotated[
        Annotated[list[ItemKey], Meta(max_length=500)] | None, Meta(description="As listed; left out: all of the job.")
    ] = None
