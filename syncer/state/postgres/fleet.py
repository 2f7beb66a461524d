"""What the state knows of a fleet: its workers, its runs and what waits. One consistent view."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syncer.ports import FleetAccount, FleetQueue, FleetRun, FleetView, FleetWorker, HeadNote
from syncer.state.tables.transaction import Transaction

#: Runs that have ended, of which the newest are shown.
ENDED = 20

_WORKERS = """
SELECT id, host, pid, version, queues, concurrency, running, started,
    extract(epoch FROM clock_timestamp() - beat)::float8,
    clock_timestamp() - beat > make_interval(secs => silent), draining
FROM fleet_workers ORDER BY started, id
"""

#: Counters that a run shows.
_SHOWN = ("listed", "stored", "unchanged", "owed", "bytes")

# Units of active runs, added up where they are: a hundred workers look. Counters of ended runs stand in their reports.
_UNITS = f"""
SELECT u.run, u.state, count(*),
    count(*) FILTER (WHERE u.state = 'running' AND (w.id IS NULL
        OR clock_timestamp() - w.beat > make_interval(secs => w.silent))),
    {", ".join(f"coalesce(sum(c.{name}), 0)::bigint" for name in _SHOWN)}
FROM fleet_units AS u JOIN fleet_runs AS r ON r.id = u.run LEFT JOIN fleet_workers AS w ON w.id = u.worker
    LEFT JOIN LATERAL json_to_record(CAST(u.counts AS json)) AS c ({", ".join(f"{name} bigint" for name in _SHOWN)})
    ON TRUE
WHERE r.state <> 'ended' GROUP BY u.run, u.state
"""  # noqa: S608  # constants

_RUNS = """
SELECT f.id, f.job, f.run, f.state, f.why, f.queue, f.created, f.ended, f.units, f.paused, f.stop, f.code, h.report
FROM fleet_runs AS f LEFT JOIN runs AS h ON h.job = f.job AND h.run = f.run
WHERE f.state <> 'ended' OR f.id IN (SELECT id FROM fleet_runs WHERE state = 'ended' ORDER BY ended DESC LIMIT ?)
ORDER BY f.state = 'ended', f.created DESC, f.id DESC
"""

_ACCOUNTS = """
SELECT * FROM (
    SELECT q.name, q.origin, q.rate, q.concurrency,
        greatest(extract(epoch FROM q.resumes - clock_timestamp()), 0)::float8 AS pause,
        (SELECT count(*) FROM quota_members AS m WHERE m.quota = q.id AND m.expires > clock_timestamp()) AS members
    FROM quotas AS q
) AS each WHERE members > 0 OR pause > 0 ORDER BY name, origin
"""


def look(transaction: Transaction) -> FleetView:
    """Return the whole fleet."""
    workers = [_worker(row) for row in transaction.execute(_WORKERS)]
    units: dict[int, dict[str, tuple[int, int]]] = {}
    counts: dict[int, dict[str, int]] = {}
    for run, state, number, stalled, *told in transaction.execute(_UNITS):
        units.setdefault(run, {})[state] = (number, stalled)
        sums = counts.setdefault(run, dict.fromkeys(_SHOWN, 0))
        for name, more in zip(_SHOWN, told, strict=True):
            sums[name] += more
    runs = [_run(row, units.get(row[0], {}), counts.get(row[0], {})) for row in transaction.execute(_RUNS, (ENDED,))]
    queues: dict[str, FleetQueue] = {}
    for run in runs:
        if run.state != "ended":
            before = queues.get(run.queue, FleetQueue(run.queue, 0, 0, 0))
            queues[run.queue] = FleetQueue(
                run.queue,
                # Planning and ending a run take a worker, too.
                before.waiting + run.waiting + (run.state != "running"),
                before.running + run.running,
                before.stalled + run.stalled,
            )
    (untold,) = transaction.execute("SELECT count(*) FROM fleet_heads").fetchone()
    accounts = [FleetAccount(*row) for row in transaction.execute(_ACCOUNTS)]
    return FleetView(workers, runs, list(queues.values()), untold, accounts)


def note(transaction: Transaction, job: str, leg: str, unit: str, document: str) -> None:
    """Take down what HEAD of a manifest is to be told of a unit."""
    transaction.execute(
        "INSERT INTO fleet_heads (job, leg, unit, document) VALUES (?, ?, ?, ?)", (job, leg, unit, document)
    )


def untold(transaction: Transaction, job: str, limit: int) -> list[HeadNote]:
    """Return the oldest notes of a job."""
    rows = transaction.execute(
        "SELECT id, leg, unit, document FROM fleet_heads WHERE job = ? ORDER BY id LIMIT ?", (job, limit)
    )
    return [HeadNote(*row) for row in rows]


def forget(transaction: Transaction, notes: Sequence[HeadNote]) -> None:
    """Forget notes."""
    transaction.execute("DELETE FROM fleet_heads WHERE id = ANY(CAST(? AS bigint[]))", ([each.id for each in notes],))


def _worker(row: Any) -> FleetWorker:  # noqa: ANN401  # a row of the table
    name, host, pid, version, queues, concurrency, running, started, heard, silent, draining = row
    return FleetWorker(
        name, host, pid, version, tuple(queues.split()), concurrency, running, started, max(0.0, heard),
        "silent" if silent else "draining" if draining else "working",
    )  # fmt: skip


def _run(row: Any, units: Mapping[str, tuple[int, int]], counts: Mapping[str, int]) -> FleetRun:  # noqa: ANN401  # same
    _, job, run, state, why, queue, created, ended, total, paused, stop, code, report = row
    told: Mapping[str, Any] = counts if report is None else json.loads(report).get("counts", {})
    done = total if state == "ended" else units.get("done", (0, 0))[0]
    running, stalled = units.get("running", (0, 0))
    waiting = units.get("waiting", (0, 0))[0] + units.get("queued", (0, 0))[0]
    created_at: datetime = created
    return FleetRun(
        job, run, state, why, queue, created_at, ended, total, waiting, running, done, stalled,
        paused=paused, stop=stop, code=code, **{name: int(told.get(name, 0)) for name in _SHOWN},
    )  # fmt: skip
