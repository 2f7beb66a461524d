"""Durations and sizes as people write them: `30s`, `1h30m`, `256MB`, `2GiB`. Pure."""

import math
import re

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

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)\s*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def seconds(value: object) -> float:
    """Read a duration; a bare number is seconds.

    Raises:
        ValueError: it is not one; the message shows what one looks like.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value >= 0 and math.isfinite(value):
            return float(value)
    elif isinstance(value, str) and (text := value.strip()):
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        parts = list(_DURATION_PART.finditer(text))
        if parts and "".join(part.group(0) for part in parts) == text:
            return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    message = f"expected a duration such as 30s, 5m, 1h30m or 7d, got {_shown(value)}"
    raise ValueError(message)


def size_in_bytes(value: object) -> int:
    """Read a size; a bare number is bytes, `MB` is 10^6 and `MiB` is 2^20.

    Raises:
        ValueError: it is not one, or its unit is ambiguous (`256M`).
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        number, unit = match[1], match[2].lower()
        if not unit and "." not in number:
            return int(number)
        if unit in _BYTES:
            return round(float(number) * _BYTES[unit])
    message = f"expected a size such as 512KiB, 256MB or 2GiB, got {_shown(value)}"
    raise ValueError(message)


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


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float) and len(repr(value)) <= 40 else type(value).__name__  # noqa: PLR2004  # a message is one line
