"""A ceiling for memory: as the process nears it, less happens at once, and more again when there is room."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import msgspec

from syncer.model.events import Emit, Warned
from syncer.model.units import show_size
from syncer.ports import Clock

#: Parts of the ceiling at which work begins to shrink, and at which the least is left of it.
SOFT, HARD = 0.8, 1.0
#: What is always left: one request at a time comes through everywhere.
LEAST = 1 / 64
#: Part of all that is given back in one look at most: memory that grew is seen only a moment later.
GIVEN_BACK = 0.05
#: Seconds between two looks; more often while little room is left.
PERIOD, CLOSE = 1.0, 0.1

#: Part of a control group's limit that is used where nothing else is configured.
AUTO = 0.9


class Valve(msgspec.Struct):
    """The share that clients, channels and rooms ask for (`ports.Share`)."""

    #: From `LEAST` to 1.
    share: float = 1.0

    def __call__(self) -> float:
        """Return it."""
        return self.share


def share_at(resident: int, ceiling: int) -> float:
    """Return how much may happen at once with so much memory in use."""
    left = (HARD - resident / ceiling) / (HARD - SOFT)
    return min(1.0, max(LEAST, left))


def resident() -> int:
    """Return the bytes of memory that this process has in use."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:  # not Linux: the peak is all that the system tells
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
    return int(pages) * resource.getpagesize()


class Ceiling:
    """Watches this process's memory and sets a share accordingly."""

    def __init__(
        self, ceiling: int, valve: Valve, clock: Clock, emit: Emit, *, measure: Callable[[], int] = resident,
        relieve: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Take the bytes that should not be exceeded; `relieve` gives back to the system what was freed."""
        self.ceiling = ceiling
        self._valve = valve
        self._clock = clock
        self._emit = emit
        self._measure = measure
        self._relieve = relieve
        self._short = False

    async def look(self) -> None:
        """Measure, and set the share: down at once, up step by step."""
        used = await anyio.to_thread.run_sync(self._measure)
        if used > SOFT * self.ceiling:
            await anyio.to_thread.run_sync(self._relieve)
            used = await anyio.to_thread.run_sync(self._measure)
        wanted = share_at(used, self.ceiling)
        self._valve.share = min(wanted, self._valve.share + GIVEN_BACK)
        if self._valve.share < 1 and not self._short:
            size, most = show_size(used), show_size(self.ceiling)
            self._emit(Warned(f"memory is short: {size} of {most} are in use; less is done at once"))
        self._short = self._valve.share < 1

    async def watch(self) -> None:
        """Look again and again; run it in a task and cancel it."""
        while True:
            await self.look()
            await self._clock.sleep(CLOSE if self._short else PERIOD)
