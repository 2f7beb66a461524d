"""The pace of an origin, on virtual time."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.events import Event, Throttled
from syncer.net.network import MAX_PAUSE
from syncer.net.pace import LATE, SLACK, Bandwidth, Gcra, Pace
from tests.support.clock import InstantClock, SimulatedClock


@given(st.floats(0.1, 2000), st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_rule_22_gcra_never_exceeds_its_rate(rate: float, gaps: list[float]) -> None:
    """In any interval of t seconds at most rate * (t + slack) + 1 slots begin, however the requests come."""
    gcra, now, starts = Gcra(rate), 0.0, []
    for gap in gaps:
        now += gap
        starts.append(now + max(0.0, gcra.reserve(now)))
    starts.sort()
    for first in range(0, len(starts), 7):
        for last in range(first, len(starts), 5):
            span = starts[last] - starts[first]
            assert last - first + 1 <= rate * (span + SLACK) + 1 + 1e-6


def test_gcra_spaces_slots_evenly() -> None:
    """Requests that come together are spread over time; no slot is lost while they queue."""
    gcra = Gcra(10, slack=0)
    waits = [gcra.reserve(5.0) for _ in range(4)]
    assert [round(wait, 6) for wait in waits] == [0, 0.1, 0.2, 0.3]
    gcra.change(1)
    assert round(gcra.reserve(5.0), 6) == 0.4
    assert round(gcra.reserve(5.0), 6) == 1.4


def paced(rate: float | None = None) -> tuple[Pace, InstantClock, list[Event]]:
    """Return a pace, its clock and its events."""
    clock, events = InstantClock(), []  # type: InstantClock, list[Event]
    return Pace(clock, events.append, "https://h", rate), clock, events


async def test_without_a_limit_nobody_waits() -> None:
    """An origin that never refused is not slowed down."""
    pace, clock, _ = paced()
    assert pace.free
    assert not await pace.turn()
    assert clock.slept == []


async def test_rule_22_a_configured_rate_is_kept() -> None:
    """100 requests at 50 a second take two seconds."""
    pace, clock, _ = paced(50)
    for _ in range(100):
        await pace.turn()
    assert 1.9 <= clock.seconds <= 2.0


async def test_rule_22_the_first_refusal_sets_the_rate() -> None:
    """It becomes 0.9 of the observed success rate, and the origin pauses as asked."""
    pace, clock, events = paced()
    for _ in range(40):
        clock.seconds += 0.025
        pace.answered(clock.seconds, clock.seconds - 0.02, clock.seconds - 0.02, saturated=True)
    pace.refused(clock.seconds, clock.seconds - 0.02, clock.seconds - 0.02, 3.0)
    assert pace.rate == pytest.approx(0.9 * 40, rel=0.05)
    assert events == [Throttled("https://h", 3.0, pace.rate)]
    before = clock.seconds
    assert not pace.free
    await pace.turn()
    assert clock.seconds == pytest.approx(before + 3.0, abs=0.1)


async def test_rule_22_refusals_of_one_round_count_once() -> None:
    """Requests that were in flight together are one piece of news."""
    pace, clock, events = paced()
    clock.seconds = 10.0
    for offset in range(8):
        pace.refused(10.0 + offset / 1000, 9.9, 9.9, 2.0)
    assert len(events) == 1
    rate = pace.rate
    pace.answered(12.5, 12.4, 12.4, saturated=True)
    pace.refused(12.6, 12.5, 12.5, 2.0)
    assert len(events) == 2
    assert pace.rate is not None
    assert rate is not None
    assert pace.rate < rate


async def test_rule_22_the_longer_nothing_is_refused_the_faster_the_rate_grows() -> None:
    """While requests wait for it: hardly at first, by a fiftieth in 80 seconds, then with the cube of the time."""
    pace, clock, _ = paced()
    served(pace, clock, 40)
    await seek(pace, clock, 60)
    start, at, rates = pace.rate, clock.seconds, list[float]()
    assert start is not None
    for seconds in (20, 80, 160):
        while clock.seconds < at + seconds:
            await pace.turn()
        rates.append((pace.rate or 0.0) / start)
    assert rates == [pytest.approx(1.0, abs=0.001), pytest.approx(1.02, abs=0.005), pytest.approx(1.17, abs=0.02)]


def served(pace: Pace, clock: InstantClock, count: int) -> None:
    """Let a first burst in, and refuse what comes after it."""
    for _ in range(count):
        pace.answered(0.01, 0.0, 0.0, saturated=True)
    pace.refused(0.02, 0.0, 0.0, 1.0)
    assert clock.seconds == 0.0


async def seek(pace: Pace, clock: InstantClock, limit: float) -> None:
    """Let everything in until the rate is beyond the limit, and refuse."""
    while pace.rate is not None and pace.rate < limit:
        await pace.turn()
        pace.answered(clock.seconds, clock.seconds, clock.seconds, saturated=True)
    pace.refused(clock.seconds, clock.seconds, clock.seconds, 1.0)


async def test_rule_22_a_guess_from_a_first_burst_is_raised_until_it_is_refused() -> None:
    """Seven that were let in at once say little: twice as many each second until there is a second refusal."""
    pace, clock, _ = paced()
    served(pace, clock, 7)
    assert pace.rate == pytest.approx(0.9 * 7)
    await seek(pace, clock, 60)
    found, at = pace.rate, clock.seconds
    assert at < 7
    assert found is not None
    assert 35 < found < 60
    while clock.seconds < at + 5:
        await pace.turn()
        pace.answered(clock.seconds, clock.seconds, clock.seconds, saturated=True)
    assert pace.rate == found


async def test_rule_22_what_was_on_its_way_belongs_to_the_first_burst() -> None:
    """Answers that come after the refusal, to requests from before it, make the guess larger."""
    pace, clock, _ = paced()
    served(pace, clock, 3)
    for _ in range(4):
        pace.answered(0.03, 0.0, 0.0, saturated=True)
    assert pace.rate == pytest.approx(0.9 * 7)


@pytest.mark.parametrize(("after", "part"), [(2, 0.9), (10, 0.95), (40, 0.98)])
async def test_rule_22_the_sooner_a_rate_is_refused_again_the_more_it_is_cut(after: float, part: float) -> None:
    """One that held for long is nearly right."""
    pace, clock, _ = paced()
    served(pace, clock, 40)
    await seek(pace, clock, 100)
    cut = clock.seconds
    while clock.seconds < cut + after:
        await pace.turn()
        pace.answered(clock.seconds, clock.seconds, clock.seconds, saturated=True)
    before = pace.rate
    assert before is not None
    pace.refused(clock.seconds, clock.seconds, clock.seconds, 1.0)
    assert pace.rate == pytest.approx(part * before, rel=0.03)


async def test_rule_22_a_limit_that_fell_is_sought_anew() -> None:
    """After a refusal that came at once the rate is what was let in, and grows fast from there."""
    pace, clock, _ = paced()
    served(pace, clock, 40)
    await seek(pace, clock, 100)
    while clock.seconds < 60:
        await pace.turn()
        pace.answered(clock.seconds, clock.seconds, clock.seconds, saturated=True)
    for _ in range(2):
        await pace.turn()
        pace.refused(clock.seconds, clock.seconds, clock.seconds, 1.0)
        for _ in range(5):
            await pace.turn()
            pace.answered(clock.seconds, clock.seconds, clock.seconds, saturated=True)
    low, at = pace.rate, clock.seconds
    assert low is not None
    assert low < 20
    while clock.seconds < at + 2:
        await pace.turn()
        pace.answered(clock.seconds, clock.seconds, clock.seconds, saturated=True)
    assert (pace.rate or 0.0) > 2 * low


async def test_who_wakes_up_late_does_not_start_together() -> None:
    """After a second in which the loop stood still, those whose slots went by are spaced anew, not sent at once."""
    clock, started = SimulatedClock(), list[float]()
    pace = Pace(clock, lambda _: None, "https://h", 20)

    async def request() -> None:
        await pace.turn()
        started.append(clock.seconds)

    async def stand_still() -> None:
        await clock.sleep(0.12)
        clock.seconds += 1.0

    await clock.run(stand_still(), *[request() for _ in range(60)])
    started.sort()
    assert len(started) == 60
    for first in range(50):
        assert started[first + 9] - started[first] >= 9 / 20 - LATE - SLACK - 1e-9
    assert started[-1] <= 60 / 20 + 1.2


async def test_a_rate_that_nobody_waits_for_does_not_grow() -> None:
    """An unused limit would grow out of all proportion."""
    pace, clock, _ = paced()
    clock.seconds = 1.0
    pace.refused(1.0, 0.9, 0.9, None)
    rate = pace.rate
    for _ in range(20):
        clock.seconds += 60
        await pace.turn()
    assert pace.rate == rate


async def test_rule_22_pauses_grow_while_nothing_succeeds() -> None:
    """A server that refuses without naming a time is asked less and less often; the rate is not cut for it again."""
    pace, clock, events = paced()
    for _ in range(7):
        await pace.turn()
        pace.refused(clock.seconds, clock.seconds, clock.seconds, None)
    pauses = [event.pause for event in events if isinstance(event, Throttled)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert pace.rate == pytest.approx(0.9)


async def test_rule_22_a_pause_is_capped() -> None:
    """A day becomes a quarter of an hour."""
    pace, _, events = paced()
    pace.pause(0.0, 86_400)
    assert events == [Throttled("https://h", MAX_PAUSE, None)]


async def test_rule_22_a_pause_holds_everybody_and_voids_their_slots() -> None:
    """Tasks that already had a slot wait for the end of a pause, and then keep the pace again."""
    clock, events, started = SimulatedClock(), [], []  # type: SimulatedClock, list[Event], list[float]
    pace = Pace(clock, events.append, "https://h", 10)

    async def request() -> None:
        await pace.turn()
        started.append(clock.seconds)

    async def refuse() -> None:
        await clock.sleep(0.45)
        pace.pause(clock.seconds, 5.0)

    await clock.run(refuse(), *[request() for _ in range(20)])
    late = sorted(at for at in started if at > 0.46)
    assert len(started) == 20
    assert late[0] == pytest.approx(5.45)
    assert all(after - before >= 0.1 - SLACK - 1e-9 for before, after in pairwise(late[1:]))


async def test_rule_23_bandwidth_is_shared() -> None:
    """Two bodies together take as long as their bytes should."""
    clock = SimulatedClock()
    bandwidth = Bandwidth(clock, 1_000_000)

    async def body() -> None:
        for _ in range(50):
            await bandwidth.spend(20_000)

    await clock.run(body(), body())
    assert math.isclose(clock.seconds, 2.0, abs_tol=0.05)
