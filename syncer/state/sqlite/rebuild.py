"""Lost state from a manifest, and state as manifest rows: what is published is never fetched again for it."""

import sqlite3
from collections.abc import Mapping, Sequence

from syncer.model.checkpoint import LegSpec, OwedItem
from syncer.model.entries import Container, Leg, StoredRow
from syncer.model.refs import Cursor, GroupKey, PartitionKey
from syncer.model.rows import ManifestRow
from syncer.state.sqlite import debts
from syncer.state.sqlite.commit import NO_REASON
from syncer.state.sqlite.passes import UNKNOWN
from syncer.state.sqlite.publish import put_containers
from syncer.state.sqlite.rows import COLUMNS, UPSERT_ITEM, manifest_row, stored, values
from syncer.state.sqlite.session import Session


def rebuild(
    connection: sqlite3.Connection, session: Session, leg: LegSpec, rows: Sequence[ManifestRow],
    containers: Sequence[Container], cursors: Mapping[PartitionKey, Cursor | None], epoch: int,
    owed: Sequence[OwedItem],
) -> None:  # fmt: skip
    """Replace all that one leg knows of a unit. The session was just opened, under the unit's lease."""
    name = leg.name
    for key in {*cursors, *(row.key.partition for row in rows), *(item.key.partition for item in owed)}:
        session.position(connection, name, key)
    positions = session.of_leg(name)
    for table in ("items", "pending", "owed", "doomed"):
        connection.execute(
            f"DELETE FROM {table} WHERE position IN (SELECT value FROM json_each(?))",  # noqa: S608  # constants
            (positions,),
        )
    for table in ("outbox", "containers"):
        connection.execute(f"DELETE FROM {table} WHERE leg_unit = ?", (session.leg_units[name],))  # noqa: S608  # constants
    connection.execute(
        "UPDATE positions SET cursor = NULL, moved = 0, pass = 0, published_cursor = NULL, published_moved = 0,"
        " published_pass = 0, pending = 0, pending_live = 0, pending_bytes = 0, pending_context = 0"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (positions,),
    )
    connection.executemany(
        # A cursor may stand in the middle of a pass whose beginning is forgotten: that pass proves no deletions.
        "UPDATE positions SET cursor = ?2, pass = ?3, published_cursor = ?2, published_pass = ?3 WHERE id = ?1",
        [(session.position(connection, name, key), cursor, UNKNOWN) for key, cursor in cursors.items() if cursor],
    )
    current = {row.key: row for row in rows}
    connection.executemany(
        UPSERT_ITEM,
        (
            values(
                session,
                connection,
                name,
                _stored(row, leg),
                (row.reason or NO_REASON) if row.op == "withdraw" else None,
            )
            for row in current.values()
            if row.op != "delete"
        ),
    )
    debts.owe(connection, session, [item for item in owed if item.leg == name], None)
    put_containers(connection, session.leg_units[name], containers)
    connection.execute(
        "UPDATE leg_units SET resume = NULL, published_resume = NULL, staged = NULL WHERE id = ?",
        (session.leg_units[name],),
    )
    connection.execute("UPDATE units SET epoch = max(epoch, ?) WHERE id = ?", (epoch, session.unit_id))


def rows(connection: sqlite3.Connection, job: str, leg: Leg) -> list[ManifestRow]:
    """Return the published rows of a leg, in key order; the run that wrote each is not remembered."""
    fingerprints = dict(connection.execute("SELECT id, name FROM fingerprints").fetchall())
    columns = ", ".join(f"i.{name}" for name in COLUMNS.split(", "))
    found = connection.execute(
        f"SELECT p.key, {columns} FROM items AS i JOIN positions AS s ON s.id = i.position"  # noqa: S608  # constants
        " JOIN legs AS l ON l.id = s.leg JOIN partitions AS p ON p.id = s.partition JOIN jobs AS j ON j.id = l.job"
        " WHERE j.name = ? AND l.name = ? ORDER BY p.key, i.key",
        (job, leg),
    )
    result = []
    for partition, *record in found:
        row = stored(fingerprints, PartitionKey.parse(partition), record)
        result.append(manifest_row("put" if row.withdrawn is None else "withdraw", row, row.withdrawn or "", "", ""))
    return result


def _stored(row: ManifestRow, leg: LegSpec) -> StoredRow:
    """Return the row to keep; a manifest that names no fingerprint was written with the options of today."""
    return StoredRow(
        row.key, row.version, row.path, row.container, row.size, row.sha256, row.fields,
        None if row.group is None else GroupKey(row.group), row.fingerprint or leg.fingerprint,
    )  # fmt: skip
