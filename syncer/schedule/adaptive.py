"""How soon a job looks again: quickly while work arrives, slowly when there is none, and ever slower when it fails."""

from syncer.model.errors import Exit
from syncer.model.report import Report
from syncer.schedule.due import Every

#: An idle look doubles the distance to the next one.
GROWTH = 2.0

#: A job that fails is tried at least this often, in seconds, where its schedule allows.
PATIENCE = 600.0

_FAILURES = frozenset({Exit.BUG, Exit.SETTINGS, Exit.PERMISSION, Exit.DAMAGE, Exit.NOT_NOW})


def next_pace(every: Every, pace: float, report: Report) -> float:
    """Return the distance in seconds to the next run after one that ended so."""
    pace = max(pace, every.shortest)
    if failed(report):
        # Also a fixed distance grows: a refused credential is not shown to a platform every 30 seconds.
        return min(pace * GROWTH, max(every.longest, PATIENCE))
    if not report.idle:
        return every.shortest
    return min(pace * GROWTH, every.longest)


def failed(report: Report) -> bool:
    """Tell whether a run ended in a way that another one soon would not mend."""
    return report.stopped is None and report.exit_code() in _FAILURES
