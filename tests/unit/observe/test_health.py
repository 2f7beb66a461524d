"""Counters of a run."""

from syncer.model.events import LimitChanged, RequestEnded, Retrying, Throttled, Warned, Written
from syncer.observe.health import Tally
from tests.support.clock import InstantClock
from tests.support.happenings import EVERY


def test_traffic_is_counted() -> None:
    """Requests, repeats and throttles are counted, nothing else."""
    tally = Tally(InstantClock())
    for event in EVERY:
        tally(event)
    tally(RequestEnded("o", "GET", 0, 1.0, 0))
    tally(Retrying("o", 1, 1.0, "x"))
    tally(Throttled("o", 1.0, None))
    assert tally.traffic() == (2, 2, 2)
    assert (tally.counts.requests, tally.counts.retries, tally.counts.throttled) == (2, 2, 2)
    assert tally.counts.stored == 0


async def test_idleness_is_the_time_since_something_moved() -> None:
    """Retries and warnings are no progress; a written batch is."""
    clock = InstantClock()
    tally = Tally(clock)
    await clock.sleep(10)
    tally(Warned("x"))
    tally(LimitChanged("o", 1))
    assert tally.idle() == 10
    tally(Written("lake", 1, 1))
    assert tally.idle() == 0
