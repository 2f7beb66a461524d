"""The published position of a leg: staged swaps, what a publish moves, and the way back."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from syncer.model.entries import Container, Leg, Published
from syncer.model.rows import encode_row
from syncer.state.names import item_key
from syncer.state.sqlite import outbox
from syncer.state.sqlite.rows import COLUMNS, PUBLISH_ITEMS, manifest_row, shown, stored
from syncer.state.sqlite.session import Session


def stage(connection: sqlite3.Connection, session: Session, leg: Leg, swaps: bytes) -> None:
    """Record a swap list."""
    session.fence(connection)
    connection.execute("UPDATE leg_units SET staged = ? WHERE id = ?", (swaps, session.leg_units[leg]))


def publish(
    connection: sqlite3.Connection, session: Session, leg: Leg, published: Published, run: str, at: datetime
) -> int:
    """Turn unpublished rows into published ones and manifest rows; return how many manifest rows."""
    session.fence(connection)
    positions, leg_unit = session.of_leg(leg), session.leg_units[leg]
    told = _tell(connection, session, leg, run, shown(at))
    connection.execute(PUBLISH_ITEMS, (positions,))
    connection.execute(
        "DELETE FROM items WHERE id IN (SELECT i.id FROM pending AS p JOIN items AS i"
        " ON i.position = p.position AND i.key = p.key"
        " WHERE p.op = 'delete' AND p.position IN (SELECT value FROM json_each(?)))",
        (positions,),
    )
    _drop_pending(connection, positions)
    connection.execute(
        "UPDATE positions SET published_cursor = cursor, published_moved = moved, published_pass = pass"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (positions,),
    )
    for table in ("owed", "doomed"):
        connection.execute(
            f"DELETE FROM {table} WHERE settled AND position IN (SELECT value FROM json_each(?))",  # noqa: S608  # constants
            (positions,),
        )
    connection.executemany(
        "DELETE FROM containers WHERE leg_unit = ? AND name = ?", [(leg_unit, name) for name in published.dropped]
    )
    put_containers(connection, leg_unit, published.containers)
    connection.execute(
        "UPDATE leg_units SET resume = ?2, published_resume = ?2, staged = NULL WHERE id = ?1",
        (leg_unit, published.resume),
    )
    return told


def rollback(connection: sqlite3.Connection, session: Session, leg: Leg) -> int:
    """Drop unpublished rows and go back to the published cursors; what they had settled is owed or doomed again."""
    session.fence(connection)
    positions = session.of_leg(leg)
    for position in session.positions[leg].values():
        session.joined.pop(position, None)
    dropped = _drop_pending(connection, positions)
    connection.execute(
        "UPDATE positions SET cursor = published_cursor, moved = published_moved, pass = published_pass"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (positions,),
    )
    for table in ("owed", "doomed"):
        connection.execute(
            f"UPDATE {table} SET settled = 0 WHERE settled AND position IN (SELECT value FROM json_each(?))",  # noqa: S608  # constants
            (positions,),
        )
    connection.execute(
        "DELETE FROM doomed WHERE position IN (SELECT value FROM json_each(?)) AND NOT EXISTS"
        " (SELECT 1 FROM items AS i WHERE i.position = doomed.position AND i.key = doomed.key)",
        (positions,),
    )
    connection.execute(
        "UPDATE leg_units SET resume = published_resume, staged = NULL WHERE id = ?", (session.leg_units[leg],)
    )
    return dropped


def put_containers(connection: sqlite3.Connection, leg_unit: int, containers: Iterable[Container]) -> None:
    """Note published containers; a name that is there already is replaced."""
    connection.executemany(
        "INSERT INTO containers (leg_unit, name, tag, size, sha256, live, dead) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (leg_unit, name) DO UPDATE SET tag = excluded.tag, size = excluded.size,"
        " sha256 = excluded.sha256, live = excluded.live, dead = excluded.dead",
        [(leg_unit, c.name, c.tag, c.size, c.sha256, c.live, c.dead) for c in containers],
    )


def _drop_pending(connection: sqlite3.Connection, positions: str) -> int:
    """Remove the unpublished rows of these positions; return how many there were."""
    mine, all_ = connection.execute(
        "SELECT coalesce(sum(pending) FILTER (WHERE id IN (SELECT value FROM json_each(?))), 0),"
        " coalesce(sum(pending), 0) FROM positions",
        (positions,),
    ).fetchone()
    if mine == all_:
        # Without a condition SQLite drops whole pages instead of row after row.
        connection.execute("DELETE FROM pending")
    else:
        connection.execute("DELETE FROM pending WHERE position IN (SELECT value FROM json_each(?))", (positions,))
    connection.execute(
        "UPDATE positions SET pending = 0, pending_live = 0, pending_bytes = 0, pending_context = 0"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (positions,),
    )
    return int(mine)


def _tell(connection: sqlite3.Connection, session: Session, leg: Leg, run: str, at: str) -> int:
    """Append the manifest rows of everything unpublished, in key order; return how many."""
    columns = ", ".join(f"p.{name}" for name in COLUMNS.split(", "))
    rows = connection.execute(
        f"SELECT {columns}, p.op, p.reason FROM pending AS p"  # noqa: S608  # constants
        " WHERE p.position IN (SELECT value FROM json_each(?)) AND p.op <> 'keep'"
        # A row that came and went between two publishes was never seen by anybody.
        " AND (p.op <> 'delete' OR EXISTS"
        " (SELECT 1 FROM items AS i WHERE i.position = p.position AND i.key = p.key))"
        " ORDER BY p.position, p.key",
        (session.of_leg(leg),),
    )
    told, lines = 0, list[bytes]()
    for *record, op, reason in rows:
        row = stored(session.fingerprints.names, item_key(session.names[record[0]][1], record[1]), record)
        lines.append(encode_row(manifest_row(op, row, reason, run, at)))
        if len(lines) == outbox.CHUNK:
            outbox.append(connection, session.leg_units[leg], session.epoch, lines)
            told, lines = told + len(lines), []
    outbox.append(connection, session.leg_units[leg], session.epoch, lines)
    return told + len(lines)
