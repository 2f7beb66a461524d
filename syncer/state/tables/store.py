"""`ports.StateStore` on tables: units under leases, and everything that is asked of a job as a whole."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from datetime import datetime
from functools import partial

from syncer.model.checkpoint import LegSpec, OwedItem
from syncer.model.entries import Container, Leg
from syncer.model.errors import SettingsError
from syncer.model.refs import Cursor, ItemKey, PartitionKey
from syncer.model.report import Report
from syncer.model.rows import ManifestRow
from syncer.ports import FleetView, HeadNote, JobStatus, Ledger, RunRow, Unit
from syncer.state.lease import Lease, Leases, held
from syncer.state.tables import history, jobs, notes
from syncer.state.tables.database import Database, T, Work
from syncer.state.tables.forget import forget
from syncer.state.tables.holding import holding
from syncer.state.tables.invalid import invalidate
from syncer.state.tables.ledger import Account, TableLedger
from syncer.state.tables.opening import next_epoch, take_over
from syncer.state.tables.rebuild import Rebuilding, published
from syncer.state.tables.session import Reserved, Session, Vacating
from syncer.state.tables.transaction import Transaction

_UNIT = "unit "

#: Joins the transaction that ends a run.
Ending = Callable[[Transaction, Report], None]


class TableStore:
    """One state database of one process."""

    def __init__(self, database: Database, leases: Leases, now: Callable[[], datetime], *, readonly: bool) -> None:
        """Take an open database and the leases that go with it."""
        self.id = ""
        self.url = database.where
        self._database = database
        self._leases = leases
        self._now = now
        self._readonly = readonly
        self._reserved: Reserved = {}
        self._vacating: Vacating = {}
        #: Lowest epoch of units in the running pass of a job.
        self._epochs: dict[str, int] = {}
        #: Leases of jobs that this process runs, by job.
        self._running: dict[str, list[Lease]] = {}
        #: Hears of the commits of units that are opened here.
        self._account: Account | None = None
        self._ending: Ending | None = None

    @property
    def database(self) -> Database:
        """The door to the database, for what is no ledger's business."""
        return self._database

    async def load(self) -> None:
        """Read the id of this state."""
        (self.id,) = await self._database.read(
            lambda c: c.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
        )

    @asynccontextmanager
    async def sharing(self, job: str, epoch: int, account: Account | None = None) -> AsyncIterator["TableStore"]:
        """Take part in a run that other processes work on, too: a run of the whole job excludes it.

        Yields this store as that run needs it: its units have this epoch at least, and `account` hears of each commit,
        inside of its transaction.

        Raises on entering:
            LeaseHeld: another process runs the job on its own; the message names the process.
        """
        async with self._taken(job, ("", True)) as taken:
            view = copy(self)
            vars(view).update(_running={job: taken}, _epochs={job: epoch}, _account=account)
            yield view

    def ended_with(self, ending: Ending) -> "TableStore":
        """Return this store for the end of a run that is noted elsewhere, too: both in one transaction."""
        view = copy(self)
        vars(view).update(_ending=ending)
        return view

    @asynccontextmanager
    async def lease(self, job: str, shard: tuple[int, int] | None = None) -> AsyncIterator[None]:
        """Hold a job, or one of its shards, for one run."""
        names = [("", shard is not None)]
        if shard is not None:
            names.append((f"shard {shard[0]}/{shard[1]}", False))
        async with self._taken(job, *names) as taken:
            try:
                self._running[job] = taken
                self._epochs[job] = await self._database.read(lambda c: next_epoch(c, job))
                yield
            finally:
                self._epochs.pop(job, None)
                self._running.pop(job, None)

    @asynccontextmanager
    async def unit(self, job: str, unit: Unit, legs: Sequence[LegSpec]) -> AsyncIterator[Ledger]:
        """Take the lease of a unit and raise its epoch."""
        async with self._session(job, unit, legs) as session:
            yield TableLedger(self._database, session, self._now, self._account)

    @asynccontextmanager
    async def peek(self, job: str, unit: Unit, legs: Sequence[LegSpec]) -> AsyncIterator[Ledger]:
        """Open a unit for reading only; paths settled here are nobody else's business."""
        session = Session(job, unit, {leg.name: leg for leg in legs}, {}, {}, writable=False)
        await self._database.read(session.load)
        yield TableLedger(self._database, session, self._now)

    async def layout(self, job: str, leg: Leg) -> Mapping[str, str] | None:
        """Return the layout that the leg's destination was written with."""
        return await self._database.read(lambda c: jobs.layout(c, job, leg))

    async def set_layout(self, job: str, leg: Leg, layout: Mapping[str, str], url: str) -> None:
        """Remember it."""
        await self._write(lambda c: jobs.set_layout(c, job, leg, layout, url))

    async def claim(self, job: str, root: str, paths: Sequence[str]) -> None:
        """Claim paths below a root for a job."""
        await self._write(lambda c: jobs.claim(c, job, root, paths))

    async def partitions(self, job: str) -> Mapping[PartitionKey, int]:
        """Return the partitions ever synced, with their live items."""
        return await self._database.read(lambda c: jobs.partitions(c, job))

    async def release(self, job: str, keys: Sequence[PartitionKey]) -> None:
        """Forget partitions: their items are doomed as gone in the next run."""
        await self._write(lambda c: jobs.release(c, job, keys))

    async def rewind(self, job: str) -> None:
        """Forget the cursors of a job."""
        await self._write(lambda transaction: jobs.rewind(transaction, job))

    async def begin_run(self, job: str, run: str, started: datetime) -> None:
        """Write the first line of a run's history."""
        await self._write(lambda c: history.begin(c, job, run, started))

    async def end_run(self, report: Report, code: int, replaces: str | None = None) -> None:
        """Write the rest, and forget the run that this one replaces in the history."""

        def end(transaction: Transaction) -> None:
            if self._ending is not None:
                self._ending(transaction, report)
            history.end(transaction, report, code, replaces)

        await self._write(end)

    async def runs(self, job: str | None, limit: int) -> Sequence[RunRow]:
        """Return the newest runs first."""
        return await self._database.read(lambda c: history.runs(c, job, limit))

    async def recall(self, job: str) -> Mapping[str, str]:
        """Return the notes of a job."""
        return await self._database.read(lambda c: notes.recall(c, job))

    async def remember(self, job: str, name: str, value: str | None) -> None:
        """Write a note of a job; None takes it away."""
        await self._write(lambda c: notes.remember(c, job, name, value))

    async def remember_all(self, job: str, texts: Mapping[str, str]) -> None:
        """Write many notes of a job in one transaction."""
        await self._write(lambda c: notes.remember_all(c, job, texts))

    async def forget(self, job: str, keys: Sequence[ItemKey], named: Callable[[str], bool]) -> int:
        """Forget items for good; see the door."""
        return await self._alone(job, lambda c: forget(c, job, keys, named))

    async def clean(self) -> Sequence[str]:
        """Make sure that nothing forgotten is left in what the database wrote."""
        self._check_writable()
        return await self._database.clean()

    async def status(self, job: str) -> JobStatus:
        """Return counters; never counts rows."""
        holders = await self._database.call(partial(self._leases.holders, job))
        leases = {name.removeprefix(_UNIT): who for name, who in holders.items() if name.startswith(_UNIT)}
        return await self._database.read(lambda c: jobs.status(c, job, leases))

    async def jobs(self) -> Sequence[str]:
        """Return the names of all jobs with state."""
        return await self._database.read(jobs.names)

    async def all_owed(self, job: str) -> Sequence[OwedItem]:
        """Return every owed item of a job."""
        return await self._database.read(lambda c: jobs.all_owed(c, job))

    async def postpone(self, job: str, keys: Sequence[ItemKey], until: datetime | None) -> int:
        """Leave owed items alone until a time (None: retry them now); return how many there were."""
        return await self._write(lambda c: jobs.postpone(c, job, keys, until))

    async def rows(self, job: str, leg: Leg) -> Sequence[ManifestRow]:
        """Return all published rows of a leg."""
        return await self._database.read(lambda c: published(c, job, leg))

    async def rebuild(
        self, job: str, unit: Unit, leg: LegSpec, rows: AsyncIterator[Sequence[ManifestRow]],
        containers: Sequence[Container], cursors: Mapping[PartitionKey, Cursor | None], epoch: int,
        owed: Sequence[OwedItem] = (),
    ) -> None:  # fmt: skip
        """Replace a leg's rows of a unit by what its manifest and checkpoint say; its next epoch is above `epoch`."""
        async with self._session(job, unit, [leg]) as session:
            table = Rebuilding(session, leg)
            try:
                await self._database.write(table.begin)
                async for batch in rows:
                    await self._database.write(partial(table.add, batch))
                await self._database.write(lambda c: table.finish(c, containers, cursors, epoch, owed))
            finally:
                await self._database.write(table.drop)

    async def invalidate(
        self, job: str, leg: Leg, keys: Sequence[ItemKey], reason: str, containers: Sequence[str] = ()
    ) -> int:
        """Owe items again that are stored but damaged or missing; return how many."""
        return await self._alone(job, lambda c: invalidate(c, job, leg, keys, reason, containers))

    async def reset(self, job: str) -> None:
        """Forget a job: cursors, rows, owed items, claims."""
        await self._alone(job, lambda c: jobs.reset(c, job))

    async def rename(self, old: str, new: str) -> None:
        """Give a job another name."""
        await self._alone(old, lambda c: jobs.rename(c, old, new))

    @asynccontextmanager
    async def turn(self, job: str, name: str) -> AsyncIterator[None]:
        """Hold something of a job that one process at a time may do.

        Raises on entering:
            LeaseHeld: another process does it now.
        """
        async with self._taken(job, (name, False)):
            yield

    async def untold(self, job: str, limit: int) -> Sequence[HeadNote]:  # noqa: ARG002  # the door's signature
        """Know of none: only a fleet leaves notes."""
        return ()

    async def told(self, notes: Sequence[HeadNote]) -> None:
        """Forget notes."""

    async def fleet(self) -> FleetView | None:
        """Know of none: a fleet needs a state that more than one machine can reach."""
        return None

    async def close(self) -> None:
        """Give the database back."""
        await self._database.close()

    def _taken(self, job: str, *names: tuple[str, bool]) -> AbstractAsyncContextManager[list[Lease]]:
        self._check_writable()
        return holding(self._database, self._leases, job, names)

    @asynccontextmanager
    async def _session(self, job: str, unit: Unit, legs: Sequence[LegSpec]) -> AsyncIterator[Session]:
        self._check_writable()
        specs = {leg.name: leg for leg in legs}
        session = Session(job, unit, specs, self._reserved, self._vacating, writable=True)
        taken: list[Lease] = []

        def release() -> None:
            session.close()
            for lease in taken:
                lease.release()

        try:
            await self._database.call(lambda: taken.append(self._leases.take(job, _UNIT + unit.name)))
            # Whoever lost the run, or the unit, writes nothing more.
            session.tickets = [lease.ticket for lease in (*taken, *self._running.get(job, ()))]
            await self._database.write(lambda c: take_over(c, session, self._epochs.get(job, 0)))
            yield session
        finally:
            await self._database.finish(release)

    async def _alone(self, job: str, work: Work[T]) -> T:
        """Change a job while nobody works on one of its units."""
        self._check_writable()
        for name, who in (await self._database.call(partial(self._leases.holders, job))).items():
            if name.startswith(_UNIT):
                raise held(job, name, who)
        return await self._write(work)

    async def _write(self, work: Work[T]) -> T:
        self._check_writable()

        def alone(transaction: Transaction) -> T:
            transaction.serialize()
            return work(transaction)

        return await self._database.write(alone)

    def _check_writable(self) -> None:
        if self._readonly:
            message = f"the state {self.url} was opened for reading only"
            raise SettingsError(message, hint="use a command that writes: `syncer sync`")
