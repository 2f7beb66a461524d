"""Months of schedule on virtual time: changes of the clock, platforms that go away, new schedules, kills, restarts."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncer.schedule.clock import FakeClock
from syncer.schedule.due import After, Cron, Every, Schedule
from syncer.schedule.scheduler import Entry
from tests.support.timetable import FakeWorld

STOCKHOLM, NEW_YORK = ZoneInfo("Europe/Stockholm"), ZoneInfo("America/New_York")

NIGHTLY = Entry("nightly", "cars", Schedule(Cron("30 2 * * *", STOCKHOLM), jitter=300))
JOBS = (
    NIGHTLY,
    Entry("early", "studio", Schedule(Cron("30 1 * * *", NEW_YORK))),
    Entry("quarters", "studio", Schedule(Cron("*/15 * * * *", NEW_YORK))),
    Entry("sunday", "vi", Schedule(Cron("0 4 * * 0", STOCKHOLM))),
    Entry("follows", "vi", Schedule(After("nightly"))),
    Entry("often", "cars", Schedule(Every(1800, 1800))),
)
CALENDARS = ("nightly", "early", "quarters", "sunday")


def daily(zone: ZoneInfo, hour: int, minute: int, start: datetime, end: datetime) -> set[datetime]:
    """Return the moments of a daily time, worked out from the wall clock of each day, not by the scheduler's means."""
    here, found, day = zone, set[datetime](), start.date() - timedelta(days=1)
    while day <= end.date() + timedelta(days=1):
        wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  # the wall clock's
        moment = wall.replace(tzinfo=here).astimezone(UTC)
        while moment.astimezone(here).replace(tzinfo=None) != wall:  # it does not exist: the first minute that does
            wall += timedelta(minutes=1)
            moment = wall.replace(tzinfo=here).astimezone(UTC)
        found.add(moment)
        day += timedelta(days=1)
    return {moment for moment in found if start < moment <= end}


def expected(start: datetime, end: datetime) -> dict[str, set[datetime]]:
    """Return the turns that each calendar names."""
    sundays = {moment for moment in daily(STOCKHOLM, 4, 0, start, end) if date.weekday(moment) == 6}
    quarters, moment = set[datetime](), start + timedelta(minutes=15)
    while moment <= end:
        quarters.add(moment)
        moment += timedelta(minutes=15)
    return {
        "nightly": daily(STOCKHOLM, 2, 30, start, end),
        "early": daily(NEW_YORK, 1, 30, start, end),
        "quarters": quarters,
        "sunday": sundays,
    }


async def soak(start: datetime, days: int, seed: int, *, recheck: float) -> None:
    """Live through some days, and check the account of each job."""
    dice = random.Random(seed)
    clock = FakeClock(start)
    these = FakeWorld(clock, {each.job: each.platform for each in JOBS})
    lengths: dict[str, tuple[float, float]] = {"nightly": (600, 9000), "quarters": (20, 1500), "sunday": (60, 4000)}
    these.seconds = lambda job: dice.uniform(*lengths.get(job, (5, 60)))
    end = start + timedelta(days=days)
    kills = 0
    while clock.now() < end:
        kill = dice.random() < 0.5
        kills += kill
        async with these.scheduled(JOBS, slots=3, recheck=recheck, kill=kill) as scheduler:
            until = min(end, clock.now() + timedelta(hours=dice.uniform(5, 200)))
            while clock.now() < until:
                match dice.randrange(5):
                    case 0:
                        these.down.add(dice.choice(["cars", "studio", "vi"]))
                    case 1 | 2:
                        these.down.clear()
                    case 3:
                        slots = dice.randrange(1, 5)
                        scheduler.reschedule({each.job: each for each in JOBS}, slots)
                    case _:
                        pass
                await clock.advance(min(dice.uniform(600, 40_000), (until - clock.now()).total_seconds() + 1))
            these.down.clear()
            await clock.advance(300)
        # Between two lives of the process: seconds, or a night.
        clock._elapsed += dice.choice([5.0, 60.0, 40_000.0])
    over = clock.now()
    async with these.scheduled(JOBS, slots=3, recheck=recheck):
        await clock.advance(4 * 3600)
    check(these, start, over)
    assert kills > 0
    assert these.probes


def check(these: FakeWorld, start: datetime, over: datetime) -> None:
    """Each turn led to one run that ended well, or is counted as passed over; none to two."""
    wanted = expected(start, over)
    for job in CALENDARS:
        # After the end of the account the world went on for a while.
        runs = [each for each in these.runs(job) if each.turn <= over and each.why == "schedule"]
        turns = {each.turn for each in runs}
        assert turns <= wanted[job], f"{job} ran at moments that its calendar does not name"
        passed = sum(times for name, _, times in these.skips if name == job)
        later = sum(each.turn > over for each in these.runs(job))
        assert len(turns) + passed >= len(wanted[job]), f"{job} lost a turn"
        assert len(turns) + passed <= len(wanted[job]) + later + passed, f"{job} invented a turn"
        done = Counter(each.turn for each in these.done if each.job == job)
        assert max(done.values()) == 1, f"{job} took a turn twice"
    nights = [each for each in these.done if each.job == "nightly"]
    assert len(these.runs("follows")) >= 0.9 * len(nights)
    assert set(these.active.values()) <= {0}


@pytest.mark.parametrize("start", ["2026-03-27T00:00", "2026-10-23T00:00"])
async def test_days_around_a_change_of_the_clock(start: str) -> None:
    """Five days with a change of the clock in two time zones or one, outages, kills and new schedules."""
    await soak(datetime.fromisoformat(start).replace(tzinfo=UTC), 5, seed=1, recheck=3600)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("start", ["2026-02-20T00:00", "2026-09-10T00:00"])
async def test_ninety_days(start: str, seed: int) -> None:
    """Ninety days with the changes of both zones in spring, and in autumn; looked at each minute."""
    await soak(datetime.fromisoformat(start).replace(tzinfo=UTC), 90, seed=seed, recheck=60)
