"""Draining: intake is closed, what is in flight gets its share of the grace period, the writer finishes.

One `Drain` serves all runs of a process. Signals and limits end intake in the same way; they differ in what they wait
for. A limit in items or bytes finishes all that was taken in. A limit in time gives fetches half of the grace period.
A signal does so too, and leaves the writer the other half: whatever has not come to an end by then is cut off, and
the next run goes on from the checkpoint.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import msgspec

from syncer.flow.job import RunOptions
from syncer.model.events import Draining, Emit
from syncer.ports import Clock

#: Seconds of a grace period that a run which is cut off needs for its report, at most.
LEAVE = 1.0


class Drain(msgspec.Struct):
    """The one switch that closes intake."""

    emit: Emit
    #: Seconds that everything may take after a signal; fetches in flight get half.
    grace: float = 20.0
    reason: str | None = None
    _closed: anyio.Event = msgspec.field(default_factory=anyio.Event)
    #: Fetches that have not begun no longer do; those under way have half of the grace period.
    _hurried: anyio.Event = msgspec.field(default_factory=anyio.Event)
    #: The whole has to come to an end within the grace period.
    _bounded: anyio.Event = msgspec.field(default_factory=anyio.Event)
    #: Half of the grace period is over.
    _half: anyio.Event = msgspec.field(default_factory=anyio.Event)

    def start(self, reason: str, *, patient: bool = False, bounded: bool = False) -> None:
        """Close intake; the first reason stays.

        Args:
            reason: What people are told.
            patient: What was taken in is fetched to its end, however long that takes.
            bounded: Nothing may outlast the grace period, neither fetches nor the writer.
        """
        if self.reason is None:
            self.reason = reason
            self.emit(Draining(reason))
            self._closed.set()
        if not patient:
            self._hurried.set()
        if bounded:
            self._bounded.set()

    @property
    def started(self) -> bool:
        """Tell whether intake is closed."""
        return self.reason is not None

    @property
    def hurried(self) -> bool:
        """Tell whether no further fetch should begin."""
        return self._hurried.is_set()

    async def wait(self) -> None:
        """Return when intake is to be closed."""
        await self._closed.wait()

    async def wait_for_fetches(self) -> None:
        """Return when fetches in flight had their share of the grace period."""
        await self._half.wait()

    async def admitted(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do something that belongs to intake; it is given up as soon as intake is closed. Tell whether it ended."""
        return await _unless(self.wait, work)

    async def in_time(self, clock: Clock, work: Callable[[], Awaitable[None]]) -> bool:
        """Do all that belongs to a run, and let the phases of a drain begin on time meanwhile.

        It is cut off when the grace period of a bounded drain is nearly over; tell whether it ended by itself.
        """
        return await _unless(partial(self._keep_time, clock), work)

    async def _keep_time(self, clock: Clock) -> None:
        """Return when the run has to end."""
        await self._hurried.wait()
        begun = clock.monotonic()
        await clock.sleep(self.grace / 2)
        self._half.set()
        await self._bounded.wait()
        await clock.sleep(begun + self.grace - farewell(self.grace) - clock.monotonic())


def farewell(grace: float) -> float:
    """Return what remains of a grace period for the report of a run that was cut off."""
    return min(LEAVE, grace / 10)


async def _unless(event: Callable[[], Awaitable[None]], work: Callable[[], Awaitable[None]]) -> bool:
    """Work until an event; tell whether the work ended first. Its exceptions leave as they are."""
    failure: Exception | None = None
    ended = False
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            await event()
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            await work()
            ended = True
        except Exception as error:  # noqa: BLE001  # raised again below, outside the group that would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return ended


class Meter(msgspec.Struct):
    """Counts what a run hands to its sinks, and starts the drain when a limit of this pass is reached."""

    options: RunOptions
    drain: Drain
    items: int = 0
    size: int = 0

    def admits(self) -> bool:
        """Tell whether one more item may be taken in; starts the drain if not."""
        options = self.options
        if options.max_items is not None and self.items >= options.max_items:
            self.drain.start("--max-items", patient=True)
        elif options.max_bytes is not None and self.size >= options.max_bytes:
            self.drain.start("--max-bytes", patient=True)
        return not self.drain.started

    async def watch_time(self, clock: Clock) -> None:
        """Start the drain when `max_time` is over."""
        if self.options.max_time is not None:
            await clock.sleep(self.options.max_time)
            self.drain.start("--max-time")
