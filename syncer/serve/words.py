"""What states, outcomes and figures are called on the page."""

from collections.abc import Mapping
from datetime import UTC, datetime

from syncer.model.errors import Exit
from syncer.model.units import show_duration, show_size
from syncer.ports import CircuitState, JobView, RunRow
from syncer.serve.html import Markup, element

#: How something stands, for its colour: the word beside it says the same.
Tone = str

_STATES: Mapping[str, tuple[str, Tone]] = {
    "idle": ("Idle", "calm"),
    "waiting": ("Waiting for its turn", "busy"),
    "running": ("Running", "busy"),
    "draining": ("Finishing", "busy"),
    "paused": ("Paused", "held"),
    "never": ("Only by hand", "calm"),
}
_CIRCUITS: Mapping[CircuitState, tuple[str, Tone]] = {
    "closed": ("Reachable", "good"),
    "open": ("Left alone", "bad"),
    "half-open": ("Being tried", "held"),
}
_OUTCOMES: Mapping[int, tuple[str, Tone]] = {
    Exit.DONE: ("Done", "good"),
    Exit.BUG: ("Failed: a bug", "bad"),
    Exit.USAGE: ("Failed: usage", "bad"),
    Exit.OWING: ("Done, but owing", "held"),
    Exit.DAMAGE: ("Damage found", "bad"),
    Exit.STOPPED: ("Stopped as asked", "held"),
    Exit.NOT_NOW: ("Not now", "bad"),
    Exit.PERMISSION: ("Refused: permission", "bad"),
    Exit.SETTINGS: ("Refused: settings", "bad"),
}


def state(view: JobView) -> tuple[str, Tone]:
    """Return what a job does now."""
    word, tone = _STATES[view.state]
    if view.paused and view.state != "paused":
        return f"{word}, then paused", "held"
    return word, tone


def circuit(value: CircuitState) -> tuple[str, Tone]:
    """Return how a platform stands."""
    return _CIRCUITS[value]


def outcome(run: RunRow) -> tuple[str, Tone]:
    """Return how a run ended."""
    if run.ended is None:
        return "Not ended", "held"
    if run.code is None:
        return "Ended", "calm"
    return _OUTCOMES.get(run.code, (f"Failed: {run.code}", "bad"))


def counts(run: RunRow) -> Mapping[str, int]:
    """Return the counts of a run's report; what is missing or no number is left out."""
    found = run.report.get("counts")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): value for name, value in found.items() if isinstance(value, int)}


def problem(run: RunRow) -> str | None:
    """Return the first thing that kept a run from being whole."""
    problems = run.report.get("problems")
    first = problems[0] if isinstance(problems, list) and problems else None
    if isinstance(first, Mapping) and isinstance(first.get("message"), str):
        return str(first["message"])
    stopped = run.report.get("stopped")
    return f"stopped by {stopped}" if isinstance(stopped, str) else None


def took(run: RunRow) -> str:
    """Return how long a run took."""
    return "" if run.ended is None else show_duration((run.ended - run.started).total_seconds())


def rate(value: float) -> str:
    """Return a rate: one digit more below ten."""
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004  # two figures say enough


def size(value: float) -> str:
    """Return bytes in words."""
    return show_size(int(value))


def moment(value: datetime | None, nothing: str = "never") -> Markup:
    """Return a time that reads as it stands, and that the script makes relative (`in 4 min`)."""
    if value is None:
        return element("span", nothing, class_="none")
    there = value.astimezone(UTC)
    text = f"{there.day} {there:%b %H:%M} UTC"
    return element("time", text, datetime=f"{there:%Y-%m-%dT%H:%M:%SZ}")


def badge(word: str, tone: Tone) -> Markup:
    """Return a state as word and colour."""
    return element("span", word, class_=f"badge {tone}")


def plural(value: int, one: str, many: str) -> str:
    """Return a count with its noun."""
    return f"{value:,} {one if value == 1 else many}"
