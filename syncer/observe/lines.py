"""Progress in words and in fields. Pure."""

from collections.abc import Mapping

from syncer.model.units import show_duration, show_size
from syncer.observe.figures import Figures, Speed
from syncer.observe.screen import printable


def seconds_left(figures: Figures, speed: Speed) -> float | None:
    """Return the seconds until all that is listed or announced has settled; None if that can't be known."""
    total = figures.total
    if total is None or speed.items <= 0:
        return None
    return max(0, total - figures.settled) / speed.items


def line(figures: Figures, speed: Speed) -> str:
    """Return one line for people: `street: 3,120 of 20,000 items, 45 MB, 210/s, about 1m 20s left, 3 retries`."""
    total = figures.total
    parts = [f"{figures.settled:,} of {total:,} items" if total is not None else f"{figures.settled:,} items"]
    if total is None and figures.units > 1:
        parts.append(f"unit {figures.units_begun:,} of {figures.units:,}")
    if total is None and figures.listed > figures.settled:
        parts.append(f"{figures.listed:,} listed so far")
    parts.append(show_size(figures.size))
    if speed.items > 0:
        parts.append(f"{_rate(speed.items)}/s")
    left = seconds_left(figures, speed)
    if left is not None and left >= 1:
        parts.append(f"about {show_duration(left)} left")
    parts += [
        f"{count:,} {word}"
        for count, word in (
            (figures.owed, "owed"),
            (figures.retries, "retry" if figures.retries == 1 else "retries"),
            (figures.throttled, "times slowed down" if figures.throttled > 1 else "time slowed down"),
            (sum(figures.limits.values()), "requests at once"),
        )
        if count
    ]
    if figures.draining:
        parts.append(f"stopping ({printable(figures.draining)})")
    return f"{printable(figures.job)}: {', '.join(parts)}" if figures.job else ", ".join(parts)


def fields(figures: Figures, speed: Speed) -> Mapping[str, object]:
    """Return the same as fields of a log line; what is not known is left out."""
    left = seconds_left(figures, speed)
    known = {
        "job": figures.job or None,
        "settled": figures.settled,
        "total": figures.total,
        "listed": figures.listed,
        "stored": figures.stored,
        "unchanged": figures.unchanged,
        "owed": figures.owed,
        "bytes": figures.size,
        "items_per_second": round(speed.items, 1),
        "bytes_per_second": round(speed.size),
        "seconds_left": None if left is None else round(left),
        "requests": figures.requests,
        "retries": figures.retries,
        "throttled": figures.throttled,
        "limit": sum(figures.limits.values()) or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004  # two digits are enough
