"""Taking a unit over: the rows behind it, its next epoch, and what partitions bring along from other units."""

import json
import sqlite3
from collections.abc import Iterable

from syncer.model.refs import PartitionKey
from syncer.state.sqlite.outbox import adopt
from syncer.state.sqlite.session import Session


def next_epoch(connection: sqlite3.Connection, job: str) -> int:
    """Return the epoch that units of a job have at least in a run that begins now: above all that any of them had.

    Units of one run that share a folder claim it one after the other, and a destination refuses the lower epoch: one
    that joined later, or was not selected for a while, must not count below the others.
    """
    (highest,) = connection.execute(
        "SELECT coalesce(max(u.epoch), 0) FROM units AS u JOIN jobs AS j ON j.id = u.job WHERE j.name = ?", (job,)
    ).fetchone()
    return int(highest) + 1


def take_over(connection: sqlite3.Connection, session: Session, least: int = 0) -> None:
    """Make the rows behind a unit where they are missing, raise its epoch, to `least` at least, and load the ids."""
    job = job_id(connection, session.job)
    connection.execute("UPDATE jobs SET forgotten = 0 WHERE id = ?", (job,))
    connection.executemany(
        "INSERT INTO legs (job, name, url) VALUES (?, ?, ?)"
        " ON CONFLICT (job, name) DO UPDATE SET url = CASE excluded.url WHEN '' THEN url ELSE excluded.url END",
        [(job, spec.name, spec.root) for spec in session.specs.values()],
    )
    (unit,) = connection.execute(
        "INSERT INTO units (job, name) VALUES (?, ?) ON CONFLICT (job, name) DO UPDATE SET name = name RETURNING id",
        (job, session.unit.name),
    ).fetchone()
    connection.execute(
        "INSERT INTO leg_units (unit, leg) SELECT ?1, id FROM legs"
        " WHERE job = ?2 AND name IN (SELECT value FROM json_each(?3)) ON CONFLICT DO NOTHING",
        (unit, job, json.dumps(list(session.specs))),
    )
    former = _join(connection, job, unit, [partition.key for partition in session.unit.partitions])
    # A later row wins by its epoch: no unit may count below one that wrote rows of its partitions before.
    (session.epoch,) = connection.execute(
        "UPDATE units SET epoch = max(?3, 1 + (SELECT max(epoch) FROM units WHERE id = ?1"
        " OR id IN (SELECT value FROM json_each(?2)))) WHERE id = ?1 RETURNING epoch",
        (unit, json.dumps(former), least),
    ).fetchone()
    for each in former:
        adopt(connection, each, unit, session.epoch)
    session.load(connection)
    for spec in session.specs.values():
        session.fingerprints.id_of(connection, spec.fingerprint, spec.options)
        for partition in session.unit.partitions:
            session.position(connection, spec.name, partition.key)


def job_id(connection: sqlite3.Connection, name: str) -> int:
    """Return the id of a job, new or old."""
    (number,) = connection.execute(
        "INSERT INTO jobs (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id", (name,)
    ).fetchone()
    return int(number)


def _join(connection: sqlite3.Connection, job: int, unit: int, keys: Iterable[PartitionKey]) -> list[int]:
    """Put partitions into a unit; return the units that some of them left."""
    wanted = [key.canonical() for key in keys]
    left = connection.execute(
        "SELECT DISTINCT unit FROM partitions"
        " WHERE job = ? AND unit <> ? AND key IN (SELECT value FROM json_each(?)) ORDER BY unit",
        (job, unit, json.dumps(wanted)),
    ).fetchall()
    connection.executemany(
        "INSERT INTO partitions (job, key, unit) VALUES (?, ?, ?)"
        " ON CONFLICT (job, key) DO UPDATE SET unit = excluded.unit WHERE unit <> excluded.unit",
        [(job, key, unit) for key in wanted],
    )
    return [former for (former,) in left]
