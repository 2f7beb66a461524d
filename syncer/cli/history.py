"""`syncer history`: the last runs."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from syncer.cli.options import EVERYWHERE, Everywhere, Output

if TYPE_CHECKING:
    from syncer.cli.tables import Row
    from syncer.ports import RunRow

_COUNTS = ("listed", "stored", "updated", "unchanged", "owed", "deleted", "bytes", "requests")


async def history(
    job: Annotated[str | None, Parameter(help="Only runs of this job.")] = None,
    /,
    *,
    limit: Annotated[int, Parameter(metavar="N", validator=Number(gte=1), help="So many runs. Default: 20.")] = 20,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Show the last runs, the newest first."""
    from syncer.cli.context import opened
    from syncer.cli.exits import UsageError
    from syncer.cli.tables import show
    from syncer.settings.problems import suggestion

    async with opened(here, readonly=True) as session:
        known = {*session.syncer.settings.jobs, *await session.syncer.store.jobs()}
        if job is not None and job not in known:
            raise UsageError(f"no job {job!r}; {suggestion(job, known)}")
        runs = await session.syncer.store.runs(job, limit)
        rows = [_row(each) if output == "table" else _whole(each) for each in runs]
        show(rows, output, empty="no job ran yet")
    return 0


def _row(run: "RunRow") -> "Row":
    counts = run.report.get("counts")
    return {
        "job": run.job,
        "run": run.run,
        "started": run.started,
        "seconds": (run.ended - run.started).total_seconds() if run.ended else None,
        "exit": run.code,
        "stopped": run.report.get("stopped"),
        **{name: counts.get(name) if isinstance(counts, dict) else None for name in _COUNTS},
    }


def _whole(run: "RunRow") -> "Row":
    return {
        "job": run.job, "run": run.run, "started": run.started, "ended": run.ended, "exit_code": run.code,
        "report": run.report,
    }  # fmt: skip
