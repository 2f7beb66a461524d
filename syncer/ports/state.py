"""Everything that is remembered between runs."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from syncer.model.checkpoint import LegSpec, OwedItem
from syncer.model.entries import Container, Leg
from syncer.model.refs import Cursor, ItemKey, PartitionKey
from syncer.model.report import Report
from syncer.model.rows import ManifestRow
from syncer.ports.fleet import FleetView
from syncer.ports.ledger import Ledger
from syncer.ports.sink import Unit


class RunRow(msgspec.Struct, frozen=True):
    """One line of a job's history."""

    job: str
    run: str
    started: datetime
    ended: datetime | None
    code: int | None
    report: Mapping[str, object]

    @property
    def skipped(self) -> bool:
        """Tell whether this is no run but turns of a schedule that passed without one."""
        return str(self.report.get("stopped")).startswith("skipped_")


class JobStatus(msgspec.Struct, frozen=True):
    """What the state knows of a job without asking anybody."""

    job: str
    items: Mapping[Leg, int]
    bytes: Mapping[Leg, int]
    owed: Mapping[Leg, int]
    doomed: Mapping[Leg, int]
    pending: Mapping[Leg, int]
    partitions: int
    #: Who holds a lease now ("pid 123 on host"), by unit.
    leases: Mapping[str, str] = msgspec.field(default_factory=dict)


class HeadNote(msgspec.Struct, frozen=True):
    """What HEAD of a manifest is to be told of one unit, by whoever tells it of all (`flow.heads`)."""

    id: int
    leg: Leg
    unit: str
    #: JSON.
    document: str


class StateStore(Protocol):
    """Everything that is remembered between runs. Refuses a schema newer than its own (SettingsError)."""

    #: Random id of this state, made at creation; stands in `owner.json`.
    id: str
    #: Where it is, for messages; without a password.
    url: str

    def lease(self, job: str, shard: tuple[int, int] | None = None) -> AbstractAsyncContextManager[None]:
        """Hold a job, or one of its shards, for one run.

        A run of the whole job excludes its shards; shards do not exclude each other.

        Raises on entering:
            LeaseHeld: another process runs it; the message names the process.
        """

    def unit(self, job: str, unit: Unit, legs: Sequence[LegSpec]) -> AbstractAsyncContextManager[Ledger]:
        """Take the lease of a unit and raise its epoch.

        Raises on entering:
            LeaseHeld: somebody else works on it; the message names the process.
        """

    def peek(self, job: str, unit: Unit, legs: Sequence[LegSpec]) -> AbstractAsyncContextManager[Ledger]:
        """Open a unit for reading only: no lease, no epoch, nothing written. For `plan`."""

    async def layout(self, job: str, leg: Leg) -> Mapping[str, str] | None:
        """Return the layout that the leg's destination was written with."""

    async def set_layout(self, job: str, leg: Leg, layout: Mapping[str, str], url: str) -> None:
        """Remember it."""

    async def claim(self, job: str, root: str, paths: Sequence[str]) -> None:
        """Claim paths below a root for a job.

        Raises:
            SettingsError: a path equals, contains or lies inside one of another job's; both are named.
        """

    async def partitions(self, job: str) -> Mapping[PartitionKey, int]:
        """Return the partitions ever synced, with their live items."""

    async def release(self, job: str, keys: Sequence[PartitionKey]) -> None:
        """Forget partitions: their items are doomed as gone in the next run (`--accept-gone`, `--prune`)."""

    async def rewind(self, job: str) -> None:
        """Forget the cursors of a job, nothing else: its next run lists everything, and fetches what differs."""

    async def begin_run(self, job: str, run: str, started: datetime) -> None:
        """Write the first line of a run's history."""

    async def end_run(self, report: Report, code: int, replaces: str | None = None) -> None:
        """Write the rest, and forget the run that this one replaces in the history."""

    async def runs(self, job: str | None, limit: int) -> Sequence[RunRow]:
        """Return the newest runs first."""

    async def recall(self, job: str) -> Mapping[str, str]:
        """Return the notes of a job, by name; empty for a job that nobody knows."""

    async def remember(self, job: str, name: str, value: str | None) -> None:
        """Write a note of a job, durably; None takes it away.

        Notes follow a job that is renamed and go with one that is reset. They alone don't make a job known (`jobs`).
        """

    async def remember_all(self, job: str, texts: Mapping[str, str]) -> None:
        """Write many notes of a job in one transaction."""

    async def forget(self, job: str, keys: Sequence[ItemKey], named: Callable[[str], bool]) -> int:
        """Forget items for good, in all batches and types, as if nobody had ever listed them; return how many rows.

        `named` tells which texts name one of them: cursors that do are forgotten, reports of runs lose the text.
        Everything of the job has to be published and sent before; places that they held are free afterwards.
        """

    async def clean(self) -> Sequence[str]:
        """Make sure that nothing forgotten is left in what the database wrote; return what can't be made sure of.

        Raises:
            NotNow: another process is in the way.
        """

    async def status(self, job: str) -> JobStatus:
        """Return counters; never counts rows."""

    async def jobs(self) -> Sequence[str]:
        """Return the names of all jobs with state."""

    async def all_owed(self, job: str) -> Sequence[OwedItem]:
        """Return every owed item of a job."""

    async def postpone(self, job: str, keys: Sequence[ItemKey], until: datetime | None) -> int:
        """Leave owed items alone until a time (None: retry them now); return how many there were."""

    async def rows(self, job: str, leg: Leg) -> Sequence[ManifestRow]:
        """Return all rows of a leg, for `state export` and tests."""

    async def rebuild(
        self, job: str, unit: Unit, leg: LegSpec, rows: AsyncIterator[Sequence[ManifestRow]],
        containers: Sequence[Container], cursors: Mapping[PartitionKey, Cursor | None], epoch: int,
        owed: Sequence[OwedItem] = (),
    ) -> None:  # fmt: skip
        """Replace a leg's rows of a unit by what its manifest says; the unit's next epoch is above `epoch`.

        The cursors have passed the owed items of `checkpoint.json` (`model.snapshot.owed_of`): nobody else remembers
        them.

        Rows come in batches, in (epoch, seq) order: a later row of a key replaces or deletes the earlier one. They are
        published rows: none goes to the outbox. Containers that do not belong to the unit's rows are left out.
        """

    async def invalidate(
        self, job: str, leg: Leg, keys: Sequence[ItemKey], reason: str, containers: Sequence[str] = ()
    ) -> int:
        """Owe items again that are stored but damaged or missing; return how many.

        Items of the named containers are owed too, their rows forgotten, and the containers with them: those archives
        are lost as a whole. Rows of other items stay until the new copy replaces them.
        """

    async def reset(self, job: str) -> None:
        """Forget a job: cursors, rows, owed items, claims."""

    async def rename(self, old: str, new: str) -> None:
        """Give a job another name."""

    def turn(self, job: str, name: str) -> AbstractAsyncContextManager[None]:
        """Hold something of a job that one process at a time may do.

        Raises on entering:
            LeaseHeld: another process does it now.
        """

    async def untold(self, job: str, limit: int) -> Sequence[HeadNote]:
        """Return what HEADs of a job's manifests are still to be told, oldest first."""

    async def told(self, notes: Sequence[HeadNote]) -> None:
        """Forget notes: HEAD says what they said."""

    async def fleet(self) -> FleetView | None:
        """Return what is known of the fleet that works on this state; None: no fleet can."""

    async def close(self) -> None:
        """Give the database back."""
