"""Units of a run, as rows: a window of them in the queue, each begun under a number, each counted once when done.

The number of an attempt is what an epoch is to a ledger: a worker that froze, and was replaced, finds that its number
is no longer the unit's, and counts nothing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from syncer.fleet.queue import FINALISE, FIRST, UNIT, defer
from syncer.model.refs import Partition, PartitionKey
from syncer.model.report import Counts
from syncer.model.value import asdict
from syncer.ports import Unit
from syncer.state.tables.transaction import Transaction

#: Attempts that came to nothing, after which a unit is given up: it may be what kills its workers.
MOST = 20

# As many as the window has room for, in their order; when it is half empty, so that not every unit costs a look.
_FILL = """
UPDATE fleet_units SET state = 'queued' WHERE run = ?1 AND number IN (
    SELECT number FROM fleet_units WHERE run = ?1 AND state = 'waiting' ORDER BY number
    LIMIT (SELECT CASE WHEN count(*) * 2 > CAST(?2 AS bigint) THEN 0 ELSE CAST(?2 AS bigint) - count(*) END
           FROM fleet_units WHERE run = ?1 AND state IN ('queued', 'running'))
    FOR UPDATE SKIP LOCKED
) RETURNING number, name
"""

_BEGIN = """
UPDATE fleet_units SET state = 'running', attempts = attempts + 1, futile = futile + 1, worker = ?3,
    began = coalesce(began, clock_timestamp())
WHERE run = ?1 AND number = ?2 AND state <> 'done' RETURNING name, partitions, attempts, futile, counts
"""

_DONE = """
UPDATE fleet_units SET state = 'done', counts = ?4, result = ?5, ended = clock_timestamp()
WHERE run = ?1 AND number = ?2 AND attempts = ?3 AND state = 'running' RETURNING number
"""

_PUT_BACK = """
UPDATE fleet_units SET state = 'queued', worker = NULL, counts = ?4, futile = futile - ?5
WHERE run = ?1 AND number = ?2 AND attempts = ?3 AND state = 'running' RETURNING number
"""

# Units that nobody will ever come for: their task failed, or was lost with its worker's last words.
_LOST = """
UPDATE fleet_units AS u SET state = 'waiting', worker = NULL FROM fleet_runs AS r
WHERE r.id = u.run AND r.state = 'running' AND u.state IN ('queued', 'running') AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs AS j WHERE j.status IN ('todo', 'doing') AND j.task_name = ?1
    AND CAST(j.args ->> 'run' AS bigint) = u.run AND CAST(j.args ->> 'number' AS bigint) = u.number
) RETURNING u.run
"""


class Share(msgspec.Struct, frozen=True):
    """A unit that a worker took."""

    run: int
    number: int
    #: Which try it is; a later one makes this one count for nothing.
    attempt: int
    #: How many there were since it moved last, this one included.
    futile: int
    unit: Unit
    #: Partitions of it that were given up: their items go, and nothing is listed.
    released: frozenset[PartitionKey]
    #: What became of its items in earlier attempts.
    before: Counts


def text_of(unit: Unit, released: frozenset[PartitionKey]) -> str:
    """Return a unit's partitions as text."""
    return json.dumps(
        [[each.key.canonical(), dict(each.fields), each.key in released] for each in unit.partitions],
        ensure_ascii=False,
    )


def fill(transaction: Transaction, run: int, window: int) -> None:
    """Queue as many units of a run as the window has room for."""
    row = transaction.execute(
        "SELECT job, queue, priority FROM fleet_runs WHERE id = ? AND state = 'running' AND NOT paused"
        " AND stop IS NULL FOR UPDATE",
        (run,),
    ).fetchone()
    if row is not None:
        job, queue, priority = row
        found = sorted(transaction.execute(_FILL, (run, window)))
        defer(
            transaction, UNIT, queue, priority, [(f"{job}/{name}", {"run": run, "number": n}) for n, name in found]
        )  # fmt: skip


def finalise(transaction: Transaction, run: int) -> None:
    """Let the end of a run begin; whoever counted its last unit calls this, and so nobody twice."""
    row = transaction.execute(
        "UPDATE fleet_runs SET state = 'finalising' WHERE id = ? AND state = 'running' RETURNING job, queue, priority",
        (run,),
    ).fetchone()
    if row is not None:
        job, queue, priority = row
        defer(transaction, FINALISE, queue, FIRST + priority, [(f"{job}/", {"run": run})])


def begin(transaction: Transaction, run: int, number: int, worker: str) -> Share | None:
    """Take a unit; None if it is done."""
    row = transaction.execute(_BEGIN, (run, number, worker)).fetchone()
    if row is None:
        return None
    name, partitions, attempt, futile, counts = row
    parts: Sequence[Any] = json.loads(partitions)
    found = tuple(Partition(PartitionKey.parse(key), fields) for key, fields, _ in parts)
    released = frozenset(PartitionKey.parse(key) for key, _, gone in parts if gone)
    return Share(run, number, attempt, futile, Unit(name, found), released, counts_of(counts))


def hold(transaction: Transaction, run: int, number: int) -> None:
    """Let a queued unit wait outside of the queue: its run is paused."""
    transaction.execute(
        "UPDATE fleet_units SET state = 'waiting' WHERE run = ? AND number = ? AND state <> 'done'", (run, number)
    )


def progress(transaction: Transaction, share: Share, counts: Counts) -> None:
    """Note what became of a unit's items so far; a part of the transaction that commits them."""
    transaction.execute(
        "UPDATE fleet_units SET counts = ?, futile = 0 WHERE run = ? AND number = ? AND attempts = ?",
        (json.dumps(asdict(counts)), share.run, share.number, share.attempt),
    )


def done(transaction: Transaction, share: Share, counts: Counts, result: Mapping[str, object], window: int) -> bool:
    """Count a unit, let others take its place in the window, and begin the end of the run after the last one."""
    found = transaction.execute(
        _DONE, (share.run, share.number, share.attempt, json.dumps(asdict(counts)), json.dumps(result))
    ).fetchone()
    if found is None:
        return False
    _counted(transaction, share.run, 1)
    fill(transaction, share.run, window)
    return True


def put_back(transaction: Transaction, share: Share, counts: Counts, *, futile: bool = False) -> bool:
    """Leave a unit to the next worker, which goes on where this one stood; a futile attempt counts as one."""
    found = transaction.execute(
        _PUT_BACK, (share.run, share.number, share.attempt, json.dumps(asdict(counts)), 0 if futile else 1)
    )
    return found.fetchone() is not None


def drop(transaction: Transaction, run: int) -> None:
    """Count units that did not begin as done: nothing more is taken in."""
    dropped = transaction.execute(
        "UPDATE fleet_units SET state = 'done', ended = clock_timestamp()"
        " WHERE run = ? AND state IN ('waiting', 'queued') RETURNING number",
        (run,),
    ).fetchall()
    if dropped:
        _counted(transaction, run, len(dropped))


def results(transaction: Transaction, run: int) -> list[tuple[Counts, Mapping[str, Any] | None]]:
    """Return the counts of all units, and what each had to say; None: it never came to its end."""
    rows = transaction.execute("SELECT counts, result FROM fleet_units WHERE run = ? ORDER BY number", (run,))
    return [(counts_of(counts), None if result is None else json.loads(result)) for counts, result in rows]


def found_again(transaction: Transaction, window: int) -> int:
    """Queue again what no task stands for any more; return how many units that were."""
    runs = [run for (run,) in transaction.execute(_LOST, (UNIT,))]
    for (run,) in transaction.execute("SELECT id FROM fleet_runs WHERE state = 'running' AND NOT paused").fetchall():
        fill(transaction, run, window)
    return len(runs)


def counts_of(text: str | None) -> Counts:
    """Read counts; none are zeros."""
    return Counts() if text is None else Counts(**json.loads(text))


def _counted(transaction: Transaction, run: int, number: int) -> None:
    row = transaction.execute(
        "UPDATE fleet_runs SET remaining = remaining - ?2 WHERE id = ?1 RETURNING remaining", (run, number)
    ).fetchone()
    if row is not None and row[0] <= 0:
        finalise(transaction, run)
