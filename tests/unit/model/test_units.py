"""Durations and sizes."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    moment,
    seconds,
    show_duration,
    show_size,
    size_in_bytes,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("30", 30),
        (30, 30),
        (0.5, 0.5),
        ("0s", 0),
        (" 5m ", 300),
    ],
)
def test_durations(text: object, value: float) -> None:
    """Every spelling is read as seconds, and the published pattern accepts the texts."""
    assert seconds(text) == pytest.approx(value)
    assert not isinstance(text, str) or re.search(DURATION_PATTERN, text.strip())


@pytest.mark.parametrize(
    "text", ["", "s", "5 minutes", "-5s", -1, "1h30", "30x", True, None, [], float("nan"), float("inf"), "5S", "1e3s"]
)
def test_what_is_no_duration(text: object) -> None:
    """Anything else is refused, with examples."""
    with pytest.raises(ValueError, match="expected a duration such as 30s, 5m, 1h30m or 7d"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512KiB", 524288),
        ("256MB", 256_000_000),
        ("2GiB", 2**31),
        ("1.5GiB", 3 * 2**29),
        ("10 kB", 10_000),
        ("7B", 7),
        ("42", 42),
        (42, 42),
        ("1TB", 10**12),
        ("0", 0),
    ],
)
def test_sizes(text: object, value: int) -> None:
    """Decimal and binary units are kept apart, and the published pattern accepts the texts."""
    assert size_in_bytes(text) == value
    assert not isinstance(text, str) or re.search(SIZE_PATTERN, text)


@pytest.mark.parametrize("text", ["", "256M", "2G", "1.5", "-1MB", -1, "MB", "1 zb", True, None, 1.5])
def test_what_is_no_size(text: object) -> None:
    """Ambiguous units (`256M`) and everything else are refused, with examples."""
    with pytest.raises(ValueError, match="expected a size such as 512KiB, 256MB or 2GiB"):
        size_in_bytes(text)


def test_a_long_value_is_not_repeated() -> None:
    """A message stays one short line."""
    with pytest.raises(ValueError, match=r"got str$"):
        seconds("x" * 1000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0s"),
        (0.12, "120ms"),
        (0.0001, "1ms"),
        (45, "45s"),
        (60, "1m"),
        (65, "1m 5s"),
        (3605, "1h"),
        (3900, "1h 5m"),
        (90061, "1d 1h"),
        (59.7, "1m"),
        (604800, "7d"),
    ],
)
def test_durations_for_people(value: float, text: str) -> None:
    """Two units at most."""
    assert show_duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1536, "1.5 kB"),
        (45_600_000, "46 MB"),
        (999_900, "1.0 MB"),
        (2_000_000_000, "2.0 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes_for_people(value: float, text: str) -> None:
    """Decimal units, two or three digits."""
    assert show_size(value) == text


@given(st.integers(min_value=0, max_value=10**9))
def test_whole_seconds_survive(value: int) -> None:
    """A whole number of seconds with its unit is read back as itself."""
    assert seconds(f"{value}s") == value
    assert size_in_bytes(f"{value}B") == value


@pytest.mark.parametrize("text", ["100000000d", "9" * 400, "9" * 400 + "h", 10**400, "101w 36500d"])
def test_a_duration_that_no_clock_can_add(text: object) -> None:
    """Durations beyond a hundred years are refused where they are read, not where a clock meets them."""
    with pytest.raises(ValueError, match="at most a hundred years"):
        seconds(text)


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "9" * 400 + "GB", 10**30])
def test_a_size_that_no_disk_has(text: object) -> None:
    """Sizes beyond any file system are refused."""
    with pytest.raises(ValueError, match="no disk holds"):
        size_in_bytes(text)


def test_moments() -> None:
    """A date or time is UTC where it does not say; another zone is turned into UTC."""
    assert moment("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert moment("2026-01-31T01:00:00+02:00") == datetime(2026, 1, 30, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "soon", ""])
def test_what_is_no_moment(text: str) -> None:
    """Times that can't be reckoned with are refused, as is anything else."""
    with pytest.raises(ValueError, match="expected a"):
        moment(text)
