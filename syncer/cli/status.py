"""`syncer status`: what is stored, owed and running, from the state alone."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output

if TYPE_CHECKING:
    from syncer.cli.tables import Row
    from syncer.ports import StateStore

_COLUMNS = ("job", "sink", "items", "bytes", "owed", "doomed", "pending", "partitions", "last_run", "exit",
            "fresh_until", "running")  # fmt: skip


async def status(
    *jobs: Annotated[str, Parameter(name="JOB", help="Jobs; all that the state knows if none is named.")],
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Show what is stored, owed and running.

    Nobody is asked but the state.
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
        rows = [row for name in dict.fromkeys(jobs or known) for row in await _rows(store, name)]
        show(rows, output, _COLUMNS, empty=f"no job ran yet ({store.url})")
    return 0


async def _rows(store: "StateStore", job: str) -> "list[Row]":
    from syncer.flow.fresh import HISTORY, fresh_until

    now = await store.status(job)
    runs = await store.runs(job, HISTORY)
    last = next(iter(runs), None)
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
        }
        for leg in legs
    ]
