"""Draining: intake is closed, what is in flight gets its share of the grace period, the writer finishes.

One `Drain` serves a whole run. Signals, limits and failures all end intake in the same way.
"""

from dataclasses import dataclass, field

import anyio

from syncer.flow.job import RunOptions
from syncer.model.events import Draining, Emit
from syncer.ports import Clock


@dataclass(slots=True)
class Drain:
    """The one switch that closes intake."""

    emit: Emit
    #: Seconds that everything may take after a signal; fetches in flight get half.
    grace: float = 20.0
    reason: str | None = None
    _event: anyio.Event = field(default_factory=anyio.Event)

    def start(self, reason: str) -> None:
        """Close intake; the first reason stays."""
        if self.reason is None:
            self.reason = reason
            self.emit(Draining(reason))
            self._event.set()

    @property
    def started(self) -> bool:
        """Tell whether intake is closed."""
        return self.reason is not None

    async def wait(self) -> None:
        """Return when intake is to be closed."""
        await self._event.wait()


@dataclass(slots=True)
class Meter:
    """Counts what a run hands to its sinks, and starts the drain when a limit of this pass is reached."""

    options: RunOptions
    drain: Drain
    items: int = 0
    size: int = 0

    def admits(self) -> bool:
        """Tell whether one more item may be taken in; starts the drain if not."""
        options = self.options
        if options.max_items is not None and self.items >= options.max_items:
            self.drain.start("--max-items")
        elif options.max_bytes is not None and self.size >= options.max_bytes:
            self.drain.start("--max-bytes")
        return not self.drain.started

    async def watch_time(self, clock: Clock) -> None:
        """Start the drain when `max_time` is over."""
        if self.options.max_time is not None:
            await clock.sleep(self.options.max_time)
            self.drain.start("--max-time")
