"""What is shared, as arithmetic: rates in lots, tokens among wishes."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.net.learned import LearnedRate
from syncer.net.network import MAX_PAUSE
from syncer.net.pool import LEASE, SLACK, Pool, divide, lot
from syncer.ports import Refusal


@given(st.integers(0, 100), st.lists(st.integers(0, 40), max_size=20), st.integers(0, 10**9))
def test_tokens_are_divided_evenly(total: int, wishes: list[int], turn: int) -> None:
    """All that is wished for is given as far as it goes, and nobody has two more than one who wants more."""
    shares = divide(total, wishes, turn)
    assert sum(shares) == min(total, sum(wishes))
    assert all(0 <= share <= wish for share, wish in zip(shares, wishes, strict=True))
    short = [share for share, wish in zip(shares, wishes, strict=True) if share < wish]
    assert not short or max(shares) <= min(short) + 1


def test_where_there_are_too_few_tokens_they_go_round() -> None:
    """Nobody waits for ever."""
    had = [0] * 5
    for turn in range(5):
        had = [before + share for before, share in zip(had, divide(2, [1] * 5, turn), strict=True)]
    assert had == [2] * 5


def test_a_lot_is_a_twentieth_of_a_second() -> None:
    """Ten slots at 200 a second, one at ten; never more than are wanted."""
    assert [lot(200, 64), lot(10, 64), lot(0.1, 64), lot(200, 3)] == [10, 1, 1, 3]
    assert LEASE == 0.05


@given(
    st.floats(1, 1000), st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 64)), min_size=1, max_size=60)
)  # fmt: skip
def test_rule_22_lots_never_exceed_the_rate(rate: float, asks: list[tuple[float, int]]) -> None:
    """In any t seconds at most rate * (t + slack) + 1 slots begin, however they are asked for."""
    pool, starts = Pool(LearnedRate(rate, rate)), list[float]()
    for now, (_, wanted) in zip(accumulate(gap for gap, _ in asks), asks, strict=True):
        grant = pool.lease(now, wanted, succeeded=True)
        assert 1 <= grant.count <= wanted
        starts += [max(now, now + grant.wait + index * grant.interval) for index in range(grant.count)]
    starts.sort()
    for first in range(0, len(starts), 5):
        for last in range(first, len(starts), 3):
            assert last - first + 1 <= rate * (starts[last] - starts[first] + SLACK) + 1 + 1e-6


def test_rule_22_slots_begin_after_a_pause() -> None:
    """However early they are asked for; and a pause is never longer than a quarter of an hour."""
    pool = Pool(LearnedRate(10.0, 10.0))
    assert pool.pause(5.0, 2.0)
    assert not pool.pause(5.0, 1.0)
    grant = pool.lease(6.5, 1, succeeded=False)
    assert grant.wait == pytest.approx(0.5)
    assert pool.lease(6.5, 1, succeeded=False).wait == pytest.approx(0.6)
    assert pool.pause(8.0, 1e6)
    assert pool.resume_at == 8.0 + MAX_PAUSE


def test_rule_22_an_unlimited_account_learns_from_its_first_refusal() -> None:
    """Until then as many slots as are wanted, all due; afterwards 0.9 of what was served."""
    pool = Pool(LearnedRate(None, None))
    grant = pool.lease(1.0, 7, succeeded=False)
    assert (grant.count, grant.wait, grant.interval) == (7, 0.0, 0.0)
    assert pool.refused(2.0, Refusal(0.05, 100.0, young=False, retry_after=None)) == 1.0
    assert pool.learned.rate == pytest.approx(90)
    # In flight together with the first: no news, but for a longer pause.
    assert pool.refused(2.01, Refusal(0.05, 100.0, young=False, retry_after=None)) is None
    assert pool.refused(2.01, Refusal(0.05, 100.0, young=False, retry_after=5.0)) == 5.0
    assert pool.learned.rate == pytest.approx(90)


def test_rule_22_a_shared_rate_grows_while_somebody_waits() -> None:
    """By a fiftieth in the first 80 seconds without a refusal."""
    pool, now = Pool(LearnedRate(None, 20.0, 0.0)), 0.0
    while now < 81:
        grant = pool.lease(now, 5, succeeded=True)
        now += max(0.01, grant.wait)
    assert pool.learned.rate == pytest.approx(20 * 1.02, rel=0.005)


def test_rule_22_a_rate_grows_by_the_time_that_passed_and_not_in_pauses() -> None:
    """Where slots are seconds apart, several steps are made at once; after a pause, however long, none."""
    pool = Pool(LearnedRate(None, None))
    assert pool.refused(0.0, Refusal(0.1, 1.0, young=True, retry_after=30.0)) == 30.0
    rates = list[float]()
    for now in (30.0, 30.5, 31.0):
        pool.lease(now, 1, succeeded=True)
        rates.append(pool.learned.rate or 0.0)
    assert rates == [pytest.approx(0.9), pytest.approx(0.9 * 1.2**2), pytest.approx(0.9 * 1.2**4)]
