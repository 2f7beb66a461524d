"""When a job is due: calendars, distances, changes of the clock, absences."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.schedule.due import (
    COUNTED,
    After,
    Cron,
    Due,
    Every,
    Past,
    Schedule,
    Single,
    after,
    due,
    first_past,
    newest,
    share,
    words,
)

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOURLY = Schedule(Cron("0 * * * *"))


def utc(text: str) -> datetime:
    """Read a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def turns(cron: Cron, start: str, end: str) -> list[str]:
    """Return all turns between two moments, as UTC."""
    found: list[str] = []
    moment = after(cron, utc(start))
    while moment is not None and moment <= utc(end):
        found.append(f"{moment:%d %H:%M}")
        moment = after(cron, moment)
    return found


@pytest.mark.parametrize(
    ("zone", "start", "end", "expected"),
    [
        # The gap: 02:30 does not exist on the 29th; the first moment after it is 03:00 (01:00 UTC).
        (STOCKHOLM, "2026-03-27T12:00", "2026-03-30T12:00", ["28 01:30", "29 01:00", "30 00:30"]),
        (NEW_YORK, "2026-03-06T12:00", "2026-03-09T12:00", ["07 07:30", "08 07:00", "09 06:30"]),
        # The repeated hour: 02:30 (New York: 01:30) comes twice, and is taken the first time.
        (STOCKHOLM, "2026-10-24T12:00", "2026-10-26T12:00", ["25 00:30", "26 01:30"]),
    ],
)
def test_a_daily_time_comes_once(zone: ZoneInfo, start: str, end: str, expected: list[str]) -> None:
    """A time that a change of the clock leaves out comes right after it; one that comes twice is taken once."""
    assert turns(Cron("30 2 * * *", zone), start, end) == expected


def test_a_repeated_time_in_new_york_is_taken_the_first_time() -> None:
    """01:30 on the first of November is a turn at 05:30 UTC and none at 06:30."""
    found = turns(Cron("30 1 * * *", NEW_YORK), "2026-10-31T12:00", "2026-11-02T12:00")
    assert found == ["01 05:30", "02 06:30"]


@pytest.mark.parametrize("zone", [STOCKHOLM, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04"])
def test_hourly_times_follow_elapsed_time(zone: ZoneInfo, day: str) -> None:
    """No change of the clock makes a job that runs each quarter of an hour come twice or not at all."""
    start = utc(f"{day}T00:00")
    found, moment = 0, start - timedelta(hours=12)
    while (moment := after(Cron("*/15 * * * *", zone), moment) or start) < start + timedelta(hours=36):
        found += 1
        assert moment.minute % 15 == 0
    assert found == 4 * 48 - 1


@pytest.mark.parametrize("zone", [STOCKHOLM, NEW_YORK])
def test_every_moment_of_a_change_has_the_same_turns(zone: ZoneInfo) -> None:
    """Asked at any minute around a change of the clock, the newest passed turn and the next one are neighbours."""
    cron = Cron("30 2,3 * * *", zone)
    changes = {STOCKHOLM: ("2026-03-28T20:00", "2026-10-24T20:00"), NEW_YORK: ("2026-03-08T02:00", "2026-11-01T02:00")}
    for start in changes[zone]:
        begin = utc(start) - timedelta(days=2)
        all_turns = []
        while (moment := after(cron, all_turns[-1] if all_turns else begin)) and moment < begin + timedelta(days=5):
            all_turns.append(moment)
        for minute in range(0, 12 * 60, 7):
            now = utc(start) + timedelta(minutes=minute, seconds=13)
            passed = newest(cron, begin, now)
            coming = after(cron, now)
            assert passed == [turn for turn in all_turns if turn <= now]
            assert coming == next(turn for turn in all_turns if turn > now)


def test_the_first_run_of_a_distance_begins_at_once() -> None:
    """`every` begins when it is first seen, keeps to its grid however late it is looked at, and misses nothing."""
    schedule = Schedule(Every(30, 30))
    past = first_past(schedule, NOON)
    assert due(schedule, NOON, past).turn == NOON
    later = due(schedule, NOON + timedelta(seconds=100), Past(NOON))
    assert (later.turn, later.missed) == (NOON + timedelta(seconds=90), 0)
    assert later.next == NOON + timedelta(seconds=120)
    assert due(schedule, NOON + timedelta(seconds=29), Past(NOON)) == Due(next=NOON + timedelta(seconds=30))


def test_cron_waits_for_its_first_time() -> None:
    """A job that is first seen at noon has no turn before one o'clock."""
    past = first_past(HOURLY, NOON)
    assert due(HOURLY, NOON, past) == Due(next=NOON + timedelta(hours=1))


def test_missed_turns_are_made_up_for_by_one_run() -> None:
    """After five hours away one run is due, for the newest turn; four others are counted as missed."""
    found = due(HOURLY, NOON + timedelta(hours=5, minutes=20), Past(NOON))
    assert (found.turn, found.missed) == (NOON + timedelta(hours=5), 4)
    assert found.next == NOON + timedelta(hours=6)


def test_missed_turns_can_be_let_go() -> None:
    """With `catch_up: none`, or later than `misfire`, nothing is due, and all five are counted."""
    now = NOON + timedelta(hours=5, minutes=20)
    for schedule in (Schedule(HOURLY.kind, catch_up="none"), Schedule(HOURLY.kind, misfire=600)):
        found = due(schedule, now, Past(NOON))
        assert (found.turn, found.missed, found.passed) == (None, 5, NOON + timedelta(hours=5))
    assert due(Schedule(HOURLY.kind, misfire=1300), now, Past(NOON)).turn == NOON + timedelta(hours=5)
    on_time = due(Schedule(HOURLY.kind, catch_up="none"), NOON + timedelta(hours=1, seconds=59), Past(NOON))
    assert on_time.turn == NOON + timedelta(hours=1)


def test_a_long_absence_is_cheap_to_count() -> None:
    """A year of minutes is not walked through: the number of missed turns ends where it says nothing more."""
    found = due(Schedule(Cron("* * * * *")), NOON + timedelta(days=365), Past(NOON))
    assert (found.turn, found.missed) == (NOON + timedelta(days=365), COUNTED - 1)


def test_a_clock_set_back_takes_no_turn_twice() -> None:
    """An hour back: the turn that was taken does not come again. A wrong year ahead: it is forgotten."""
    taken = Past(NOON)
    assert due(HOURLY, NOON - timedelta(minutes=30), taken) == Due(next=NOON + timedelta(hours=1))
    wrong = Past(NOON + timedelta(days=365))
    assert due(HOURLY, NOON, wrong) == Due(next=NOON + timedelta(hours=1))
    assert due(Schedule(Every(30, 30)), NOON, wrong) == Due(next=NOON + timedelta(seconds=30))


def test_a_job_follows_another_whenever_it_was_asked_to() -> None:
    """`after` has no times of its own."""
    schedule = Schedule(After("highway"))
    assert due(schedule, NOON, Past(NOON - timedelta(days=1))) == Due()
    asked = Past(NOON - timedelta(hours=1), asked=NOON - timedelta(minutes=1))
    assert due(schedule, NOON, asked) == Due(turn=asked.asked)
    assert due(schedule, NOON, Past(NOON, asked=asked.asked)) == Due()


def test_a_single_time_comes_once() -> None:
    """`once` with a time is due from then on until it was taken."""
    schedule = Schedule(Single(NOON))
    past = first_past(schedule, NOON - timedelta(days=3))
    assert due(schedule, NOON - timedelta(days=3), past) == Due(next=NOON)
    assert due(schedule, NOON + timedelta(hours=9), past).turn == NOON
    assert due(schedule, NOON + timedelta(hours=9), Past(NOON)) == Due()


def test_jitter_is_a_share_of_its_own() -> None:
    """Each job is put off by the same part of the jitter each time, and jobs are spread over it."""
    shares = [share(f"job-{number}", 600).total_seconds() for number in range(200)]
    assert shares == [share(f"job-{number}", 600).total_seconds() for number in range(200)]
    assert min(shares) < 60
    assert 540 < max(shares) <= 600
    schedule = Schedule(HOURLY.kind, jitter=600)
    put_off = share("street", 600)
    found = due(schedule, NOON, Past(NOON - timedelta(minutes=5)), "street")
    assert found == Due(next=NOON + put_off)
    assert due(schedule, NOON + put_off, Past(NOON - timedelta(minutes=5)), "street").turn == NOON


@given(
    zone=st.sampled_from([STOCKHOLM, NEW_YORK, ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")]),
    expression=st.sampled_from(["30 2 * * *", "0 */6 * * *", "*/20 * * * *", "15 1 * * 0", "0 0 1 * *"]),
    looks=st.lists(st.floats(1, 400_000), min_size=1, max_size=30),
    jitter=st.sampled_from([0.0, 3600.0]),
)
def test_turns_are_taken_or_counted_never_both(
    zone: ZoneInfo, expression: str, looks: list[float], jitter: float
) -> None:
    """However rarely the clock is looked at, each turn is taken once or counted as missed once."""
    schedule = Schedule(Cron(expression, zone), jitter)
    start = datetime(2026, 2, 20, tzinfo=zone).astimezone(UTC)
    past, now, seen = Past(start), start, 0
    for pause in looks:
        now += timedelta(seconds=pause)
        found = due(schedule, now, past, "job")
        if found.passed is not None:
            assert found.passed > past.last
            seen += found.missed + (found.turn is not None)
            past = Past(found.passed)
        assert found.next is not None
        assert found.next > now
    expected, moment = 0, after(schedule.kind, start) if isinstance(schedule.kind, Cron) else None
    while moment is not None and moment + share("job", jitter) <= now and isinstance(schedule.kind, Cron):
        expected += 1
        moment = after(schedule.kind, moment)
    assert seen == expected or seen >= COUNTED


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (None, "by hand"),
        (Schedule(Cron("0 2 * * *", STOCKHOLM)), "cron 0 2 * * * Europe/Stockholm"),
        (Schedule(Every(30, 30)), "every 30s"),
        (Schedule(Every(15, 600)), "every 15s to 10m"),
        (Schedule(Single(None)), "once, at the start"),
        (Schedule(Single(NOON)), "once at 2026-06-01 12:00 UTC"),
        (Schedule(After("highway")), "after highway"),
    ],
)
def test_schedules_in_words(schedule: Schedule | None, text: str) -> None:
    """A schedule reads like its configuration."""
    assert words(schedule) == text
