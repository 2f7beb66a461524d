"""The figures of runs, apart from each other, and where one of them stands still."""

import pytest

from syncer.model import events
from syncer.model.running import beat, works_for
from syncer.observe.figures import Figures
from syncer.observe.underway import Underway
from tests.support.clock import InstantClock
from tests.support.happenings import EVERY, KEY, PARTITION, report

UNIT = events.UnitStarted("7", 1, 4, 1)
LISTED = events.PageListed(PARTITION, 10, 20)
LAST = events.PageListed(PARTITION, 10, 20, last=True)
PLANNED = events.PagePlanned(PARTITION, 2, 8, 4096)
FETCHED = events.ItemFetched(KEY, 512)


async def test_runs_side_by_side_are_followed_apart() -> None:
    """Each has its own counts, speed and time of the last movement; what belongs to no run is nobody's."""
    clock = InstantClock()
    underway = Underway(clock)
    for job, items in (("street", 5), ("highway", 7)):
        with works_for(job, f"{job}-1"):
            underway(events.RunStarted(job, f"{job}-1", ()))
            underway(events.Committed("7", items, 100))
    underway(events.Committed("7", 1000, 100))
    await clock.sleep(10)
    with works_for("highway", "highway-1"):
        underway(events.Committed("7", 13, 100))
        underway(events.RequestEnded("o", "GET", 200, 0.1, 5))
    street, highway = underway.live("street"), underway.live("highway")
    assert street is not None
    assert highway is not None
    assert (street.run, street.stored, street.items_per_second) == ("street-1", 5, 0.5)
    assert (highway.stored, highway.requests, highway.items_per_second) == (20, 1, 2.0)
    assert [each.running.job for each in underway.courses()] == ["highway", "street"]
    assert underway.longest_idle() == 10
    with works_for("street", "street-1"):
        underway(events.RunEnded(report(job="street")))
    assert underway.live("street") is None
    assert underway.longest_idle() == 0


async def test_trying_again_is_no_progress() -> None:
    """Retries, throttles, warnings and owed items move nothing; a written batch does."""
    clock = InstantClock()
    underway = Underway(clock)
    with works_for("street", "1"):
        underway(events.RunStarted("street", "1", ()))
        await clock.sleep(10)
        for event in EVERY:
            if isinstance(event, events.Retrying | events.Warned | events.ItemOwed):
                underway(event)
        assert underway.longest_idle() == 10
        underway(events.Written("lake", 1, 1))
    assert underway.longest_idle() == 0


async def test_part_of_a_large_body_is_progress_and_so_is_a_pause_that_was_asked_for() -> None:
    """Neither a download of hours nor a platform that closes its door for a while is a standstill."""
    clock = InstantClock()
    underway = Underway(clock)
    with works_for("street", "1"):
        underway(events.RunStarted("street", "1", ()))
        await clock.sleep(10)
        beat()
        assert underway.longest_idle() == 0
        underway(events.Throttled("o", 900.0, None))
        await clock.sleep(905)
        assert underway.longest_idle() == 5


@pytest.mark.parametrize(
    ("happened", "stage"),
    [
        ((), "beginning"),
        ((UNIT,), "listing"),
        ((UNIT, LISTED), "comparing"),
        ((UNIT, LISTED, PLANNED), "fetching"),
        ((UNIT, LISTED, PLANNED, FETCHED), "writing"),
        ((UNIT, LISTED, PLANNED, FETCHED, events.Written("lake", 1, 1), events.Sealed("lake", 1)), "writing"),
        ((UNIT, LISTED, PLANNED, FETCHED, FETCHED, events.Committed("7", 2, 9)), "listing"),
        ((UNIT, LISTED, PLANNED, FETCHED, events.Committed("7", 1, 9), EVERY[6]), "listing"),
        ((UNIT, LISTED, PLANNED, FETCHED, events.Committed("7", 1, 9, gone=1)), "listing"),
        ((UNIT, LAST, PLANNED, FETCHED, FETCHED, events.Committed("7", 2, 9)), "publishing"),
        ((UNIT, LAST, PLANNED, events.Staged("lake")), "publishing"),
        ((UNIT, LAST, PLANNED, events.SegmentSent("lake", 5)), "manifest"),
    ],
)
def test_the_stage_that_has_to_move_next(happened: tuple[events.Event, ...], stage: str) -> None:
    """A full queue is blamed on whoever should empty it, not on whoever fills it."""
    figures = Figures()
    for event in happened:
        figures.update(event)
    assert figures.stuck == stage
