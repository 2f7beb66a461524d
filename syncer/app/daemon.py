"""The daemon: scheduler, desk and listeners over one open configuration."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from syncer import __version__
from syncer.app.desk import Desk
from syncer.app.library import Syncer
from syncer.app.timetable import entries
from syncer.flow.job import RunOptions
from syncer.model.errors import SyncerError, Unavailable
from syncer.model.events import Warned
from syncer.model.report import Report, unbegun
from syncer.observe.hub import Hub
from syncer.ports import Control, Overview
from syncer.schedule import memory
from syncer.schedule.memory import Memory
from syncer.schedule.scheduler import Scheduler, open_scheduler

#: Something beside the scheduler: a listener, a watchdog. It lives as long as the daemon.
Side = Callable[[Overview, Control, Hub], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Daemon:
    """A scheduler over an open configuration, and the desk that shows it."""

    syncer: Syncer
    scheduler: Scheduler
    desk: Desk
    sides: Sequence[Side] = ()

    async def work(self) -> None:
        """Run jobs at their turns until `drain`; returns when those under way are over."""
        async with AsyncExitStack() as stack:
            for side in self.sides:
                await stack.enter_async_context(side(self.desk, self.desk, self.syncer.hub))
            await self.scheduler.work()

    def drain(self, reason: str) -> None:
        """Begin no further run, and let those under way finish what is in flight."""
        self.desk.draining = True
        self.scheduler.stop()
        self.syncer.drain(reason)
        self.desk.ring()


@asynccontextmanager
async def open_daemon(syncer: Syncer, sides: Sequence[Side] = ()) -> AsyncIterator[Daemon]:
    """Put a daemon together; `work` runs it."""
    world = _World(syncer)
    scheduler = await open_scheduler(
        world, syncer.clock, entries(syncer.settings), world.memory, syncer.settings.daemon.concurrency
    )
    desk = Desk(__version__, syncer.clock.now(), syncer, scheduler)
    world.moved = desk.ring
    # Behind the figures: the desk rings after they moved.
    syncer.hub.add(desk)
    try:
        yield Daemon(syncer, scheduler, desk, sides)
    finally:
        syncer.hub.remove(desk)


@dataclass(slots=True)
class _World:
    """What the scheduler needs done, by the library."""

    syncer: Syncer
    #: Told when a job's place in the schedule moved: its run is over, say, which no event of the run can tell.
    moved: Callable[[], None] = lambda: None

    async def run(self, job: str, why: str) -> Report:  # noqa: ARG002  # the door's signature
        """Run a job once; one that can't even be assembled has a report, too."""
        clock = self.syncer.clock
        started = clock.now()
        try:
            return await self.syncer.sync(job, RunOptions())
        except SyncerError as error:
            return unbegun(job, started, clock.now(), error)

    async def probe(self, job: str) -> bool:
        """Ask for the first partition of a job."""
        try:
            built = await self.syncer.job(job)
            async with aclosing(built.source.partitions(built.select)) as partitions:
                async for _ in partitions:
                    break
        except Unavailable:
            return False
        except SyncerError:
            # Whatever else it says, it is there; the run will report it.
            return True
        return True

    async def memory(self, job: str) -> Memory:
        """Return what is remembered of a job's schedule."""
        return memory.load((await self.syncer.store.recall(job)).get(memory.NAME))

    async def keep(self, job: str, remembered: Memory) -> None:
        """Remember where a job's schedule stands."""
        await self.syncer.store.remember(job, memory.NAME, remembered.dump())
        self.moved()

    async def skipped(self, job: str, reason: str, times: int, last: datetime) -> None:
        """Record turns that passed without a run."""
        self.said(f"{job}: skipped_{reason}: {times} scheduled runs, the last of {last:%Y-%m-%d %H:%M %Z}")

    def said(self, message: str) -> None:
        """Tell the log."""
        self.syncer.hub.emit(Warned(message))
