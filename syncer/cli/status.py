"""`syncer status`: what is stored, owed and running, from the state alone."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output

if TYPE_CHECKING:
    from syncer.app.library import Syncer
    from syncer.cli.tables import Row

_COLUMNS = ("job", "sink", "items", "bytes", "owed", "doomed", "pending", "partitions", "last_run", "exit",
             "fresh_until", "running", "next_run", "paused")  # fmt: skip


async def status(
    *jobs: Annotated[str, Parameter(name="JOB", help="Jobs; all that the state knows if none is named.")],
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Show what is stored, owed and running.

    Nobody is asked but the state. The next run is the one that a daemon
    begins, if there is one.
    """
    from syncer.cli.context import opened
    from syncer.cli.exits import UsageError
    from syncer.cli.tables import show
    from syncer.settings.problems import suggestion

    async with opened(here, readonly=True) as session:
        store = session.syncer.store
        known = list(dict.fromkeys([*session.syncer.settings.jobs, *await store.jobs()]))
        for name in jobs:
            if name not in known:
                raise UsageError(f"no job {name!r}; {suggestion(name, known)}")
        rows = [row for name in dict.fromkeys(jobs or known) for row in await _rows(session.syncer, name)]
        show(rows, output, _COLUMNS, empty=f"no job ran yet ({store.url})")
    return 0


async def _rows(syncer: "Syncer", job: str) -> "list[Row]":
    from syncer.app.timetable import outlook
    from syncer.flow.fresh import HISTORY, fresh_until

    store = syncer.store
    now = await store.status(job)
    runs = await store.runs(job, HISTORY)
    last = next((run for run in runs if not run.skipped), None)
    coming, paused = await outlook(syncer, job)
    legs = sorted({*now.items, *now.bytes, *now.owed, *now.doomed, *now.pending}) or [""]
    return [
        {
            "job": job,
            "sink": leg or None,
            "items": now.items.get(leg, 0),
            "bytes": now.bytes.get(leg, 0),
            "owed": now.owed.get(leg, 0),
            "doomed": now.doomed.get(leg, 0),
            "pending": now.pending.get(leg, 0),
            "partitions": now.partitions,
            "last_run": last and last.started,
            "exit": last and last.code,
            "fresh_until": fresh_until(runs),
            "running": ", ".join(dict.fromkeys(now.leases.values())) or None,
            "next_run": coming,
            "paused": paused or None,
        }
        for leg in legs
    ]
