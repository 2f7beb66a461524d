"""Lost state from a manifest, and state as manifest rows: what is published is never fetched again for it."""

from collections.abc import Mapping, Sequence
from itertools import count

from syncer.model.checkpoint import LegSpec, OwedItem
from syncer.model.entries import Container, Leg, StoredRow
from syncer.model.refs import Cursor, GroupKey, PartitionKey
from syncer.model.rows import ManifestRow
from syncer.state.names import item_key
from syncer.state.tables import debts
from syncer.state.tables.commit import NO_REASON
from syncer.state.tables.passes import UNKNOWN
from syncer.state.tables.publish import put_containers
from syncer.state.tables.rows import manifest_row, stored, tokens, values
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import COLUMNS, Record, Transaction

_NUMBERS = count(1)


class Rebuilding:
    """Rows of a manifest on their way into a ledger: gathered in a table aside, then moved in one transaction.

    What the ledger held before stays until then, so that a manifest that can't be read to its end changes nothing.
    """

    def __init__(self, session: Session, leg: LegSpec) -> None:
        """Take a unit that is open under its lease, and the leg to rebuild."""
        self.session = session
        self.leg = leg
        self.table = f"rebuilding_{next(_NUMBERS)}"

    def begin(self, transaction: Transaction) -> None:
        """Make the table: on disk if it grows large, gone with the connection at the latest."""
        transaction.execute(f"CREATE TEMP TABLE {self.table} AS SELECT {COLUMNS} FROM items WHERE FALSE")  # noqa: S608  # constants
        transaction.execute(f"CREATE UNIQUE INDEX {self.table}_key ON {self.table} (position, key)")

    def add(self, rows: Sequence[ManifestRow], transaction: Transaction) -> None:
        """Take the next rows: a later row of a key replaces or deletes the earlier one."""
        name = self.leg.name
        last: dict[tuple[int, str], Record | None] = {}
        for row, (partition, text) in zip(rows, tokens(row.key for row in rows), strict=True):
            position = self.session.position(transaction, name, partition)
            last[position, text] = None
            if row.op != "delete":
                withdrawn = (row.reason or NO_REASON) if row.op == "withdraw" else None
                record = values(transaction, self.session, name, position, text, _stored(row, self.leg), withdrawn)
                last[position, text] = record
        transaction.put(self.table, [record for record in last.values() if record is not None])
        transaction.executemany(
            f"DELETE FROM {self.table} WHERE position = ? AND key = ?",  # noqa: S608  # constants
            [at for at, record in last.items() if record is None],
        )

    def finish(
        self, transaction: Transaction, containers: Sequence[Container],
        cursors: Mapping[PartitionKey, Cursor | None], epoch: int, owed: Sequence[OwedItem],
    ) -> None:  # fmt: skip
        """Replace all that the leg knows of the unit by what was gathered."""
        session, name = self.session, self.leg.name
        for key in cursors:
            session.position(transaction, name, key)
        _forget(transaction, session, name)
        transaction.execute(f"INSERT INTO items ({COLUMNS}) SELECT {COLUMNS} FROM {self.table}")  # noqa: S608  # constants
        transaction.executemany(
            # A cursor may stand in the middle of a pass whose beginning is forgotten: that pass proves no deletions.
            "UPDATE positions SET cursor = ?2, pass = ?3, published_cursor = ?2, published_pass = ?3 WHERE id = ?1",
            [(session.position(transaction, name, key), cursor, UNKNOWN) for key, cursor in cursors.items() if cursor],
        )
        debts.owe(transaction, session, [item for item in owed if item.leg == name], None)
        used = transaction.execute(f"SELECT DISTINCT container FROM {self.table} WHERE container IS NOT NULL")  # noqa: S608  # constants
        mine = {container for (container,) in used}
        put_containers(transaction, session.leg_units[name], [each for each in containers if each.name in mine])
        transaction.execute("UPDATE units SET epoch = ?1 WHERE id = ?2 AND epoch < ?1", (epoch, session.unit_id))

    def drop(self, transaction: Transaction) -> None:
        """Remove the table."""
        transaction.execute(f"DROP TABLE IF EXISTS {self.table}")


def _forget(transaction: Transaction, session: Session, leg: Leg) -> None:
    positions, leg_unit = session.of_leg(leg), session.leg_units[leg]
    for table in ("items", "pending", "owed", "doomed"):
        transaction.execute(
            f"DELETE FROM {table} WHERE position IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",  # noqa: S608  # constants
            (positions,),
        )
    for table in ("outbox", "containers"):
        transaction.execute(f"DELETE FROM {table} WHERE leg_unit = ?", (leg_unit,))  # noqa: S608  # constants
    transaction.execute(
        "UPDATE positions SET cursor = NULL, moved = 0, pass = 0, published_cursor = NULL, published_moved = 0,"
        " published_pass = 0, pending = 0, pending_live = 0, pending_bytes = 0, pending_context = 0"
        " WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
        (positions,),
    )
    transaction.execute(
        "UPDATE leg_units SET resume = NULL, published_resume = NULL, staged = NULL WHERE id = ?", (leg_unit,)
    )


def published(transaction: Transaction, job: str, leg: Leg) -> list[ManifestRow]:
    """Return the published rows of a leg, in key order; the run that wrote each is not remembered."""
    fingerprints = dict(transaction.execute("SELECT id, name FROM fingerprints").fetchall())
    columns = ", ".join(f"i.{name}" for name in COLUMNS.split(", "))
    found = transaction.execute(
        f"SELECT p.key, {columns} FROM items AS i JOIN positions AS s ON s.id = i.position"  # noqa: S608  # constants
        " JOIN legs AS l ON l.id = s.leg JOIN partitions AS p ON p.id = s.partition JOIN jobs AS j ON j.id = l.job"
        " WHERE j.name = ? AND l.name = ? ORDER BY p.key, i.key",
        (job, leg),
    )
    result = []
    for partition, *record in found:
        row = stored(transaction, fingerprints, item_key(PartitionKey.parse(partition), record[1]), record)
        result.append(manifest_row("put" if row.withdrawn is None else "withdraw", row, row.withdrawn or "", "", ""))
    return result


def _stored(row: ManifestRow, leg: LegSpec) -> StoredRow:
    """Return the row to keep; a manifest that names no fingerprint was written with the options of today."""
    return StoredRow(
        row.key, row.version, row.path, row.container, row.size, row.sha256, row.fields,
        None if row.group is None else GroupKey(row.group), row.fingerprint or leg.fingerprint,
    )  # fmt: skip
