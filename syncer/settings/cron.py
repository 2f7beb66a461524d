"""Cron expressions and time zones as the file may have them."""

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_FIELDS = 5

#: Names that stand for expressions.
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@cache
def zone(name: str) -> tzinfo:
    """Return a time zone; it is read from disk the first time, which is when a configuration is loaded.

    Raises:
        ValueError: this machine knows none of that name.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"no time zone {name[:80]!r} on this machine (names as in Europe/Stockholm)"
        raise ValueError(message) from None


def plain_cron(text: str) -> str:
    """Return an expression of five fields."""
    return _NAMED.get(text.strip().lower(), " ".join(text.split()))


def check_cron(text: str) -> None:
    """Refuse what is no cron expression, or names no moment at all.

    Raises:
        ValueError: saying which.
    """
    expression = plain_cron(text)
    if len(expression.split()) != _FIELDS:
        message = f"expected five fields (minute hour day month weekday) or {', '.join(_NAMED)}, got {text[:80]!r}"
        raise ValueError(message)
    try:
        next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        message = f"{str(error).lower()} in {text[:80]!r} (minute hour day month weekday)"
        raise ValueError(message) from None
    except StopIteration:
        message = f"{text[:80]!r} never comes"
        raise ValueError(message) from None
