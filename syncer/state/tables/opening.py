"""Taking a unit over: the rows behind it, its next epoch, and what partitions bring along from other units."""

import json
from collections.abc import Iterable

from syncer.model.refs import PartitionKey
from syncer.state.tables.outbox import adopt
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import Transaction


def next_epoch(transaction: Transaction, job: str) -> int:
    """Return the epoch that units of a job have at least in a run that begins now: above all that any of them had.

    Units of one run that share a folder claim it one after the other, and a destination refuses the lower epoch: one
    that joined later, or was not selected for a while, must not count below the others.
    """
    (highest,) = transaction.execute(
        "SELECT coalesce(max(u.epoch), 0) FROM units AS u JOIN jobs AS j ON j.id = u.job WHERE j.name = ?", (job,)
    ).fetchone()
    return int(highest) + 1


def take_over(transaction: Transaction, session: Session, least: int = 0) -> None:
    """Make the rows behind a unit where they are missing, raise its epoch, to `least` at least, and load the ids."""
    transaction.serialize()
    job = job_id(transaction, session.job)
    transaction.execute("UPDATE jobs SET forgotten = FALSE WHERE id = ?", (job,))
    transaction.executemany(
        "INSERT INTO legs (job, name, url) VALUES (?, ?, ?)"
        " ON CONFLICT (job, name) DO UPDATE SET url = CASE excluded.url WHEN '' THEN legs.url ELSE excluded.url END",
        [(job, spec.name, spec.root) for spec in session.specs.values()],
    )
    (unit,) = transaction.execute(
        "INSERT INTO units (job, name) VALUES (?, ?)"
        " ON CONFLICT (job, name) DO UPDATE SET name = units.name RETURNING id",
        (job, session.unit.name),
    ).fetchone()
    transaction.execute(
        "INSERT INTO leg_units (unit, leg) SELECT ?1, id FROM legs"
        " WHERE job = ?2 AND name IN (SELECT value FROM json_each(?3)) ON CONFLICT DO NOTHING",
        (unit, job, json.dumps(list(session.specs))),
    )
    former = _join(transaction, job, unit, [partition.key for partition in session.unit.partitions])
    # A later row wins by its epoch: no unit may count below one that wrote rows of its partitions before.
    (highest,) = transaction.execute(
        "SELECT max(epoch) FROM units WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
        (json.dumps([unit, *former]),),
    ).fetchone()
    session.epoch = max(least, int(highest) + 1)
    transaction.execute("UPDATE units SET epoch = ? WHERE id = ?", (session.epoch, unit))
    for each in former:
        adopt(transaction, each, unit, session.epoch)
    session.load(transaction)
    for spec in session.specs.values():
        session.fingerprints.id_of(transaction, spec.fingerprint, spec.options)
        for partition in session.unit.partitions:
            session.position(transaction, spec.name, partition.key)


def job_id(transaction: Transaction, name: str) -> int:
    """Return the id of a job, new or old."""
    (number,) = transaction.execute(
        "INSERT INTO jobs (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name = jobs.name RETURNING id", (name,)
    ).fetchone()
    return int(number)


def _join(transaction: Transaction, job: int, unit: int, keys: Iterable[PartitionKey]) -> list[int]:
    """Put partitions into a unit; return the units that some of them left."""
    wanted = [key.canonical() for key in keys]
    left = transaction.execute(
        "SELECT DISTINCT unit FROM partitions"
        " WHERE job = ? AND unit <> ? AND key IN (SELECT value FROM json_each(?)) ORDER BY unit",
        (job, unit, json.dumps(wanted)),
    ).fetchall()
    transaction.executemany(
        "INSERT INTO partitions (job, key, unit) VALUES (?, ?, ?)"
        " ON CONFLICT (job, key) DO UPDATE SET unit = excluded.unit WHERE partitions.unit <> excluded.unit",
        [(job, key, unit) for key in wanted],
    )
    return [former for (former,) in left]
