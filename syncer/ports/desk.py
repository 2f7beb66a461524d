"""The daemon as its visitors see it: what they may look at, and what they may ask for.

Values only: the page, the API and the metrics are built from these, never from state or settings themselves.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from syncer.model.checkpoint import OwedItem
from syncer.model.entries import Leg
from syncer.model.refs import ItemKey
from syncer.ports.fleet import FleetView
from syncer.ports.state import RunRow

#: What a job does now. "waiting": due, and waits for its turn; "never": it has no schedule.
JobState = Literal["idle", "waiting", "running", "draining", "paused", "never"]

#: A platform account: "closed" works, "open" is left alone until `retry_at`, "half-open" is being tried.
CircuitState = Literal["closed", "open", "half-open"]


class LiveRun(msgspec.Struct, frozen=True):
    """A run under way, as far as it got."""

    run: str
    started: datetime
    #: "fetching", "publishing", …: what moved last.
    stage: str
    listed: int = 0
    stored: int = 0
    unchanged: int = 0
    owed: int = 0
    #: Items that the run will list; None while that is not known.
    total: int | None = None
    bytes: int = 0
    #: Over the last seconds.
    items_per_second: float = 0.0
    bytes_per_second: float = 0.0
    #: Seconds that remain at this rate; None while that is not known.
    eta: float | None = None
    requests: int = 0
    retries: int = 0
    throttled: int = 0


class JobView(msgspec.Struct, frozen=True):
    """A job of the configuration."""

    name: str
    #: Name of its platform in the configuration.
    platform: str
    #: Where the data lies, by sink: URLs without credentials.
    sinks: Mapping[Leg, str]
    #: The schedule in words: "cron 0 2 * * * Europe/Stockholm", "every 30 s", "after highway", "by hand".
    schedule: str
    state: JobState
    paused: bool
    next_run: datetime | None
    #: The run before; None if there was none.
    last: RunRow | None
    #: Start of the last complete listing whose finished items are all stored.
    fresh_until: datetime | None
    #: Stored and owed items over all sinks, as the state counts them.
    items: int
    owed: int
    live: LiveRun | None = None


class PlatformView(msgspec.Struct, frozen=True):
    """A platform account that jobs share."""

    name: str
    type: str
    circuit: CircuitState
    #: When an open circuit is tried again.
    retry_at: datetime | None = None
    #: Requests now allowed in flight, and requests a second where a rate is set, by origin.
    limits: Mapping[str, int] = msgspec.field(default_factory=dict)
    rates: Mapping[str, float] = msgspec.field(default_factory=dict)
    requests: int = 0
    retries: int = 0
    throttled: int = 0


class Health(msgspec.Struct, frozen=True):
    """What a supervisor has to know of this process."""

    #: Seconds by which the event loop was late at the last measurement, and the worst of the last minute.
    lag: float
    worst_lag: float
    #: Seconds since anything moved forward; 0 while nothing is to be done.
    idle: float
    #: The stage that does not move ("fetch of highway"), if a stall was found.
    stalled: str | None
    #: The state can be read and written; the configuration is loaded; nothing drains.
    ready: bool
    #: What is wrong, in words; empty if nothing is.
    reasons: tuple[str, ...] = ()


class Overview(Protocol):
    """What visitors of the daemon may look at. Every answer is a snapshot."""

    #: Version of the program and the moment it started.
    version: str
    started: datetime

    async def jobs(self) -> Sequence[JobView]:
        """Return all jobs, in the order of the configuration."""

    async def platforms(self) -> Sequence[PlatformView]:
        """Return the platforms of the configuration."""

    async def runs(self, job: str | None, limit: int) -> Sequence[RunRow]:
        """Return the newest runs first."""

    async def owed(self, job: str, limit: int) -> Sequence[OwedItem]:
        """Return owed items of a job, the oldest first."""

    async def fleet(self) -> FleetView | None:
        """Return the fleet that works on the same state; None: no fleet can."""

    async def health(self) -> Health:
        """Return how the process itself is. Asks no platform and no destination."""

    def changes(self) -> AsyncIterator[None]:
        """Yield whenever a snapshot would differ, at most once a second."""


class Control(Protocol):
    """What visitors of the daemon may ask for.

    Raises, all of them:
        UnknownName: there is no such job.
    """

    async def trigger(self, job: str, why: str) -> bool:
        """Run a job as soon as it may; return False if it runs or waits already."""

    async def pause(self, job: str) -> None:
        """Begin no further runs of a job until it is resumed; a running one goes on. Survives a restart."""

    async def resume(self, job: str) -> None:
        """Take a job back into the schedule."""

    async def retry(self, job: str, keys: Sequence[ItemKey] | None = None) -> int:
        """Make owed items due now (None: all of the job), trigger the job, and return how many there were."""

    async def hint(self, platform: str, project: str | None) -> Sequence[str]:
        """Take a platform's word that something changed: poll jobs that it may concern now; return their names."""
