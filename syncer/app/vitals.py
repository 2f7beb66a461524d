"""What keeps an eye on the process itself while jobs run: the lag of its loop, runs that stand still, its memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import msgspec

from syncer.app.library import Syncer
from syncer.model.running import Running
from syncer.observe.lag import LagMeter
from syncer.observe.notify import Condition
from syncer.observe.stall import Stall, StallWatch
from syncer.schedule.ceiling import AUTO, Ceiling
from syncer.schedule.cgroups import memory_limit

#: A loop that is late by so many seconds is not well.
LATE = 10.0


class Vitals(msgspec.Struct, frozen=True):
    """How the process is."""

    syncer: Syncer
    lag: LagMeter
    stalls: StallWatch
    #: The memory that should not be exceeded, in bytes; None: it is not watched.
    memory_limit: int | None

    @property
    def well(self) -> bool:
        """Whether the loop works and no run stands still."""
        return self.stalls.stalled is None and self.lag.lag < LATE

    def status(self) -> str:
        """Return one line on what is going on."""
        courses = self.syncer.underway.courses()
        if not courses:
            return "idle"
        told = [
            f"{each.running.job}: {each.figures.stage}, {each.figures.settled:,} items"
            + (f", {each.figures.owed:,} owed" if each.figures.owed else "")
            for each in courses
        ]
        stalled = self.stalls.stalled
        return "; ".join([*told, *([f"{stalled} does not move"] if stalled else [])])

    def condition(self, left: float | None = None) -> Condition:
        """Return the same for a supervisor; `left`: seconds until the end, while it is being stopped."""
        return Condition(self.status(), self.well, left)


@asynccontextmanager
async def open_vitals(
    syncer: Syncer,
    stalled: Callable[[Stall], None],
    over: Callable[[Running], None] = lambda _: None,
    relieve: Callable[[], None] = lambda: None,
) -> AsyncIterator[Vitals]:
    """Watch the process while the block runs; `stalled` and `over` are told of runs that stand still, and no more.

    `relieve` gives back to the system what was freed. An exception of the block leaves as it is, not in a group.
    """
    options, clock = syncer.settings.daemon, syncer.clock
    most = options.memory_limit
    if most == "auto":
        granted = await anyio.to_thread.run_sync(memory_limit)
        most = None if granted is None else int(AUTO * granted)
    lag = LagMeter(clock)
    stalls = StallWatch(syncer.underway, clock, options.stall_after, stalled, over)
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(lag.watch)
        group.start_soon(stalls.watch)
        if most is not None:
            group.start_soon(Ceiling(most, syncer.valve, clock, syncer.hub.emit, relieve=relieve).watch)
        try:
            yield Vitals(syncer, lag, stalls, most)
        except Exception as error:  # noqa: BLE001  # raised again below, outside the group that would wrap it
            failure = error
        finally:
            group.cancel_scope.cancel()
            syncer.valve.share = 1.0
    if failure is not None:
        raise failure
