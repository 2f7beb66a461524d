"""The published position of a leg: staged swaps, what a publish moves, and the way back."""

from collections.abc import Iterable
from datetime import datetime

from syncer.model.entries import Container, Leg, Published
from syncer.model.rows import spelled
from syncer.state.names import item_key
from syncer.state.tables import outbox
from syncer.state.tables.rows import PUBLISH_ITEMS, shown
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import COLUMNS, Transaction


def stage(transaction: Transaction, session: Session, leg: Leg, swaps: bytes) -> None:
    """Record a swap list."""
    session.fence(transaction)
    transaction.execute("UPDATE leg_units SET staged = ? WHERE id = ?", (swaps, session.leg_units[leg]))


def publish(transaction: Transaction, session: Session, leg: Leg, published: Published, run: str, at: datetime) -> int:
    """Turn unpublished rows into published ones and manifest rows; return how many manifest rows."""
    session.fence(transaction)
    positions, leg_unit = session.of_leg(leg), session.leg_units[leg]
    told = _tell(transaction, session, leg, run, shown(at))
    transaction.execute(PUBLISH_ITEMS, (positions,))
    transaction.execute(
        "DELETE FROM items WHERE id IN (SELECT i.id FROM pending AS p JOIN items AS i"
        " ON i.position = p.position AND i.key = p.key"
        " WHERE p.op = 'delete' AND p.position IN (SELECT CAST(value AS BIGINT) FROM json_each(?)))",
        (positions,),
    )
    _drop_pending(transaction, positions)
    transaction.execute(
        "UPDATE positions SET published_cursor = cursor, published_moved = moved, published_pass = pass"
        " WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
        (positions,),
    )
    for table in ("owed", "doomed"):
        transaction.execute(
            f"DELETE FROM {table} WHERE settled AND position IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",  # noqa: S608  # constants
            (positions,),
        )
    transaction.executemany(
        "DELETE FROM containers WHERE leg_unit = ? AND name = ?", [(leg_unit, name) for name in published.dropped]
    )
    put_containers(transaction, leg_unit, published.containers)
    transaction.execute(
        "UPDATE leg_units SET resume = ?2, published_resume = ?2, staged = NULL WHERE id = ?1",
        (leg_unit, published.resume),
    )
    return told


def rollback(transaction: Transaction, session: Session, leg: Leg) -> int:
    """Drop unpublished rows and go back to the published cursors; what they had settled is owed or doomed again."""
    session.fence(transaction)
    positions = session.of_leg(leg)
    for position in session.positions[leg].values():
        session.joined.pop(position, None)
    dropped = _drop_pending(transaction, positions)
    transaction.execute(
        "UPDATE positions SET cursor = published_cursor, moved = published_moved, pass = published_pass"
        " WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
        (positions,),
    )
    for table in ("owed", "doomed"):
        transaction.execute(
            f"UPDATE {table} SET settled = FALSE WHERE settled"  # noqa: S608  # constants
            " AND position IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
            (positions,),
        )
    transaction.execute(
        "DELETE FROM doomed WHERE position IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND NOT EXISTS"
        " (SELECT 1 FROM items AS i WHERE i.position = doomed.position AND i.key = doomed.key)",
        (positions,),
    )
    transaction.execute(
        "UPDATE leg_units SET resume = published_resume, staged = NULL WHERE id = ?", (session.leg_units[leg],)
    )
    return dropped


def put_containers(transaction: Transaction, leg_unit: int, containers: Iterable[Container]) -> None:
    """Note published containers; a name that is there already is replaced."""
    transaction.executemany(
        "INSERT INTO containers (leg_unit, name, tag, size, sha256, live, dead) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (leg_unit, name) DO UPDATE SET tag = excluded.tag, size = excluded.size,"
        " sha256 = excluded.sha256, live = excluded.live, dead = excluded.dead",
        [(leg_unit, c.name, c.tag, c.size, c.sha256, c.live, c.dead) for c in containers],
    )


def _drop_pending(transaction: Transaction, positions: str) -> int:
    """Remove the unpublished rows of these positions; return how many there were."""
    mine, all_ = transaction.execute(
        "SELECT CAST(coalesce(sum(pending) FILTER (WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))), 0)"
        " AS BIGINT), CAST(coalesce(sum(pending), 0) AS BIGINT) FROM positions",
        (positions,),
    ).fetchone()
    if transaction.alone and mine == all_:
        # Without a condition SQLite drops whole pages instead of row after row.
        transaction.execute("DELETE FROM pending")
    else:
        transaction.execute(
            "DELETE FROM pending WHERE position IN (SELECT CAST(value AS BIGINT) FROM json_each(?))", (positions,)
        )
    transaction.execute(
        "UPDATE positions SET pending = 0, pending_live = 0, pending_bytes = 0, pending_context = 0"
        " WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
        (positions,),
    )
    return int(mine)


def _tell(transaction: Transaction, session: Session, leg: Leg, run: str, at: str) -> int:
    """Append the manifest rows of everything unpublished, in key order; return how many."""
    columns = ", ".join(f"p.{name}" for name in COLUMNS.split(", "))
    rows = transaction.stream(
        f"SELECT {columns}, p.op, p.reason FROM pending AS p"  # noqa: S608  # constants
        " WHERE p.position IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND p.op <> 'keep'"
        # A row that came and went between two publishes was never seen by anybody.
        " AND (p.op <> 'delete' OR EXISTS"
        " (SELECT 1 FROM items AS i WHERE i.position = p.position AND i.key = p.key))"
        " ORDER BY p.position, p.key",
        (session.of_leg(leg),),
    )
    names, digest = session.fingerprints.names, transaction.digest_text
    told, lines = 0, list[bytes]()
    for position, key, version, mark, path, _, container, size, sha256, fields, group, _, op, reason in rows:
        item = item_key(session.names[position][1], key)
        lines.append(
            spelled(
                op, item, version, path, container, size, digest(sha256), fields or "{}", run, at, reason,
                names[mark], group,
            )
        )  # fmt: skip
        if len(lines) == outbox.CHUNK:
            outbox.append(transaction, session.leg_units[leg], session.epoch, lines)
            told, lines = told + len(lines), []
    outbox.append(transaction, session.leg_units[leg], session.epoch, lines)
    return told + len(lines)
