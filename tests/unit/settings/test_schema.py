"""Shapes of jobs: schedules, moments, durations."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from syncer.settings.schema import FileOptions, ScheduleOptions, SelectOptions


@pytest.mark.parametrize(
    "options",
    [
        {"every": "30s"},
        {"every": "1d", "jitter": "1h"},
        {"cron": "*/5 0-6,12 * jan-dec MON-FRI"},
        {"cron": "0 2 * * *", "timezone": "Europe/Stockholm"},
        {"once": True},
        {"once": "2026-12-01T03:00:00+01:00"},
        {"after": "nightly"},
    ],
)
def test_schedules(options: dict[str, Any]) -> None:
    """Each kind of schedule is read alone."""
    assert ScheduleOptions.model_validate(options).timezone in {"UTC", "Europe/Stockholm"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "none is given"),
        ({"timezone": "UTC"}, "none is given"),
        ({"every": "30s", "cron": "0 2 * * *"}, "cron and every are given"),
        ({"cron": "0 2 * *"}, "expected five fields"),
        ({"cron": "@reboot"}, "expected five fields"),
        ({"cron": "0 2 * * $(rm)"}, "bad day-of-week"),
        ({"cron": "0 24 * * *"}, "bad hour"),
        ({"cron": "0 0 31 2 *"}, "bad day-of-month"),
        ({"every": {"min": "10m", "max": "15s"}}, "min is longer than max"),
        ({"every": {"min": "0s", "max": "15s"}}, "greater than or equal to 1"),
        ({"cron": "0 2 * * *", "timezone": "Europe/Stockholn"}, "no time zone 'Europe/Stockholn'"),
        ({"cron": "0 2 * * *", "timezone": "../../etc/passwd"}, "no time zone"),
        ({"every": "0s"}, "greater than or equal to 1"),
        ({"every": "-5s"}, "expected a duration"),
        ({"every": "fast"}, "expected a duration"),
        ({"every": True}, "expected a duration"),
        ({"once": False}, "expected true or a time"),
        ({"once": "soon"}, "expected a date or time"),
        ({"every": "5m", "jitter": "x"}, "expected a duration"),
        ({"after": "a/b"}, "not a name"),
    ],
)
def test_schedules_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    """Nothing, two things at once, and what can't be read are refused."""
    with pytest.raises(ValidationError, match=words.replace("$", r"\$").replace("(", r"\(")):
        ScheduleOptions.model_validate(options)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 12:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (datetime(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)),  # noqa: DTZ001  # naive on purpose
    ],
)
def test_moments_are_aware(text: object, moment: datetime) -> None:
    """Dates and times without an offset count as UTC."""
    assert SelectOptions.model_validate({"projects": ["x"], "since": text}).since == moment


def test_one_name_stands_for_a_list() -> None:
    """`projects: 7` is `projects: ["7"]`."""
    assert SelectOptions.model_validate({"projects": 7}).projects == ("7",)


def test_options_do_not_change_after_loading() -> None:
    """Settings are frozen."""
    with pytest.raises(ValidationError, match="frozen"):
        FileOptions().state = "memory:"  # type: ignore[misc]  # what is forbidden
