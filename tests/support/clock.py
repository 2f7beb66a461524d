"""Clocks for tests: one that never waits, one that runs many tasks in simulated order, and the real one."""

import asyncio
import heapq
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class InstantClock:
    """Time moves only when somebody sleeps, and then at once. `slept` says how long."""

    def __init__(self) -> None:
        """Start at zero seconds."""
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the wall clock."""
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return seconds since the start."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Pass the time without waiting."""
        self.slept.append(seconds)
        self.seconds += max(0.0, seconds)
        await asyncio.sleep(0)


class RealClock:
    """Real time, for the few tests that measure."""

    def now(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the system's steady seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SimulatedClock:
    """Time jumps to the next sleeper once nothing else can run; made for the selector loop, needs `run`."""

    def __init__(self) -> None:
        """Start at zero seconds."""
        self.seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """Return the wall clock."""
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return seconds since the start."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until `run` has brought the time forward."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.seconds + max(0.0, seconds), self._count, future))
        await future

    async def run(self, *work: Awaitable[object], until: float = float("inf")) -> None:
        """Run everything to its end, or until a time is reached."""
        loop = asyncio.get_running_loop()
        everything = asyncio.gather(*work)
        early = False
        try:
            while not everything.done():
                await asyncio.sleep(0)
                # The loop's own queue says exactly when every task waits; there is no public way to ask.
                if loop._ready or everything.done():  # type: ignore[attr-defined]
                    continue
                due, _, future = heapq.heappop(self._sleepers)
                if early := due > until:
                    break
                self.seconds = max(self.seconds, due)
                if not future.done():
                    future.set_result(None)
        finally:
            everything.cancel()
            await asyncio.gather(everything, return_exceptions=True)
        if not early and not everything.cancelled():
            everything.result()
