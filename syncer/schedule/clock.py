"""Time: the system's, and a fake one that a test moves.

`FakeClock` ships with the package, so that whoever tests a plug-in has it.
"""

import time
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import msgspec

#: Turns of the event loop that woken tasks get before a fake clock moves on.
TURNS = 20


class SystemClock:
    """The real clock."""

    def now(self) -> datetime:
        """Return the wall clock, aware, UTC."""
        return datetime.now(UTC)

    #: Seconds that never run backwards; the function itself, since it is asked several times for every item.
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Wait; a cancellation point even for 0 or less."""
        await anyio.sleep(max(0.0, seconds))


class _Sleeper(msgspec.Struct):
    """A task that waits for a moment."""

    until: float
    woken: anyio.Event = msgspec.field(default_factory=anyio.Event)


class FakeClock:
    """A clock on virtual time, for one event loop.

    Time stands still until somebody moves it. Either the test does (`advance`), or, with `autojump`, the clock
    does so itself: when nobody asked it for anything during `autojump` real seconds, it jumps to the moment for
    which the first sleeper waits. The clock can't see whether a thread or a socket is still busy: a test that has
    either of them under way uses `advance`, or an `autojump` that is longer than they take.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), *, autojump: float | None = None) -> None:
        """Begin at `start`; `autojump` is in real seconds, None: only `advance` moves the clock."""
        self._start = start
        self._autojump = autojump
        self._elapsed = 0.0
        self._asked = 0
        self._sleepers: list[_Sleeper] = []
        self._arrived = anyio.Event()

    @property
    def waiting(self) -> int:
        """How many tasks are asleep."""
        return len(self._sleepers)

    def now(self) -> datetime:
        """Return the virtual wall clock, aware, UTC."""
        return (self._start + timedelta(seconds=self._elapsed)).astimezone(UTC)

    def monotonic(self) -> float:
        """Return the virtual seconds since the clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until virtual time has moved on so far; a cancellation point even for 0 or less."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        sleeper = _Sleeper(self._elapsed + seconds)
        self._sleepers.append(sleeper)
        self._stir()
        self._arrived.set()
        self._arrived = anyio.Event()
        try:
            while not sleeper.woken.is_set():
                await self._wait(sleeper)
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
            self._stir()

    async def advance(self, seconds: float) -> None:
        """Move time on, from one sleeper's moment to the next; woken tasks run, and may sleep again, in between."""
        target = self._elapsed + seconds
        await self._settle()
        while (first := self._first()) is not None and first.until <= target:
            self._jump(first.until)
            await self._settle()
        self._elapsed = max(self._elapsed, target)

    async def wait_for_sleepers(self, count: int = 1) -> None:
        """Wait until at least that many tasks are asleep, so that `advance` finds them."""
        while len(self._sleepers) < count:
            await self._arrived.wait()

    async def _wait(self, sleeper: _Sleeper) -> None:
        if self._autojump is None:
            await sleeper.woken.wait()
            return
        asked = self._asked
        with anyio.move_on_after(self._autojump):
            await sleeper.woken.wait()
        if asked == self._asked and self._first() is sleeper:
            self._jump(sleeper.until)

    async def _settle(self) -> None:
        for _ in range(TURNS):
            await anyio.lowlevel.checkpoint()

    def _first(self) -> _Sleeper | None:
        return min(self._sleepers, key=lambda each: each.until, default=None)

    def _jump(self, moment: float) -> None:
        """Move to a moment and wake whoever waited for it, in the order of their moments."""
        self._elapsed = max(self._elapsed, moment)
        self._stir()
        for sleeper in sorted(self._sleepers, key=lambda each: each.until):
            if sleeper.until <= self._elapsed:
                self._sleepers.remove(sleeper)
                sleeper.woken.set()

    def _stir(self) -> None:
        self._asked += 1
