"""What a run's parts have to say in its report, as text between processes; and the whole of it, added up. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from syncer.flow.account import Account
from syncer.model.entries import Leg
from syncer.model.errors import Exit
from syncer.model.report import Counts, Problem, Report
from syncer.model.value import asdict


def dump(account: Account, touched: Iterable[Leg], generations: Mapping[Leg, int]) -> dict[str, Any]:
    """Return an account without its counts, as JSON values."""
    return {
        "problems": [asdict(problem) for problem in account.problems],
        "frozen": account.frozen,
        "notes": account.notes,
        "complete": account.complete,
        "resumed": account.resumed,
        "unselected": account.unselected,
        "touched": sorted(touched),
        "generations": dict(generations),
    }


def add(whole: Account, part: Mapping[str, Any]) -> tuple[list[Leg], dict[Leg, int]]:
    """Add what a part says; return the legs that it touched, and the generations that it reached."""
    for raw in part["problems"]:
        problem = Problem(**{**raw, "code": Exit(raw["code"])})
        if problem not in whole.problems:
            whole.problems.append(problem)
    whole.frozen.extend(part["frozen"])
    for text in part["notes"]:
        whole.note(text)
    whole.complete = whole.complete and part["complete"]
    whole.resumed = whole.resumed or part["resumed"]
    whole.unselected += part["unselected"]
    return part["touched"], part["generations"]


def so_far(*parts: Counts) -> Counts:
    """Return what became of items in all these parts of the work on a unit, without those that were only listed.

    They will be listed again, by whoever goes on.
    """
    counts = Counts()
    for part in parts:
        counts.add(part)
    known = counts.stored + counts.unchanged + counts.owed + counts.filtered + counts.frozen
    return replace(counts, listed=known, unsettled=0)


def report_of(values: Mapping[str, Any]) -> Report:
    """Read a report as the history keeps it."""
    known = dict(values)
    known["counts"] = Counts(**known["counts"])
    known["problems"] = tuple(Problem(**{**each, "code": Exit(each["code"])}) for each in known["problems"])
    for name in ("started", "ended", "fresh_until", "listing_since"):
        known[name] = None if known[name] is None else datetime.fromisoformat(known[name])
    for name in ("frozen", "notes"):
        known[name] = tuple(known[name])
    return Report(**known)
