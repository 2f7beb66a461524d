"""Concurrency and rate together, against simulated servers on virtual time."""

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from syncer.model.events import Event, LimitChanged, Throttled
from syncer.net.limits import OriginLimits, Slots
from syncer.net.network import Network
from tests.support.clock import SimulatedClock


async def test_slots_are_first_come_first_served() -> None:
    """Nobody overtakes, and a larger number lets more in at once."""
    slots, order = Slots(1), []  # type: Slots, list[int]

    async def one(number: int) -> None:
        await slots.take()
        order.append(number)

    await slots.take()
    tasks = [asyncio.create_task(one(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert not slots.take_nowait()
    slots.give()
    await asyncio.sleep(0)
    assert order == [0]
    slots.resize(3)
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]
    assert slots.used == 3


async def test_a_cancelled_waiter_loses_no_slot() -> None:
    """Cancellation before and after the hand-over leaves the count right."""
    slots = Slots(1)
    await slots.take()
    waiting, granted = asyncio.create_task(slots.take()), asyncio.create_task(slots.take())
    await asyncio.sleep(0)
    waiting.cancel()
    slots.give()
    granted.cancel()
    for task in (waiting, granted):
        with suppress(asyncio.CancelledError):
            await task
    assert slots.take_nowait()
    assert slots.used == 1


@dataclass
class Simulation:
    """Many workers, one origin, and a server that is a function of virtual time."""

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    events: list[Event] = field(default_factory=list)
    network: Network = field(default_factory=lambda: Network(url="https://h"))
    sent: int = 0
    refused: int = 0
    flight: int = 0

    def __post_init__(self) -> None:
        """Make the limits that are tested."""
        self.limits = OriginLimits("https://h", self.network, self.clock, self.events.append)

    async def request(self, admit: Callable[[], float | None], latency: Callable[[], float]) -> None:
        """Do one request until it is let in; `admit` returns the seconds to wait, None to let in."""
        limits, clock = self.limits, self.clock
        while True:
            entered, paced = clock.monotonic(), False
            if not limits.enter_nowait():
                paced = await limits.enter()
            sent = clock.monotonic()
            self.sent += 1
            self.flight += 1
            refusal = admit()
            await clock.sleep(latency())
            self.flight -= 1
            if refusal is None:
                limits.answered(entered, sent, paced=paced)
            else:
                self.refused += 1
                limits.refused(entered, sent, math.ceil(refusal) if refusal else None)
            limits.leave()
            if refusal is None:
                return
            await clock.sleep(max(limits.pause_left(), random.random()))

    async def run(
        self, total: int, workers: int, admit: Callable[[], float | None], latency: Callable[[], float]
    ) -> None:
        """Do so many requests."""
        work = iter(range(total))

        async def worker() -> None:
            for _ in work:
                await self.request(admit, latency)

        await self.clock.run(*[worker() for _ in range(workers)])


def window(clock: SimulatedClock, allowed: int, seconds: float, *, polite: bool) -> Callable[[], float | None]:
    """Return a server's rule: so many requests in each window; `polite`: it says when the next one begins."""
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


@pytest.mark.parametrize("polite", [True, False])
@pytest.mark.parametrize(("allowed", "seconds", "total", "wasted", "efficiency"), [
    (60, 1.0, 600, 0.03, 0.75), (60, 1.0, 3000, 0.01, 0.85), (600, 60.0, 6000, 0.04, 0.9), (1, 1.0, 200, 0.05, 0.8),
])  # fmt: skip
async def test_rule_22_a_limited_server_gets_few_wasted_requests(
    polite: bool, allowed: int, seconds: float, total: int, wasted: float, efficiency: float
) -> None:  # fmt: skip
    """Everything is fetched, hardly anything is refused, and most of what the server allows is used."""
    simulation = Simulation()
    jitter = random.Random(1)
    await simulation.run(
        total,
        64,
        window(simulation.clock, allowed, seconds, polite=polite),
        lambda: 0.05 * (0.8 + 0.4 * jitter.random()),
    )
    assert simulation.sent - simulation.refused == total
    assert simulation.refused / simulation.sent <= wasted
    assert total * seconds / allowed / simulation.clock.seconds >= efficiency
    assert any(isinstance(event, Throttled) for event in simulation.events)


def spaced(clock: SimulatedClock, allowed: int) -> Callable[[], float | None]:
    """Return the rule of a server that spaces requests evenly, and forgives those that come 0.1 s too early."""
    due = [0.0]

    def admit() -> float | None:
        if clock.seconds < due[0] - 0.1:
            return 1.0
        due[0] = max(due[0], clock.seconds) + 1 / allowed
        return None

    return admit


@pytest.mark.parametrize("latency", [0.002, 0.1])
@pytest.mark.parametrize("still", [0.0, 0.3])
async def test_rule_22_a_small_first_burst_does_not_decide_the_rate(latency: float, still: float) -> None:
    """A server that lets seven in at once, and then 60 a second, is used; also by a client that often stands still."""
    simulation = Simulation(network=Network(url="https://h", concurrency=64))
    clock = simulation.clock
    work = iter(range(3000))
    admit = spaced(clock, 60)
    done = 0

    async def worker() -> None:
        nonlocal done
        for _ in work:
            await simulation.request(admit, lambda: latency)
            done += 1

    async def stand_still() -> None:
        while done < 3000:
            await clock.sleep(5)
            # Everybody who was due meanwhile wakes up at once.
            clock.seconds += still

    await clock.run(stand_still(), *[worker() for _ in range(64)])
    assert simulation.refused / simulation.sent <= 0.01
    assert 3000 / 60 / clock.seconds >= 0.7


async def test_rule_22_concurrency_starts_slowly_and_grows() -> None:
    """A server that answers equally fast whatever is in flight gets as much as the options allow."""
    simulation = Simulation()
    await simulation.run(2000, 64, lambda: None, lambda: 0.05)
    limits = [event.limit for event in simulation.events if isinstance(event, LimitChanged)]
    assert limits[:2] == [4, 5]
    assert limits == sorted(limits)
    assert simulation.limits.slots.limit == 32


async def test_rule_22_concurrency_grows_by_a_share_until_a_limit_shows() -> None:
    """A server that shows no limit is used fully after a few hundred answers; one that refused is approached slowly."""
    simulation = Simulation()
    await simulation.run(250, 64, lambda: None, lambda: 0.05)
    assert simulation.limits.slots.limit == 32
    simulation = Simulation()
    simulation.limits.congested(0.0, None)
    await simulation.run(250, 64, lambda: None, lambda: 0.05)
    assert simulation.limits.slots.limit < 25


async def test_rule_22_concurrency_stops_where_it_only_adds_latency() -> None:
    """A server with eight workers answers no faster to sixty-four; the limit stays near what it can use."""
    simulation = Simulation(network=Network(url="https://h", concurrency=256))
    highest = 0

    def latency() -> float:
        nonlocal highest
        highest = max(highest, simulation.flight)
        return 0.05 * max(1.0, simulation.flight / 8)

    await simulation.run(4000, 300, lambda: None, latency)
    assert 6 <= simulation.limits.slots.limit <= 16
    assert highest <= 24
    assert simulation.clock.seconds <= 4000 / (8 / 0.05) * 1.1


@pytest.mark.parametrize("answers", range(20, 40))
async def test_rule_22_a_ceiling_that_rises_is_used_whenever_it_does(answers: int) -> None:
    """Answers from before the rise say nothing about what more in flight would bring, however many they are."""
    simulation = Simulation(network=Network(url="https://h", concurrency=4))
    await simulation.run(answers, 20, lambda: None, lambda: 0.05)
    simulation.limits.relimit(Network(url="https://h", concurrency=8))
    await simulation.run(200, 20, lambda: None, lambda: 0.05)
    assert simulation.limits.slots.limit == 8


@pytest.mark.parametrize("late", range(100, 260, 20))
async def test_rule_22_a_moment_of_standing_still_says_nothing_about_the_server(late: int) -> None:
    """Everything in flight is late once, as when this process has to wait for a core: concurrency stays."""
    simulation = Simulation(network=Network(url="https://h", concurrency=64))

    def latency() -> float:
        return 0.06 if late <= simulation.sent < late + simulation.limits.slots.limit else 0.02

    await simulation.run(1000, 128, lambda: None, latency)
    assert simulation.limits.slots.limit == 64


async def test_rule_22_congestion_cuts_once_a_round_trip_and_never_below_one() -> None:
    """Failures that were in flight together count once; at the bottom one request is still tried."""
    simulation = Simulation(network=Network(url="https://h", concurrency=4))
    limits = simulation.limits
    simulation.clock.seconds = 0.5
    for _ in range(6):
        limits.congested(0.0, None)
    assert limits.slots.limit == 3
    for round_trip in range(1, 20):
        simulation.clock.seconds = float(round_trip)
        limits.congested(float(round_trip), None)
    assert limits.slots.limit == 1


async def test_rule_22_a_503_with_retry_after_pauses_the_origin() -> None:
    """Nobody starts during the pause that one answer asked for."""
    simulation = Simulation()
    simulation.limits.congested(0.0, 12.0)
    assert simulation.limits.pause_left() == 12.0
    assert not simulation.limits.enter_nowait()
    await simulation.clock.run(simulation.limits.enter())
    assert simulation.clock.seconds == 12.0
