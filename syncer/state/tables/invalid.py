"""Stored items that turned out to be damaged or missing: they are owed again."""

import json
from collections.abc import Sequence

from syncer.model.entries import Leg
from syncer.model.refs import ItemKey, PartitionKey
from syncer.state.tables.held import VISIBLE
from syncer.state.tables.rows import array, grouped
from syncer.state.tables.transaction import Transaction

# What is withdrawn can't be had from the platform any more, and what an unpublished row replaces needs no repair.
_OWE = (
    "INSERT INTO owed (position, key, version, reason, attempts, fields, path, place)"  # noqa: S608  # constants
    " SELECT i.position, i.key, i.version, ?1, 0, i.fields, i.path, i.place FROM items AS i"
    " WHERE i.withdrawn IS NULL"
    f" AND {VISIBLE}"
    " AND i.position IN (SELECT CAST(value AS BIGINT) FROM json_each(?2))"
    " AND {column} IN (SELECT value FROM json_each(?3))"
    " ON CONFLICT (position, key) DO UPDATE SET reason = excluded.reason, next = NULL, ignored_until = NULL"
    " RETURNING 1"
)


def invalidate(
    transaction: Transaction, job: str, leg: Leg, keys: Sequence[ItemKey], reason: str, containers: Sequence[str]
) -> int:
    """Owe the named items, and all those of lost containers, whose rows are forgotten; return how many there were."""
    positions = _positions(transaction, job, leg)
    everywhere = json.dumps(list(positions.values()))
    count = 0
    if containers:
        lost = array(containers)
        count += len(transaction.execute(_OWE.format(column="i.container"), (reason, everywhere, lost)).fetchall())
        _lose(transaction, everywhere, lost)
    for partition, texts in grouped(keys).items():
        if partition in positions:
            here = json.dumps([positions[partition]])
            owed = transaction.execute(_OWE.format(column="i.key"), (reason, here, array(texts)))
            count += len(owed.fetchall())
    return count


def _positions(transaction: Transaction, job: str, leg: Leg) -> dict[PartitionKey, int]:
    rows = transaction.execute(
        "SELECT p.key, s.id FROM positions AS s JOIN partitions AS p ON p.id = s.partition"
        " JOIN legs AS l ON l.id = s.leg JOIN jobs AS j ON j.id = l.job WHERE j.name = ? AND l.name = ?",
        (job, leg),
    )
    return {PartitionKey.parse(key): position for key, position in rows}


def _lose(transaction: Transaction, positions: str, containers: str) -> None:
    transaction.execute(
        "DELETE FROM items WHERE position IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
        " AND container IN (SELECT value FROM json_each(?))",
        (positions, containers),
    )
    transaction.execute(
        "DELETE FROM doomed WHERE position IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND NOT EXISTS"
        " (SELECT 1 FROM items AS i WHERE i.position = doomed.position AND i.key = doomed.key)"
        " AND NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.position = doomed.position AND p.key = doomed.key)",
        (positions,),
    )
    transaction.execute(
        "DELETE FROM containers WHERE name IN (SELECT value FROM json_each(?2)) AND leg_unit IN"
        " (SELECT b.id FROM leg_units AS b JOIN positions AS s ON s.leg = b.leg"
        " WHERE s.id IN (SELECT CAST(value AS BIGINT) FROM json_each(?1)))",
        (positions, containers),
    )
