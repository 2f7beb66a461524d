"""Asking the fleet for a run, and following it: what `syncer sync --fleet` does. The queue is not imported here."""

from collections.abc import Callable
from functools import partial

import msgspec

from syncer.app.library import Syncer
from syncer.fleet import accounts, orders
from syncer.fleet.orders import Order
from syncer.fleet.store import refuse_alone, shared
from syncer.flow.job import RunOptions
from syncer.flow.run import run_id
from syncer.model import events
from syncer.model.errors import NotNow, SettingsError
from syncer.model.refs import PartitionKey
from syncer.model.report import Counts, Report
from syncer.model.running import beat, works_for
from syncer.ports import FleetRun
from syncer.settings.differences import digest
from syncer.state.postgres.store import PostgresStore

#: Seconds between two looks at a run.
LOOK = 0.5

#: Seconds after which it is said that nobody works on the run.
PATIENCE = 5.0

#: Stands for all partitions of a run that others list.
_ALL = PartitionKey("")


class Submitted(msgspec.Struct):
    """Runs that the fleet was asked for by this process."""

    syncer: Syncer
    store: PostgresStore
    #: Tells a person what nobody else would.
    tell: Callable[[str], None]
    #: Why this process stops following, once it does; the runs go on.
    left: str | None = None
    _orders: dict[str, Order] = msgspec.field(default_factory=dict)

    async def submit(self, job: str, options: RunOptions) -> None:
        """Ask for a run of a job; one that is under way is followed instead."""
        settings = self.syncer.settings.jobs[job]
        config, name = digest(settings), run_id(self.syncer.clock.now())
        wanted = settings.options
        asked = await self.store.database.write(
            lambda c: orders.submit(
                c, job, name, config=config, options=options, why="command", queue=wanted.queue,
                priority=wanted.priority,
            )
        )  # fmt: skip
        order = await self.store.database.read(lambda c: orders.active(c, job))
        if order is None:
            raise NotNow(f"the run of job {job} ended at once", hint="look at `syncer history`, or run it again")
        if not asked:
            if order.config != config:
                raise SettingsError(
                    f"job {job} is run by the fleet with other settings than those of this file",
                    hint="give all workers the same file, and run it again when this run is over",
                )
            self.tell(f"job {job}: the fleet runs it already ({order.run}): this run is followed")
        self._orders[job] = order

    async def follow(self, job: str, _options: RunOptions) -> Report:
        """Wait for the end of a run, show how far it is, and return its report."""
        order = self._orders[job]
        counts = Counts()
        with works_for(job, order.run):
            emit = self.syncer.hub.emit
            emit(events.RunStarted(job, order.run, (), counts))
            report = await self._follow(order, _Shown(emit, counts))
            emit(events.RunEnded(report))
        return report

    async def _follow(self, order: Order, shown: "_Shown") -> Report:
        clock = self.syncer.clock
        began, warned = clock.monotonic(), False
        while True:
            view = await self.store.fleet()
            runs = () if view is None else view.runs
            run = next((each for each in runs if each.run == order.run), None)
            if run is None or run.state == "ended":
                return await self._report(order)
            shown.show(run)
            if self.left is not None:
                return self._so_far(order, shown.counts)
            quiet = not run.running and not run.done and clock.monotonic() - began > PATIENCE
            if quiet and not warned and (words := await self._why(order)) is not None:
                warned = True
                self.tell(words)
            await clock.sleep(LOOK)

    async def _why(self, order: Order) -> str | None:
        """Return why a run does not begin, if that can be seen."""
        now = await self.store.database.read(lambda c: orders.order(c, order.id))
        if now is not None and now.refused is not None:
            return f"job {order.job}: {now.refused}"
        view = await self.store.fleet()
        able = [
            worker
            for worker in (() if view is None else view.workers)
            if worker.state == "working" and (not worker.queues or order.queue in worker.queues)
        ]
        return None if able else f"job {order.job} waits: no worker takes work from queue {order.queue} (syncer worker)"

    async def _report(self, order: Order) -> Report:
        for row in await self.store.runs(order.job, 50):
            if row.run == order.run and row.report:
                return accounts.report_of(row.report)
        raise NotNow(f"the history does not know run {order.run} of job {order.job}", hint="look at `syncer history`")

    def _so_far(self, order: Order, counts: Counts) -> Report:
        return Report(
            order.job, order.run, order.created, self.syncer.clock.now(), counts, complete=False, stopped=self.left,
            notes=(f"the fleet goes on with run {order.run}: syncer sync --fleet {order.job} follows it again",),
        )  # fmt: skip


class _Shown(msgspec.Struct):
    """What others did, told to this process's observers as if it happened here."""

    emit: events.Emit
    counts: Counts
    _units: int = 0

    def show(self, run: FleetRun) -> None:
        before, self.counts.bytes = self.counts.bytes, run.bytes
        begun = run.running + run.done
        for _ in range(begun - self._units):
            self.emit(events.UnitStarted("", 0, 0, run.units))
        self._units = max(self._units, begun)
        if listed := run.listed - self.counts.listed:
            self.emit(events.PageListed(_ALL, listed, None))
        if unchanged := run.unchanged - self.counts.unchanged:
            self.emit(events.PagePlanned(_ALL, 0, unchanged, 0))
        if stored := run.stored - self.counts.stored:
            self.emit(events.Committed("", stored, run.bytes - before))
        for name in ("listed", "stored", "unchanged", "owed"):
            setattr(self.counts, name, getattr(run, name))
        if run.running:
            beat()


async def submitted(syncer: Syncer, tell: Callable[[str], None]) -> Submitted:
    """Return the way to ask the fleet of a configuration for runs.

    Raises:
        SettingsError, PermissionRefused, NotNow: its state can't be that of a fleet.
    """
    refuse_alone(syncer.settings)
    return Submitted(syncer, await shared(syncer.store), tell)


async def stop(syncer: Syncer, job: str, reason: str) -> bool:
    """Take in no more work for the run of a job; False if the fleet has none."""
    store = await shared(syncer.store)
    return await store.database.write(partial(orders.stop, job=job, reason=reason))


async def pause(syncer: Syncer, job: str, *, paused: bool) -> bool:
    """Let no further units of a job's run begin, or let them again; False if the fleet has no run of it."""
    store = await shared(syncer.store)
    window = syncer.settings.fleet.window
    return await store.database.write(partial(orders.pause, job=job, paused=paused, window=window))
