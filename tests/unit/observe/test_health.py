"""Counters of a run."""

from syncer.model.events import RequestEnded, Retrying, Throttled
from syncer.model.running import works_for
from syncer.observe.health import Tally
from tests.support.happenings import EVERY


def test_traffic_is_counted() -> None:
    """Requests, repeats and throttles are counted, nothing else."""
    tally = Tally()
    for event in EVERY:
        tally(event)
    tally(RequestEnded("o", "GET", 0, 1.0, 0))
    tally(Retrying("o", 1, 1.0, "x"))
    tally(Throttled("o", 1.0, None))
    assert tally.traffic() == (1, 1, 1), "what came before the end of a run was its own"
    assert (tally.counts.requests, tally.counts.retries, tally.counts.throttled) == (2, 2, 2)
    assert tally.counts.stored == 0


def test_runs_side_by_side_are_counted_apart() -> None:
    """A run's report names its own requests, whoever else is at work."""
    tally = Tally()
    with works_for("street", "1"):
        tally(RequestEnded("o", "GET", 200, 1.0, 0))
        with works_for("highway", "2"):
            tally(Retrying("o", 1, 1.0, "x"))
            assert tally.traffic() == (0, 1, 0)
        assert tally.traffic() == (1, 0, 0)
    assert tally.traffic() == (0, 0, 0)
    assert tally.counts.requests == 1
