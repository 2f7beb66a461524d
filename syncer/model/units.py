"""Durations, sizes and moments as people write them: `30s`, `1h30m`, `256MB`, `2GiB`, `2026-01-31`. Pure."""

import math
import re
from datetime import UTC, datetime

#: Seconds of each unit of time.
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
#: Bytes of each unit of size; `kB` is the SI prefix, `KiB` the IEC one (IEC 80000-13).
_BYTES = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip

#: For JSON Schema: what `seconds` reads.
DURATION_PATTERN = r"^\d+(\.\d+)?$|^(\d+(\.\d+)?(ms|s|m|h|d|w)\s*)+$"
#: For JSON Schema: what `size_in_bytes` reads.
SIZE_PATTERN = r"^\d+(\.\d+)?\s*([KkMGT]i?)?B$|^\d+$"

#: Seconds of the longest duration: a hundred years, so that a clock can always be moved by it.
LONGEST = 36_525 * 86_400.0
#: Bytes of the largest size: more than any file system holds.
LARGEST = 2**63 - 1
#: Years in which a moment may lie: wide enough for labels, and far enough from the ends of the calendar.
YEARS = range(1970, 9000)

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)\s*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def seconds(value: object) -> float:
    """Read a duration; a bare number is seconds.

    Raises:
        ValueError: it is not one, or longer than a hundred years; the message shows what one looks like.
    """
    found = _seconds(value)
    if found is None:
        message = f"expected a duration such as 30s, 5m, 1h30m or 7d, got {_shown(value)}"
        raise ValueError(message)
    if found > LONGEST:
        message = f"expected a duration of at most a hundred years, got {_shown(value)}"
        raise ValueError(message)
    return found


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Compared before it is converted: an integer can be too large for a float.
        return float(min(value, 2 * LONGEST)) if 0 <= value < math.inf else None
    if isinstance(value, str) and (text := value.strip()):
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        parts = list(_DURATION_PART.finditer(text))
        if parts and "".join(part.group(0) for part in parts) == text:
            return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    return None


def size_in_bytes(value: object) -> int:
    """Read a size; a bare number is bytes, `MB` is 10^6 and `MiB` is 2^20.

    Raises:
        ValueError: it is not one, or its unit is ambiguous (`256M`).
    """
    found = _size(value)
    if found is None:
        message = f"expected a size such as 512KiB, 256MB or 2GiB, got {_shown(value)}"
        raise ValueError(message)
    if found > LARGEST:
        message = f"no disk holds a size of {_shown(value)}"
        raise ValueError(message)
    return int(found) if isinstance(found, int) else round(found)


def moment(text: str) -> datetime:
    """Read a date or a time of ISO 8601 as UTC; without an offset it counts as UTC.

    Raises:
        ValueError: it is none, or too far away to reckon with.
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        message = f"expected a date or time such as 2026-01-31 or 2026-01-31T12:00:00Z, got {text[:40]!r}"
        raise ValueError(message) from None
    if value.year not in YEARS:
        message = f"expected a year from {YEARS[0]} to {YEARS[-1]}, got {text[:40]!r}"
        raise ValueError(message)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def show_duration(value: float) -> str:
    """Return a duration for people, its two largest units: `1h 5m`, `45s`, `120ms`."""
    if 0 < value < 1:
        return f"{max(1, round(value * 1000))}ms"
    left = max(0, round(value))
    if not left:
        return "0s"
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_SECONDS[unit]))
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)


def show_size(value: float) -> str:
    """Return a size for people in decimal units: `999 B`, `1.5 MB`, `12 GB`."""
    size = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        # A value that rounds up to 1000 belongs to the next unit.
        if size < 999.5 or unit == "TB":  # noqa: PLR2004  # half a unit below a thousand
            return f"{size:.1f} {unit}" if unit != "B" and size < 9.95 else f"{size:.0f} {unit}"  # noqa: PLR2004  # two digits
        size /= 1000
    raise AssertionError  # the loop always returns at TB


def _size(value: object) -> int | float | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        number, unit = match[1], match[2].lower()
        if not unit and "." not in number:
            return int(number) if len(number) <= len(str(LARGEST)) else math.inf
        if unit in _BYTES:
            return float(number) * _BYTES[unit]
    return None


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float) and len(repr(value)) <= 40 else type(value).__name__  # noqa: PLR2004  # a message is one line
