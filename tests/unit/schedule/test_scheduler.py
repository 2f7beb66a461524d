"""The scheduler on virtual time: turns, overlap, order, pauses, platforms that are away, restarts."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from syncer.model.errors import Exit
from syncer.model.report import Problem
from syncer.schedule.clock import FakeClock
from syncer.schedule.due import After, Cron, Every, Schedule, Single
from syncer.schedule.scheduler import Entry
from tests.support.timetable import FakeWorld

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def entry(job: str, kind: Cron | Every | Single | After | None, platform: str = "p") -> Entry:
    """Return a job of a configuration."""
    return Entry(job, platform, None if kind is None else Schedule(kind))


def world(*entries: Entry) -> FakeWorld:
    """Return a world with the platforms of these jobs."""
    return FakeWorld(FakeClock(START), {each.job: each.platform for each in entries})


async def test_jobs_run_at_their_turns() -> None:
    """A distance, a calendar, one single run and one that follows it: each as often as it should."""
    jobs = [
        entry("often", Every(600, 600)), entry("hourly", Cron("15 * * * *")), entry("single", Single(None)),
        entry("next", After("single")), entry("never", None),
    ]  # fmt: skip
    these = world(*jobs)
    async with these.scheduled(jobs):
        await these.clock.advance(6 * 3600 - 1)
    assert len(these.runs("often")) >= 36
    assert [each.at - START for each in these.runs("hourly")][:2] == [timedelta(minutes=15), timedelta(minutes=75)]
    assert (len(these.runs("single")), len(these.runs("next")), these.runs("never")) == (1, 1, [])
    assert these.runs("next")[0].at >= these.runs("single")[0].at + timedelta(seconds=5)
    assert these.skips == []


async def test_a_job_never_runs_beside_itself() -> None:
    """Calendar turns that come during a run are passed over and recorded once; a distance is only put off."""
    jobs = [entry("hourly", Cron("0 * * * *")), entry("often", Every(60, 60))]
    these = world(*jobs)
    these.seconds = lambda job: 2.5 * 3600 if job == "hourly" else 90
    async with these.scheduled(jobs):
        await these.clock.advance(5 * 3600 + 60)
    assert [each.at.hour for each in these.runs("hourly")] == [13, 16]
    assert these.skips[0] == ("hourly", "overlap", 2)
    often = [each.at for each in these.runs("often")]
    assert {after - before for before, after in pairwise(often)} == {timedelta(seconds=90)}


async def test_no_more_than_so_many_jobs_at_once() -> None:
    """Ten jobs that are due together run two by two, and all of them run."""
    jobs = [entry(f"job-{n}", Every(3600, 3600), f"p{n % 2}") for n in range(10)]
    these = world(*jobs)
    async with these.scheduled(jobs, slots=2):
        await these.clock.advance(100)
    assert these.most_active == 2
    assert len(these.done) == 10


async def test_an_adaptive_distance_follows_the_work() -> None:
    """While items arrive the job looks each 15 s; after them ever more slowly, up to 10 minutes; then quickly again."""
    jobs = [entry("street", Every(15, 600))]
    these = world(*jobs)
    these.seconds = lambda _job: 1
    busy = True
    these.finds = lambda _job: 7 if busy else 0
    async with these.scheduled(jobs):
        await these.clock.advance(150)
        assert len(these.took) == 11
        busy = False
        await these.clock.advance(3600)
        quiet = [each.at for each in these.took]
        assert [(b - a).total_seconds() for a, b in pairwise(quiet)][-2:] == [600, 600]
        assert len(these.took) < 25
        busy = True
        await these.clock.advance(700)
        assert (these.took[-1].at - these.took[-2].at).total_seconds() == 15


async def test_a_failing_job_is_tried_less_and_less() -> None:
    """A refused credential is not shown to the platform every 30 seconds."""
    jobs = [entry("street", Every(30, 30))]
    these = world(*jobs)
    these.problems["street"] = Problem("the token is refused", Exit.PERMISSION)
    async with these.scheduled(jobs):
        await these.clock.advance(3600)
        assert len(these.took) < 15
        del these.problems["street"]
        await these.clock.advance(1200)
        assert (these.took[-1].at - these.took[-2].at).total_seconds() == 30


async def test_a_paused_job_stays_paused_over_a_restart() -> None:
    """No run begins until it is resumed, not even one that somebody asks for; the turns of the pause are gone."""
    jobs = [entry("hourly", Cron("0 * * * *"))]
    these = world(*jobs)
    async with these.scheduled(jobs) as scheduler:
        await scheduler.pause("hourly", paused=True)
        assert not scheduler.trigger("hourly", "somebody")
        await these.clock.advance(3 * 3600)
    async with these.scheduled(jobs) as scheduler:
        await these.clock.advance(2 * 3600)
        assert these.took == []
        await scheduler.pause("hourly", paused=False)
        await these.clock.advance(60)
        assert these.took == []
        await these.clock.advance(3600)
        assert len(these.took) == 1
    assert these.skips == []


async def test_somebody_asks_for_a_run() -> None:
    """A job runs when it is asked to, also one without a schedule; while it runs or waits, asking changes nothing."""
    jobs = [entry("manual", None)]
    these = world(*jobs)
    async with these.scheduled(jobs) as scheduler:
        assert scheduler.trigger("manual", "api")
        assert not scheduler.trigger("manual", "api")
        await these.clock.advance(1)
        assert not scheduler.trigger("manual", "api")
        assert scheduler.hint("manual", "hook")
        assert scheduler.hint("manual", "hook")
        await these.clock.advance(60)
        assert [each.why for each in these.took] == ["api", "hook"]
        assert scheduler.trigger("manual", "api")
        await these.clock.advance(60)
    assert len(these.done) == 3


async def test_what_waits_to_be_published_brings_a_run() -> None:
    """A nightly job whose archive may be published at one o'clock runs at one o'clock, and no more than once."""
    jobs = [entry("nightly", Cron("30 12 * * *"))]
    these = world(*jobs)
    these.publish_at["nightly"] = START + timedelta(hours=1)
    async with these.scheduled(jobs):
        await these.clock.advance(5 * 3600)
    assert [(each.why, each.at - START) for each in these.took] == [
        ("schedule", timedelta(minutes=30)),
    ]  # fmt: skip
    these.publish_at["nightly"] = these.clock.now() + timedelta(hours=1)
    async with these.scheduled(jobs):
        await these.clock.advance(5 * 3600)
    assert [each.why for each in these.took] == ["schedule", "publish"]


async def test_a_platform_that_is_away_costs_one_request_a_minute() -> None:
    """Its jobs wait, the others do not notice; when it is back, each of its jobs runs once for all that it missed."""
    jobs = [entry("a", Every(30, 30), "dead"), entry("b", Every(30, 30), "dead"), entry("c", Every(30, 30), "well")]
    these = world(*jobs)
    async with these.scheduled(jobs):
        await these.clock.advance(300)
        these.down.add("dead")
        await these.clock.advance(60)
        failed = len(these.runs("a")) + len(these.runs("b"))
        before, probes = len(these.runs("c")), len(these.probes)
        await these.clock.advance(3600)
        assert len(these.runs("a")) + len(these.runs("b")) == failed
        assert len(these.probes) - probes in {59, 60, 61}
        assert len(these.runs("c")) - before == 120
        these.down.clear()
        await these.clock.advance(61)
        assert len(these.runs("a")) + len(these.runs("b")) >= failed + 2
    assert these.words == [
        "platform dead is away: its jobs wait, and one request a minute asks for it",
        "platform dead is back: its jobs go on",
    ]


async def test_one_broken_endpoint_is_no_platform_that_is_away() -> None:
    """A run that found nobody at home is a suspicion; the probe answers, and nobody else has to wait."""
    jobs = [entry("broken", Every(60, 60)), entry("fine", Every(60, 60))]
    these = world(*jobs)
    these.problems["broken"] = Problem("503 each time", Exit.NOT_NOW, away=True)
    async with these.scheduled(jobs):
        await these.clock.advance(3600)
    assert len(these.runs("fine")) >= 60
    assert these.probes
    assert these.words == []


async def test_an_interrupted_run_is_due_again() -> None:
    """Stopped or killed in the middle, the turn of a daily job is taken again at the next start, once."""
    jobs = [entry("daily", Cron("30 12 * * *"))]
    for kill in (True, False):
        these = world(*jobs)
        these.seconds = lambda _job: 600
        async with these.scheduled(jobs, kill=kill):
            await these.clock.advance(2000)
            assert len(these.took) == 1
        these.clock._elapsed += 1800
        async with these.scheduled(jobs):
            await these.clock.advance(7200)
        assert len({each.turn for each in these.took}) == 1
        assert len(these.took) == 2


async def test_a_follower_is_not_lost_in_a_restart() -> None:
    """The first job ended, the daemon was killed before the second began: it begins at the next start."""
    jobs = [entry("first", Single(START + timedelta(seconds=60))), entry("second", After("first"))]
    these = world(*jobs)
    these.seconds = lambda job: 5 if job == "first" else 600
    async with these.scheduled(jobs, kill=True):
        await these.clock.advance(100)
    assert [each.job for each in these.took] == ["first", "second"]
    async with these.scheduled(jobs):
        await these.clock.advance(1000)
    assert [each.job for each in these.took] == ["first", "second", "second"]


@pytest.mark.parametrize(("hours", "runs"), [(-2, 0), (5, 1)])
async def test_a_wall_clock_that_jumps_is_noticed_within_a_minute(hours: int, runs: int) -> None:
    """Set ahead (or after a night asleep), what was passed runs once, soon; set back, nothing runs twice."""
    jobs = [entry("hourly", Cron("0 * * * *"))]
    these = world(*jobs)
    async with these.scheduled(jobs):
        await these.clock.advance(3700)
        assert len(these.took) == 1
        these.clock._start += timedelta(hours=hours)
        await these.clock.advance(61)
        assert len(these.took) == 1 + runs
    assert len({each.turn for each in these.took}) == len(these.took)


async def test_new_schedules_are_taken_while_jobs_run() -> None:
    """A changed distance counts from the last turn; nothing is forgotten, nobody is disturbed."""
    jobs = [entry("street", Every(3600, 3600))]
    these = world(*jobs)
    async with these.scheduled(jobs) as scheduler:
        await these.clock.advance(1800)
        assert len(these.took) == 1
        changed = entry("street", Every(60, 60))
        scheduler.reschedule({"street": changed}, slots=1)
        await these.clock.advance(600)
        assert len(these.took) == 12
