"""How many requests may be in flight to one origin: a FIFO of slots whose number follows the server's answers."""

import asyncio
from collections import deque
from typing import Protocol

from syncer.model.events import Emit, LimitChanged
from syncer.net.network import Network
from syncer.net.pace import Pace
from syncer.ports import Clock, Share, whole

#: Requests in flight to begin with, and what a refusal leaves of them.
START, DECREASE = 4, 0.75
#: Growth a full round of answers until the first sign that it is enough; then one slot a round.
EAGER = 0.15
#: Part of the slots that must be in use before an answer says something about the limit.
SATURATED = 0.8
#: More slots must bring at least this part of the same growth in throughput, else the server only queues them.
GAIN = 0.25
#: So many looks in a row must find that it brought nothing: a moment in which we stood still spoils two at most.
LOOKS = 3
#: After growth that brought nothing, no growth for so long, in seconds.
HOLD = 30.0


class Slots:
    """A first-come, first-served semaphore that can be resized while it is in use."""

    __slots__ = ("_share", "_waiters", "limit", "used")

    def __init__(self, limit: int, share: Share = whole) -> None:
        """Take the first number of slots, and which part of them may be used."""
        self.limit = limit
        self._share = share
        self.used = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    def take_nowait(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self.used >= self._allowed() or self._waiters:
            return False
        self.used += 1
        return True

    async def take(self) -> None:
        """Wait for a slot."""
        if self.take_nowait():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.give()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def give(self) -> None:
        """Give a slot back."""
        self.used -= 1
        if self._waiters:
            self._hand_out()

    def resize(self, limit: int) -> None:
        """Change the number of slots; those in use stay until they are given back."""
        self.limit = limit
        self._hand_out()

    @property
    def awaited(self) -> bool:
        """Tell whether somebody waits for one."""
        return bool(self._waiters)

    def _hand_out(self) -> None:
        while self._waiters and self.used < self._allowed():
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.used += 1
                waiter.set_result(None)

    def _allowed(self) -> int:
        share = self._share()
        return self.limit if share >= 1 else min(self.limit, max(1, int(self.limit * share)))


class Paced(Protocol):
    """When requests may start. See `pace.Pace`."""

    free: bool
    resume_at: float

    def relimit(self, most: float | None) -> None:
        """Take another configured highest rate."""

    async def turn(self) -> bool:
        """Wait until a request may start; tell whether it had to wait for the rate."""

    def answered(self, now: float, entered: float, sent: float, *, saturated: bool) -> None:
        """Note an answer that was no refusal."""

    def refused(self, now: float, entered: float, sent: float, retry_after: float | None) -> None:
        """Note a 429."""

    def pause(self, now: float, seconds: float) -> None:
        """Start nothing for so long."""


class OriginLimits:
    """Everything that holds a request to one origin back: slots first, then the pace.

    Additive increase, multiplicative decrease: +1 slot for each full round of answers while the slots are in use (more,
    until the server has shown a limit), x0.75 at most once per round trip on refusals and timeouts. Growth also stops
    while it only makes the server slower.
    """

    def __init__(
        self, origin: str, network: Network, clock: Clock, emit: Emit, share: Share = whole,
        pace: Paced | None = None, ceiling: int | None = None,
    ) -> None:  # fmt: skip
        """Take the origin's bounds from the configuration, or the pace and the ceiling to begin with."""
        self.origin = origin
        self._clock = clock
        self._emit = emit
        self._platform = network.platform
        #: Highest number of slots at present.
        self._ceiling = network.concurrency if ceiling is None else ceiling
        self._exact = float(min(START, network.concurrency))
        self.slots = Slots(min(int(self._exact), self._ceiling), share)
        #: Gives the slot back.
        self.leave = self.slots.give
        self.pace: Paced = pace or Pace(clock, emit, origin, network.requests_per_second, network.platform)
        self._cut_at = float("-inf")
        self._eager = True
        self._trend = _Trend()
        emit(LimitChanged(origin, int(self._exact), network.platform))

    def relimit(self, network: Network) -> None:
        """Take other bounds of the configuration; requests in flight stay."""
        self._ceiling = network.concurrency
        if self._exact > self._ceiling:
            self._resize(float(self._ceiling))
        self.pace.relimit(network.requests_per_second)

    def close(self) -> None:
        """Leave what is shared to others; nothing is, here."""

    def enter_nowait(self) -> bool:
        """Take a slot if that needs no waiting of any kind."""
        return self.pace.free and self.slots.take_nowait()

    async def enter(self) -> bool:
        """Wait for a slot and for the pace; tell whether the pace made it wait."""
        if self.slots.limit == 0:
            self._capped()
        await self.slots.take()
        try:
            return await self.pace.turn()
        except BaseException:
            self.slots.give()
            raise

    def pause_left(self) -> float:
        """Return for how many seconds the origin takes no requests."""
        return max(0.0, self.pace.resume_at - self._clock.monotonic())

    def answered(self, entered: float, sent: float, *, paced: bool) -> None:
        """Learn from an answer that was not a refusal. Called before `leave`."""
        slots = self.slots
        now = self._clock.monotonic()
        saturated = slots.used >= SATURATED * slots.limit
        self.pace.answered(now, entered, sent, saturated=saturated)
        # While the pace holds requests back, full slots say nothing about the server's concurrency.
        if paced or not saturated:
            return
        back = self._trend.settle(now, slots.used, now - sent, slots.limit)
        if back is not None:
            self._eager = False
            self._resize(back)
        elif self._trend.held(now):
            return
        elif self._exact < self._ceiling:
            more = 1.0 / self._exact
            self._resize(min(self._exact + (max(EAGER, more) if self._eager else more), self._ceiling))
        else:
            self._capped()

    def refused(self, entered: float, sent: float, retry_after: float | None) -> None:
        """Learn from a 429."""
        now = self._clock.monotonic()
        self.pace.refused(now, entered, sent, retry_after)
        self._decrease(now, sent)

    def congested(self, sent: float, retry_after: float | None) -> None:
        """Learn from a 503 or a timeout."""
        now = self._clock.monotonic()
        if retry_after is not None:
            self.pace.pause(now, retry_after)
        self._decrease(now, sent)

    def _capped(self) -> None:
        """Take note that the ceiling is too low; it is the configuration's, here."""

    def _decrease(self, now: float, sent: float) -> None:
        if sent < self._cut_at:
            return
        self._cut_at = now
        self._eager = False
        self._trend = _Trend()
        self._resize(max(1.0, self._exact * DECREASE))

    def _resize(self, exact: float) -> None:
        self._exact = exact
        limit = min(int(exact), self._ceiling)
        if limit != self.slots.limit:
            self.slots.resize(limit)
            self._emit(LimitChanged(self.origin, limit, self._platform))


class _Trend:
    """Compares throughput before and after growth: by Little's law it is requests in flight over their mean latency."""

    __slots__ = (
        "_base_limit", "_base_throughput", "_count", "_doubts", "_flight", "_held_until", "_limits", "_seconds",
    )  # fmt: skip

    def __init__(self) -> None:
        self._base_limit = 0.0
        self._base_throughput = 0.0
        self._held_until = float("-inf")
        #: Looks in a row that found no gain.
        self._doubts = 0
        self._clear()

    def held(self, now: float) -> bool:
        return self._doubts > 0 or now < self._held_until

    def settle(self, now: float, flight: int, seconds: float, allowed: int) -> float | None:
        """Take one answer; return the limit to go back to when the last growth brought nothing."""
        self._flight += flight
        self._limits += allowed
        self._seconds += seconds
        self._count += 1
        if self._count < max(2 * allowed, 20) or self._seconds <= 0:
            return None
        throughput = self._flight / self._seconds
        # Of all these answers: most may have come before the limit grew, and say nothing about what that brings.
        limit = self._limits / self._count
        self._clear()
        if now < self._held_until:
            # What is learned while holding is the base that the next try has to beat.
            self._base_limit, self._base_throughput = limit, throughput
            return None
        growth = limit / self._base_limit - 1 if self._base_limit else 0.0
        doubts, self._doubts = self._doubts, 0
        if self._base_limit and growth < 0.2:  # noqa: PLR2004  # less than a fifth drowns in noise
            return None
        if self._base_limit and throughput < self._base_throughput * (1 + GAIN * growth):
            if doubts + 1 < LOOKS:
                self._doubts = doubts + 1
                return None
            self._held_until = now + HOLD
            return self._base_limit
        self._base_limit, self._base_throughput = limit, throughput
        return None

    def _clear(self) -> None:
        self._count = 0
        self._flight = 0.0
        self._limits = 0.0
        self._seconds = 0.0
