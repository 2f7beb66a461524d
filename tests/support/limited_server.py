"""Servers that limit their clients, as functions of virtual time, and many workers that ask one."""

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from syncer.model.events import Event
from syncer.net.limits import OriginLimits
from syncer.net.network import Network
from tests.support.clock import SimulatedClock

#: Takes a request: None lets it in, else the seconds to wait (0: the server names no time).
Admit = Callable[[], float | None]


@dataclass
class Simulation:
    """Many workers, one origin, and a server that is a function of virtual time."""

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    events: list[Event] = field(default_factory=list)
    network: Network = field(default_factory=lambda: Network(url="https://h"))
    sent: int = 0
    refused: int = 0
    flight: int = 0
    #: Requests that started while the server had asked for silence.
    rude: int = 0

    def __post_init__(self) -> None:
        """Make the limits that are tested."""
        self.limits = OriginLimits("https://h", self.network, self.clock, self.events.append)
        self._silent_until = 0.0

    @property
    def wasted(self) -> float:
        """The part of the requests that was refused."""
        return self.refused / self.sent

    async def request(self, admit: Admit, latency: Callable[[], float]) -> None:
        """Do one request until it is let in."""
        limits, clock = self.limits, self.clock
        while True:
            entered, paced = clock.monotonic(), False
            if not limits.enter_nowait():
                paced = await limits.enter()
            sent = clock.monotonic()
            self.sent += 1
            self.rude += sent < self._silent_until - 1e-9
            self.flight += 1
            refusal = admit()
            await clock.sleep(latency())
            self.flight -= 1
            if refusal is None:
                limits.answered(entered, sent, paced=paced)
            else:
                self.refused += 1
                retry_after = math.ceil(refusal) if refusal else None
                limits.refused(entered, sent, retry_after)
                self._silent_until = max(self._silent_until, 0.9 * (retry_after or 0.0) + clock.monotonic())
            limits.leave()
            if refusal is None:
                return
            await clock.sleep(max(limits.pause_left(), random.random()))

    async def run(self, total: int, workers: int, admit: Admit, latency: Callable[[], float]) -> None:
        """Do so many requests."""
        work = iter(range(total))

        async def worker() -> None:
            for _ in work:
                await self.request(admit, latency)

        await self.clock.run(*[worker() for _ in range(workers)])


def window(clock: SimulatedClock, allowed: int, seconds: float = 1.0, *, polite: bool = True) -> Admit:
    """Let so many requests in each fixed window in; `polite`: say when the next one begins."""
    state = [-1, 0]

    def admit() -> float | None:
        number = int(clock.seconds // seconds)
        if number != state[0]:
            state[:] = number, 0
        state[1] += 1
        if state[1] <= allowed:
            return None
        return (number + 1) * seconds - clock.seconds if polite else 0.0

    return admit


def sliding(clock: SimulatedClock, allowed: int, seconds: float = 1.0) -> Admit:
    """Let so many requests in within any window; refused ones do not count."""
    admitted = deque[float]()

    def admit() -> float | None:
        while admitted and admitted[0] <= clock.seconds - seconds:
            admitted.popleft()
        if len(admitted) < allowed:
            admitted.append(clock.seconds)
            return None
        return admitted[0] + seconds - clock.seconds

    return admit


def bucket(clock: SimulatedClock, rate: Callable[[], float], burst: float, *, polite: bool = True) -> Admit:
    """Let in what a bucket of tokens has, which fills at a rate and holds `burst` seconds of it, at least one."""
    state = [max(1.0, burst * rate()), 0.0]

    def admit() -> float | None:
        now, allowed = clock.seconds, rate()
        state[:] = min(max(1.0, burst * allowed), state[0] + (now - state[1]) * allowed), now
        if state[0] >= 1 - 1e-9:
            state[0] -= 1
            return None
        return 1 / allowed if polite else 0.0

    return admit


def at_once(simulation: Simulation, most: int) -> Admit:
    """Let in as many as may be in flight together."""
    return lambda: None if simulation.flight <= most else 1.0
