"""The daemon: scheduler, desk and listeners over one open configuration."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import anyio
import msgspec

from syncer import __version__
from syncer.app.desk import Desk
from syncer.app.library import Syncer
from syncer.app.reload import Reload
from syncer.app.timetable import entries
from syncer.app.world import World
from syncer.observe.accounts import Accounts
from syncer.observe.hub import Hub
from syncer.ports import Control, Overview
from syncer.schedule.scheduler import Scheduler, open_scheduler

#: Something beside the scheduler: a listener, a watchdog. It lives as long as the daemon.
Side = Callable[[Overview, Control, Hub], AbstractAsyncContextManager[None]]


class Daemon(msgspec.Struct, frozen=True):
    """A scheduler over an open configuration, and the desk that shows it."""

    syncer: Syncer
    scheduler: Scheduler
    desk: Desk
    reload: Reload
    sides: Sequence[Side] = ()

    async def work(self, ready: Callable[[], None]) -> None:
        """Run jobs at their turns until `drain`; returns when those under way are over.

        `ready` is called once all sides are there: who waits for it finds every listener open.
        """
        async with AsyncExitStack() as stack:
            for side in self.sides:
                await stack.enter_async_context(side(self.desk, self.desk, self.syncer.hub))
            group = await stack.enter_async_context(anyio.create_task_group())
            group.start_soon(self.reload.watch)
            ready()
            await self.scheduler.work()
            group.cancel_scope.cancel()

    def drain(self, reason: str) -> None:
        """Begin no further run, and let those under way finish what is in flight."""
        self.desk.draining = True
        self.scheduler.stop()
        self.syncer.drain(reason)
        self.desk.ring()


@asynccontextmanager
async def open_daemon(syncer: Syncer, sides: Sequence[Side] = ()) -> AsyncIterator[Daemon]:
    """Put a daemon together; `work` runs it."""
    world = World(syncer)
    await world.begin()
    scheduler = await open_scheduler(
        world, syncer.clock, entries(syncer.settings), world.memory, syncer.settings.daemon.concurrency
    )
    accounts = Accounts()
    desk = Desk(__version__, syncer.clock.now(), syncer, scheduler, accounts)
    world.moved = desk.ring
    # The desk rings after the figures moved.
    observers = (accounts, desk)
    for observer in observers:
        syncer.hub.add(observer)
    try:
        yield Daemon(syncer, scheduler, desk, Reload(syncer, scheduler), sides)
    finally:
        for observer in observers:
            syncer.hub.remove(observer)
