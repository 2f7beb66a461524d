"""Several processes' limits of one account, side by side on virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from syncer.model.events import Event, Throttled
from syncer.net.network import Network
from syncer.net.pool import SLACK
from syncer.net.shared import STALE, SharedLimits
from syncer.ports import Terms
from tests.support.clock import SimulatedClock
from tests.support.quota_hub import QuotaHub


@dataclass
class Fleet:
    """Processes that share an account, and a server that is a function of virtual time."""

    network: Network
    processes: int = 4
    #: Returns the `Retry-After` of a request that is refused; None lets it in.
    admit: Callable[[int, float], float | None] = lambda _process, _now: None
    latency: float = 0.02
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    events: list[Event] = field(default_factory=list)
    #: When requests started, by process.
    started: list[list[float]] = field(default_factory=list)
    flight: int = 0
    highest: int = 0

    def __post_init__(self) -> None:
        """Let all of them join."""
        self.hub = QuotaHub(self.clock)
        self.limits = [
            SharedLimits("https://h", self.network, self.clock, self.events.append, self.hub)
            for _ in range(self.processes)
        ]
        self.started = [[] for _ in self.limits]

    async def ask(self, process: int) -> None:
        """Ask one after the other."""
        limits, clock = self.limits[process], self.clock
        while True:
            entered, paced = clock.monotonic(), False
            if not limits.enter_nowait():
                paced = await limits.enter()
            sent = clock.monotonic()
            self.started[process].append(sent)
            self.flight += 1
            self.highest = max(self.highest, self.flight)
            refusal = self.admit(process, sent)
            await clock.sleep(self.latency)
            self.flight -= 1
            if refusal is None:
                limits.answered(entered, sent, paced=paced)
            else:
                limits.refused(entered, sent, refusal)
            limits.leave()

    async def run(self, seconds: float, *work: Callable[[], object], tasks: int = 20) -> list[float]:
        """Ask with so many tasks each; return when requests started, of all together, in order."""

        async def look() -> None:
            while True:
                await self.clock.sleep(1.0)
                self.hub.divide()

        asking = [self.ask(process) for process in range(self.processes) for _ in range(tasks)]
        await self.clock.run(look(), *asking, until=seconds)
        return sorted(at for each in self.started for at in each)


def most_in_a_second(starts: list[float]) -> int:
    """Return the highest number of starts within a second."""
    first = most = 0
    for last, at in enumerate(starts):
        while starts[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


async def test_four_processes_keep_one_rate() -> None:
    """200 requests a second of all together, evenly, with one lease for ten of them."""
    fleet = Fleet(Network(url="https://h", requests_per_second=200, concurrency=80))
    starts = await fleet.run(20)
    steady = [at for at in starts if at > 2]
    assert 195 <= len(steady) / 18 <= 205
    assert most_in_a_second(starts) <= 200 * (1 + SLACK + STALE)
    shares = [len(each) / len(starts) for each in fleet.started]
    assert all(0.2 <= share <= 0.3 for share in shares)
    assert fleet.hub.leases <= len(starts) / 10 * 1.2


async def test_rule_22_one_refusal_silences_everybody() -> None:
    """Nobody starts until the pause is over, on a slot from before it neither; then the beginning is spread."""
    refused: list[float] = []

    def admit(process: int, now: float) -> float | None:
        if process == 2 and now > 5 and not refused:
            refused.append(now)
            return 2.0
        return None

    fleet = Fleet(Network(url="https://h", requests_per_second=200, concurrency=80), admit=admit)
    starts = await fleet.run(10)
    told = refused[0] + fleet.latency
    assert not [at for at in starts if told < at < told + 2]
    after = [at for at in starts if told + 2 <= at < told + 3]
    assert 150 <= len(after) <= 200
    assert len([at for at in after if at < told + 2.1]) <= 25
    assert len([event for event in fleet.events if isinstance(event, Throttled)]) == 4


async def test_rule_22_what_one_is_taught_all_know() -> None:
    """A server that allows 60 a second in all refuses hardly a request, though four ask it."""
    window: dict[int, int] = {}
    refused = 0

    def admit(process: int, now: float) -> float | None:
        nonlocal refused
        second = int(now)
        window[second] = window.get(second, 0) + 1
        if window[second] <= 60:
            return None
        refused += 1
        return second + 1 - now

    fleet = Fleet(Network(url="https://h"), admit=admit)
    starts = await fleet.run(60)
    assert (len(starts) - refused) / 60 >= 0.75 * 60
    # The first burst of four processes meets the limit unprepared.
    assert refused / len(starts) <= 0.05


async def test_tokens_hold_for_all_together() -> None:
    """At most 32 requests are in flight to a slow server, and each of four processes has its part."""
    fleet = Fleet(Network(url="https://h", concurrency=32), latency=0.3)
    starts = await fleet.run(30)
    assert fleet.highest <= 32
    assert len(starts) >= 0.85 * 30 * 32 / 0.3
    shares = [len(each) / len(starts) for each in fleet.started]
    assert all(0.2 <= share <= 0.3 for share in shares)


async def test_tokens_of_those_who_leave_or_rest_go_to_the_others() -> None:
    """One that leaves gives its part back; one that has nothing to do soon does."""
    fleet = Fleet(Network(url="https://h", concurrency=32), processes=2, latency=0.3)
    idle = fleet.limits[1]
    asking = [fleet.ask(0) for _ in range(40)]
    await asyncio.sleep(0)

    async def look() -> None:
        for _ in range(20):
            await fleet.clock.sleep(1.0)
            fleet.hub.divide()

    await fleet.clock.run(look(), *asking, until=19.5)
    assert idle.slots.limit == 0
    assert fleet.limits[0].slots.limit == 32
    # Whoever comes back asks at once, and gets what the other can spare.
    woken = asyncio.create_task(idle.slots.take())
    idle._capped()
    await asyncio.sleep(0)
    fleet.limits[0].close()
    await woken
    assert idle.slots.limit > 0


async def test_nothing_starts_before_the_first_terms() -> None:
    """A process that does not know yet what holds waits until it is told."""
    clock = SimulatedClock()
    hub = QuotaHub(clock)
    limits = SharedLimits("https://h", Network(url="https://h"), clock, lambda _: None, hub)
    assert not limits.enter_nowait()
    waiting = asyncio.create_task(limits.enter())
    limits.heard(Terms(None, 0.0, 3))
    assert not await waiting
    assert limits.enter_nowait()


async def test_rule_22_a_pause_without_a_rate_ends_for_one_after_the_other() -> None:
    """Where no slots space the beginning, processes that were told of a pause begin at different times after it."""
    fleet = Fleet(Network(url="https://h", concurrency=80), processes=20)
    await asyncio.sleep(0)
    fleet.limits[0].congested(0.0, 10.0)
    ends = [limits.pause_left() for limits in fleet.limits]
    assert ends[0] == pytest.approx(10.0)
    assert all(10.0 <= end <= 11.0 for end in ends[1:])
    assert len(set(ends)) == 20


async def test_other_bounds_hold_for_everybody() -> None:
    """A new configuration of one process changes rate and tokens of all."""
    fleet = Fleet(Network(url="https://h", requests_per_second=200, concurrency=80))
    await asyncio.sleep(0)
    fleet.limits[0].relimit(Network(url="https://h", requests_per_second=50, concurrency=8))
    starts = await fleet.run(10)
    assert 48 <= len([at for at in starts if at > 2]) / 8 <= 52
    assert fleet.highest <= 8
