"""What the parts of a run share in one worker: the open configuration, what it is busy with, and whether it leaves."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from syncer.app.library import Syncer
from syncer.fleet.orders import Order
from syncer.flow.drain import Drain
from syncer.flow.job import Job
from syncer.flow.run import pass_of
from syncer.flow.unit import Pass
from syncer.model.errors import SyncerError
from syncer.model.running import works_for
from syncer.settings import FleetOptions
from syncer.settings.differences import digest
from syncer.state.postgres.store import PostgresStore
from syncer.state.tables.database import Database

#: Seconds after which what can't be done now is tried again: another process is at it, or another worker may.
SOON = 1.0
REFUSED = 3.0


class Again(Exception):
    """The task is to come again, to whoever is free then."""

    def __init__(self, seconds: float) -> None:
        """Say in how many seconds."""
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


def bug(error: Exception) -> SyncerError:
    """Return what a report says of an error that is none of ours; a group counts as the first in it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return SyncerError(f"this is a bug in syncer: {type(error).__name__}: {error}")


class Crew(msgspec.Struct):
    """The working half of a worker; it knows no queue."""

    syncer: Syncer
    store: PostgresStore
    #: The worker, as rows name it.
    name: str
    #: It takes nothing more, and leaves to others what it has.
    leaving: bool = False
    #: Units under way, by job.
    busy: dict[str, int] = msgspec.field(default_factory=dict)
    #: Requests of a run that were put to some unit's account.
    told: dict[str, tuple[int, int, int]] = msgspec.field(default_factory=dict)

    @property
    def options(self) -> FleetOptions:
        """How workers of this fleet live."""
        return self.syncer.settings.fleet

    @property
    def database(self) -> Database:
        """The door to the rows."""
        return self.store.database

    @property
    def running(self) -> int:
        """Units under way."""
        return sum(self.busy.values())

    def differs(self, order: Order) -> str | None:
        """Return in words why this worker can't take part in a run; None: it can."""
        known = self.syncer.settings.jobs.get(order.job)
        if known is None:
            return f"two fleets share one state: worker {self.name} has no job {order.job}"
        if digest(known) == order.config:
            return None
        return (
            f"two fleets share one state: worker {self.name} has other settings for job {order.job}"
            " than the run was asked for with"
        )

    @contextmanager
    def run(self, order: Order, job: Job) -> Iterator[tuple[Pass, Drain]]:
        """Give a part of a run what it needs, under the name and the options of the whole."""
        syncer = self.syncer
        with syncer.draining(order.job) as drain, works_for(order.job, order.run):
            if order.stop is not None:
                drain.start(order.stop)
            this = pass_of(
                job, self.store, order.options, drain=drain, spool=syncer.assembly.spool, clock=syncer.clock,
                emit=syncer.hub.emit,
            )  # fmt: skip
            this.run, this.units = order.run, order.units
            yield this, drain

    def traffic(self, order: Order) -> tuple[int, int, int]:
        """Return the requests for a run that no unit accounted for yet; from now on one does."""
        now, before = self.syncer.tally.traffic(), self.told.get(order.run, (0, 0, 0))
        self.told[order.run] = now
        return now[0] - before[0], now[1] - before[1], now[2] - before[2]
