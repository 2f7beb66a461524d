"""What a pass did, in words for people and as JSON; named only from reports and the state."""

from collections.abc import Iterator, Mapping, Sequence

from syncer.cli.messages import labelled
from syncer.flow.finish import status
from syncer.model.checkpoint import OwedItem
from syncer.model.report import Report
from syncer.model.units import show_duration, show_size

#: Owed items that are named; `syncer owed list` names all of them.
_FEW = 5


def lines(
    report: Report, owed: Sequence[OwedItem] = (), allow_owed: int = 0, place: str | None = None
) -> Iterator[str]:
    """Yield the account of one job, with what to do about whatever keeps it from being whole.

    `place` is where the data lies, where that is known better than by the sinks' roots.
    """
    counts = report.counts
    yield f"{report.job}: {counts.reconcile()}"
    yield f"  {', '.join(_figures(report))}"
    if report.destinations:
        yield f"  in {place or ', '.join(report.destinations.values())}"
    if counts.difference:
        yield f"  the account is off by {counts.difference:,}: this is a bug in syncer"
    if report.stopped is not None:
        yield f"  stopped by {report.stopped}; run it again to go on"
    yield from _owed(report, owed, allow_owed)
    for partition in report.frozen:
        place = partition.replace(" / ", "/")
        yield f"  frozen: {partition} was synced before and is now absent; its items are kept"
        yield f"    if it was deleted on purpose: --accept-gone '{place}'"
    for note in report.notes:
        yield f"  {note}"
    if counts.held:
        yield f"  held back: {counts.held:,} deletions, more than max_delete allows; none was applied"
        yield f"    if they are right: --max-delete {counts.held}"
    told: set[str] = set()
    for problem in report.problems:
        where = f"sink {problem.leg}: " if problem.leg and problem.leg not in problem.message else ""
        if problem.message not in told:
            yield _indented(labelled("error", f"{where}{problem.message}"))
            if problem.hint:
                yield _indented(labelled("hint", problem.hint))
        told.add(problem.message)


def as_json(report: Report, allow_owed: int = 0) -> Mapping[str, object]:
    """Return a report as JSON values."""
    return {**status(report), "generations": dict(report.generations), "exit_code": int(report.exit_code(allow_owed))}


def _figures(report: Report) -> Iterator[str]:
    counts = report.counts
    yield f"{counts.stored:,} stored" + (f" ({counts.updated:,} updated)" if counts.updated else "")
    for count, word in (
        (counts.replayed, "owed before and now stored"),
        (counts.deleted, "deleted"),
        (counts.withdrawn, "withdrawn"),
    ):
        if count:
            yield f"{count:,} {word}"
    yield show_size(counts.bytes)
    again = [
        f"{count:,} {word}" for count, word in ((counts.retries, "repeated"), (counts.throttled, "throttled")) if count
    ]
    yield f"{counts.requests:,} requests" + (f" ({', '.join(again)})" if again else "")
    yield show_duration((report.ended - report.started).total_seconds())
    yield "complete" if report.complete else "not complete"


def _owed(report: Report, owed: Sequence[OwedItem], allow_owed: int) -> Iterator[str]:
    total = sum(report.owed.values())
    if not total:
        return
    allowed = f" (up to {allow_owed:,} are allowed)" if allow_owed else ""
    yield f"  owed: {total:,} items could not be had; the next pass tries them first{allowed}"
    for item in owed[:_FEW]:
        yield f"    {item.key.partition} / {item.key.item}: {item.reason}"
    if len(owed) > _FEW:
        yield f"    and {len(owed) - _FEW:,} more: syncer owed list {report.job}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
