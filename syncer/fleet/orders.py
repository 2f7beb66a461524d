"""Runs of a fleet, as rows: submitted, planned, stopped, ended. Each function is part of one transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from syncer.fleet import shares
from syncer.fleet.queue import FIRST, PLAN, defer
from syncer.flow.job import RunOptions
from syncer.model.errors import Fenced
from syncer.model.report import Report
from syncer.model.value import asdict
from syncer.state.tables.transaction import Transaction

#: Runs of a job that are kept after their end, with their units.
KEPT = 5

_COLUMNS = (
    "id, job, run, state, config, options, why, queue, priority, epoch, units, paused, stop, account, refused, created"
)


class Order(msgspec.Struct, frozen=True):
    """A run that the fleet was asked for."""

    id: int
    job: str
    run: str
    #: planning, running, finalising, ended.
    state: str
    #: Name of the job's settings, as whoever asked for the run has them (`settings.differences.digest`).
    config: str
    options: RunOptions
    why: str
    queue: str
    priority: int
    epoch: int
    units: int
    paused: bool
    stop: str | None
    #: What planning has to say in the report; None before.
    account: Mapping[str, Any] | None
    #: Which worker would not take part, and why; None: none refused.
    refused: str | None
    created: datetime


def submit(
    transaction: Transaction, job: str, run: str, *, config: str, options: RunOptions, why: str, queue: str,
    priority: int,
) -> bool:  # fmt: skip
    """Ask for a run; False if the job has one already."""
    row = transaction.execute(
        "INSERT INTO fleet_runs (job, run, config, options, why, queue, priority) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (job) WHERE state <> 'ended' DO NOTHING RETURNING id",
        (job, run, config, _dumped(options), why, queue, priority),
    ).fetchone()
    if row is None:
        return False
    defer(transaction, PLAN, queue, FIRST + priority, [(f"{job}/", {"run": row[0]})])
    return True


def active(transaction: Transaction, job: str) -> Order | None:
    """Return the run that a job has now."""
    return _one(transaction, "job = ? AND state <> 'ended'", (job,))


def order(transaction: Transaction, number: int) -> Order | None:
    """Return a run by its number."""
    return _one(transaction, "id = ?", (number,))


def planned(
    transaction: Transaction, this: Order, epoch: int, units: Sequence[tuple[str, str]], said: Mapping[str, object],
    window: int,
) -> None:  # fmt: skip
    """Note the units of a run (name, partitions) and what planning has to say; let the first units begin.

    Raises:
        Fenced: somebody else planned it.
    """
    ours = transaction.execute(
        "UPDATE fleet_runs SET state = 'running', epoch = ?2, units = ?3, remaining = ?3, account = ?4"
        " WHERE id = ?1 AND state = 'planning' RETURNING stop",
        (this.id, epoch, len(units), json.dumps(said)),
    ).fetchone()
    if ours is None:
        raise _lost(this)
    transaction.executemany(
        "INSERT INTO fleet_units (run, number, name, partitions) VALUES (?, ?, ?, ?)",
        [(this.id, number, name, text) for number, (name, text) in enumerate(units)],
    )
    if not units:
        shares.finalise(transaction, this.id)
    elif ours[0] is not None:
        # It was stopped meanwhile.
        shares.drop(transaction, this.id)
    else:
        shares.fill(transaction, this.id, window)


def end(transaction: Transaction, this: Order, report: Report) -> None:
    """Note how a run ended, once; forget older ones of its job.

    Raises:
        Fenced: somebody else ended it.
    """
    ours = transaction.execute(
        "UPDATE fleet_runs SET state = 'ended', code = ?2, ended = clock_timestamp() WHERE id = ?1 AND state = ?3"
        " RETURNING id",
        (this.id, int(report.exit_code()), this.state),
    ).fetchone()
    if ours is None:
        raise _lost(this)
    transaction.execute(
        "DELETE FROM fleet_runs WHERE job = ?1 AND state = 'ended' AND id NOT IN"
        " (SELECT id FROM fleet_runs WHERE job = ?1 ORDER BY id DESC LIMIT ?2)",
        (this.job, KEPT),
    )


def stop(transaction: Transaction, job: str, reason: str) -> bool:
    """Take in no more work for the run of a job; False if it has none. Units that did not begin never do."""
    row = transaction.execute(
        "UPDATE fleet_runs SET stop = coalesce(stop, ?2) WHERE job = ?1 AND state <> 'ended' RETURNING id",
        (job, reason),
    ).fetchone()
    if row is None:
        return False
    shares.drop(transaction, row[0])
    return True


def pause(transaction: Transaction, job: str, *, paused: bool, window: int) -> bool:
    """Let no further units of a job's run begin, or let them again; False if it has no run."""
    row = transaction.execute(
        "UPDATE fleet_runs SET paused = ?2 WHERE job = ?1 AND state <> 'ended' RETURNING id", (job, paused)
    ).fetchone()
    if row is not None and not paused:
        shares.fill(transaction, row[0], window)
    return row is not None


def refuse(transaction: Transaction, number: int, words: str) -> int:
    """Note that a worker won't take part; return how often that happened to this run."""
    row = transaction.execute(
        "UPDATE fleet_runs SET refused = ?2, refusals = refusals + 1 WHERE id = ?1 RETURNING refusals", (number, words)
    ).fetchone()
    return 0 if row is None else int(row[0])


def stopped(transaction: Transaction, jobs: Sequence[str]) -> dict[str, str]:
    """Return those of the jobs whose run is to take in no more work, with the reason."""
    return dict(
        transaction.execute(
            "SELECT job, stop FROM fleet_runs WHERE job = ANY(CAST(? AS text[])) AND stop IS NOT NULL"
            " AND state <> 'ended'",
            (list(jobs),),
        )
    )


def _one(transaction: Transaction, where: str, parameters: Sequence[object]) -> Order | None:
    row = transaction.execute(f"SELECT {_COLUMNS} FROM fleet_runs WHERE {where}", parameters).fetchone()  # noqa: S608  # constants
    if row is None:
        return None
    (number, job, run, state, config, options, why, queue, priority, epoch, units, paused, halt, account, refused,
     created) = row  # fmt: skip
    return Order(
        number, job, run, state, config, _loaded(options), why, queue, priority, epoch, units, paused, halt,
        None if account is None else json.loads(account), refused, created,
    )  # fmt: skip


def _dumped(options: RunOptions) -> str:
    values = asdict(options)
    return json.dumps({name: sorted(each) if isinstance(each, frozenset) else each for name, each in values.items()})


def _loaded(text: str) -> RunOptions:
    values = json.loads(text)
    values["hold"] = frozenset(values["hold"])
    values["accept_gone"] = tuple(values["accept_gone"])
    values["shard"] = None
    return RunOptions(**values)


def _lost(this: Order) -> Fenced:
    return Fenced(f"run {this.run} of job {this.job} is no longer ours", hint="another worker went on with it")
