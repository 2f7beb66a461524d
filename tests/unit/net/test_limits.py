"""Concurrency and rate together, against simulated servers on virtual time."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from msgspec.structs import replace

from syncer.model.events import LimitChanged
from syncer.net.limits import Slots
from syncer.net.network import Network
from syncer.net.pace import Pace
from syncer.ports import Request
from tests.support.limited_server import Admit, Simulation, at_once, bucket, sliding, window
from tests.support.servers import serving
from tests.support.web import opened


@pytest.mark.parametrize(("content", "bounds"), [(3, [1, 3]), (None, [1, 1])])
async def test_a_store_may_be_asked_more_at_once_than_the_platform(content: int | None, bounds: list[int]) -> None:
    """Links point to another origin, which has a bound of its own; new bounds hold for both."""
    busy: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def handler(request: web.Request) -> web.Response:
        busy[request.host] += 1
        most[request.host] = max(most[request.host], busy[request.host])
        await asyncio.sleep(0.02)
        busy[request.host] -= 1
        return web.Response(body=b"{}")

    async def ask() -> list[int]:
        most.clear()
        own = [client.http.fetch(Request(f"{server.url}/{number}")) for number in range(6)]
        linked = [client.http.download(Request(f"{store.url}/{number}", content=True), "k") for number in range(6)]
        await asyncio.gather(*own, *linked)
        return [most[urlsplit(each.url).netloc] for each in (server, store)]

    async with serving(handler) as server, serving(handler) as store:
        network = Network(url=server.url, content_hosts=(store.url,), concurrency=1, content_concurrency=content)
        async with opened(network) as client:
            assert await ask() == bounds
            client.http.relimit(replace(network, concurrency=2, content_concurrency=1))
            assert await ask() == [2, 1]


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


#: Servers that let so many in a second, on average, each in its way.
KINDS: dict[str, Callable[[Simulation, int], Admit]] = {
    "fixed windows": lambda simulation, rate: window(simulation.clock, rate),
    "fixed windows, no Retry-After": lambda simulation, rate: window(simulation.clock, rate, polite=False),
    "sliding window": lambda simulation, rate: sliding(simulation.clock, rate),
    "small bucket": lambda simulation, rate: bucket(simulation.clock, lambda: rate, 0.1),
    "small bucket, no Retry-After": lambda simulation, rate: bucket(simulation.clock, lambda: rate, 0.1, polite=False),
    "large bucket": lambda simulation, rate: bucket(simulation.clock, lambda: rate, 1.0),
    "larger bucket": lambda simulation, rate: bucket(simulation.clock, lambda: rate, 3.0),
}
#: And one that has nothing in store, which no client can use up.
SERVERS = {**KINDS, "no bucket": lambda simulation, rate: bucket(simulation.clock, lambda: rate, 0.0)}


async def fetch(kind: str, rate: int, latency: float, total: int) -> Simulation:
    """Fetch so many items from such a server; every answer takes up to a fifth longer or shorter."""
    random.seed(1)
    jitter, simulation = random.Random(1), Simulation(network=Network(url="https://h", concurrency=128))
    await simulation.run(total, 128, SERVERS[kind](simulation, rate), lambda: latency * (0.8 + 0.4 * jitter.random()))
    assert simulation.sent - simulation.refused == total
    assert simulation.rude == 0
    return simulation


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rate", "latency", "used"), [
    (20, 0.005, 0.8), (20, 0.05, 0.8), (20, 0.2, 0.8), (60, 0.005, 0.9), (60, 0.05, 0.9), (60, 0.2, 0.77),
])  # fmt: skip
async def test_rule_22_a_limit_is_learned_in_a_minute_whatever_its_kind(
    kind: str, rate: int, latency: float, used: float
) -> None:
    """Everything is fetched, hardly anything is refused, no pause is broken, and most of what is allowed is used."""
    simulation = await fetch(kind, rate, latency, 60 * rate)
    assert simulation.wasted <= (0.05 if kind == "larger bucket" else 0.03)
    assert 60 / simulation.clock.seconds >= used


@pytest.mark.parametrize(("rate", "used"), [(60, 0.7), (300, 0.7)])
async def test_rule_22_a_server_that_lets_nothing_in_at_once_is_used(rate: int, used: float) -> None:
    """Requests that come closer together than the limit are refused, so its height is not seen at the first refusal."""
    simulation = await fetch("no bucket", rate, 0.001, 60 * rate)
    assert simulation.wasted <= 0.01
    assert 60 / simulation.clock.seconds >= used


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("latency", "minute", "long"), [(0.005, 0.9, 0.95), (0.05, 0.88, 0.94), (0.2, 0.8, 0.87)])
async def test_rule_22_a_higher_limit_is_learned(kind: str, latency: float, minute: float, long: float) -> None:
    """The same for 300 a second; in five minutes what was lost at first counts for less."""
    for seconds, used in ((60, minute), (300, long)):
        simulation = await fetch(kind, 300, latency, seconds * 300)
        assert simulation.wasted <= 0.03
        assert seconds / simulation.clock.seconds >= used


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latency", [0.005, 0.05])
async def test_rule_22_a_short_job_comes_through_a_limit(kind: str, latency: float) -> None:
    """400 items at 20 a second: what the first refusals cost has not come back yet."""
    simulation = await fetch(kind, 20, latency, 400)
    assert simulation.wasted <= 0.065
    assert 20 / simulation.clock.seconds >= 0.7


@pytest.mark.parametrize("polite", [True, False])
async def test_rule_22_a_limit_per_minute_is_told_from_one_per_second(polite: bool) -> None:
    """600 that are let in within seconds, and then none for the rest of the minute, are ten a second."""
    simulation = Simulation()
    jitter = random.Random(1)
    admit = window(simulation.clock, 600, 60.0, polite=polite)
    await simulation.run(6000, 64, admit, lambda: 0.05 * (0.8 + 0.4 * jitter.random()))
    assert simulation.wasted <= 0.04
    assert 600 / simulation.clock.seconds >= 0.9


async def test_rule_22_one_request_a_second_is_learned() -> None:
    """The slowest servers are not asked in vain either."""
    simulation = Simulation()
    await simulation.run(200, 64, window(simulation.clock, 1), lambda: 0.05)
    assert simulation.wasted <= 0.05
    assert 200 / simulation.clock.seconds >= 0.8


@pytest.mark.parametrize(("before", "after", "within"), [(150, 50, 0.8), (50, 150, 0.6)])
@pytest.mark.parametrize("burst", [0.1, 1.0])
async def test_rule_22_a_limit_that_changes_is_followed(before: int, after: int, within: float, burst: float) -> None:
    """A third is found at once; threefold, which nothing announces, within minutes."""
    simulation = Simulation(network=Network(url="https://h", concurrency=64))
    clock = simulation.clock
    admit = bucket(clock, lambda: before if clock.seconds < 100 else after, burst)
    await simulation.run(100 * before + 600 * after, 64, admit, lambda: 0.02)
    assert simulation.wasted <= 0.01
    assert 600 / (clock.seconds - 100) >= within
    assert isinstance(simulation.limits.pace, Pace)
    assert simulation.limits.pace.rate == pytest.approx(after, rel=0.1)


@pytest.mark.parametrize("latency", [0.02, 0.2])
async def test_rule_22_a_server_that_counts_what_is_in_flight_is_used(latency: float) -> None:
    """Ten at once, the eleventh is refused: that is a rate too, by way of the latency."""
    simulation, total = Simulation(), int(600 / latency)
    jitter = random.Random(1)
    await simulation.run(total, 64, at_once(simulation, 10), lambda: latency * (0.8 + 0.4 * jitter.random()))
    assert simulation.wasted <= 0.03
    assert 60 / simulation.clock.seconds >= 0.55


@pytest.mark.parametrize("latency", [0.002, 0.1])
@pytest.mark.parametrize("still", [0.0, 0.3])
async def test_rule_22_a_small_first_burst_does_not_decide_the_rate(latency: float, still: float) -> None:
    """A server that lets seven in at once, and then 60 a second, is used; also by a client that often stands still."""
    simulation = Simulation(network=Network(url="https://h", concurrency=64))
    clock = simulation.clock
    work = iter(range(3000))
    admit = bucket(clock, lambda: 60, 0.1)
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
    assert simulation.wasted <= 0.01
    assert 3000 / 60 / clock.seconds >= (0.75 if still else 0.8)


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
