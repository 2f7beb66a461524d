"""Freshness: up to which moment a destination is known to hold everything that was finished by then. Pure.

It moves with a run alone that listed everything to its end and got everything stored and published, and it moves to
the moment when that listing began: what was finished later may not have been seen. Whatever a run leaves out keeps it
where it was, so it can never look well while nobody sees. The history carries it on from run to run.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from syncer.model.report import Report
from syncer.ports import RunRow

#: Lines of history that are looked through for the last run that came to its own end.
HISTORY = 200

#: When a listing began that nobody knows the beginning of: nothing but killed runs in all these lines.
LONG_AGO = datetime.fromtimestamp(0, UTC)


def judged(report: Report, history: Sequence[RunRow], *, resumed: bool, published: bool) -> Report:
    """Return the report with its freshness.

    Args:
        report: The run as it ended.
        history: The newest lines of the job's history, newest first, up to `HISTORY`.
        resumed: A listing went on from where an earlier run stood, so it began before this run.
        published: Nothing that is committed waits for being published.
    """
    before = [row for row in history if row.run != report.run]
    began = _began(report, before)
    whole = report.complete and report.stopped is None and not report.problems
    left_out = sum(report.owed.values()) or report.frozen or report.counts.held or report.notes
    if whole and published and not left_out:
        until: datetime | None = began if resumed else report.started
    else:
        until = next((_time(row, "fresh_until") for row in before if _told(row, report.share)), None)
    return replace(report, fresh_until=until, listing_since=None if whole else began)


def fresh_until(history: Sequence[RunRow]) -> datetime | None:
    """Return the freshness of a job by the newest lines of its history, newest first; None if none is known.

    Of a job that runs in shares, what all of them have reached.
    """
    newest: dict[str, datetime | None] = {}
    for row in history:
        share = row.report.get("share")
        if isinstance(share, str) and not row.skipped:
            newest.setdefault(share, _time(row, "fresh_until"))
    if not newest:
        return None
    count = int(next(iter(newest)).partition("/")[2])
    reached = [newest.get(f"{index}/{count}") for index in range(count)]
    known = [each for each in reached if each is not None]
    return min(known) if len(known) == count else None


def _began(report: Report, before: Sequence[RunRow]) -> datetime:
    """Return a moment at or before which the listings that ended with this run began.

    A run that came to its end says so for those that it left unfinished. One that was killed says nothing: it may have
    begun some.
    """
    earliest = report.started
    for row in before:
        if _told(row, report.share):
            return _time(row, "listing_since") or earliest
        earliest = min(earliest, row.started)
    return earliest if len(before) < HISTORY - 1 else LONG_AGO


def _told(row: RunRow, share: str) -> bool:
    return row.report.get("share") == share and not row.skipped


def _time(row: RunRow, name: str) -> datetime | None:
    value = row.report.get(name)
    return datetime.fromisoformat(value) if isinstance(value, str) else None
