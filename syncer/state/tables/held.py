"""What each leg holds: unpublished rows hide published ones."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from syncer.model.entries import Leg, StoredRow
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.state.names import item_key
from syncer.state.tables.rows import Groups, array, grouped, moment, stored
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import COLUMNS, Transaction

#: Rows by position and short key.
Rows = dict[tuple[int, str], StoredRow]

#: Owed items in the same way.
Debts = dict[tuple[int, str], "Debt"]

_ROW = ", ".join(f"i.{name}" for name in COLUMNS.split(", "))

#: Ends a subquery that is looked up by a whole key, row for row. PostgreSQL makes a join of it otherwise, and where it
#: knows nothing of its tables yet, one that compares all with all.
EACH = "LIMIT 1 OFFSET 0"

#: Condition on a published row `i`: no unpublished one hides it.
VISIBLE = f"NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.position = i.position AND p.key = i.key {EACH})"  # noqa: S608  # constants


class Debt(msgspec.Struct, frozen=True):
    """What matters of an owed item when it is listed again."""

    path: str | None
    ignored_until: datetime | None


def held(transaction: Transaction, session: Session, legs: Collection[Leg], groups: Groups) -> Rows:
    """Return the rows of these keys, withdrawn ones included."""
    return _found(transaction, session, legs, groups, _tables(session, legs))[0]


def held_and_owed(
    transaction: Transaction, session: Session, legs: Collection[Leg], groups: Groups
) -> tuple[Rows, Debts]:
    """Return the rows of these keys, withdrawn ones included, and which of the keys are owed; one query if possible."""
    return _found(transaction, session, legs, groups, (*_tables(session, legs), "owed"))


def _found(
    transaction: Transaction, session: Session, legs: Collection[Leg], groups: Groups, tables: Sequence[str]
) -> tuple[Rows, Debts]:
    rows: Rows = {}
    debts: Debts = {}
    asked = [(session.of_partition(legs, partition), keys) for partition, keys in groups.items()]
    keys = {at: texts for positions, texts in asked for at in positions}
    names = session.fingerprints.names
    for table, record in transaction.find(tables, [each for each in asked if all(each)]):
        at = (record[0], record[1])
        if table == "owed":
            debts[at] = Debt(record[2], moment(record[3]))
        elif record[-1] == "delete":
            rows.pop(at, None)
        else:
            rows[at] = stored(transaction, names, keys[at[0]][at[1]], record)
    return rows, debts


def has(transaction: Transaction, session: Session, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
    """Return those of the keys that are live and not withdrawn, or owed, in every leg."""
    groups = grouped(keys)
    rows, debts = held_and_owed(transaction, session, session.specs, groups)
    live = {place for place, row in rows.items() if row.withdrawn is None} | debts.keys()
    return frozenset(
        key
        for partition, texts in groups.items()
        if len(positions := session.of_partition(session.specs, partition)) == len(session.specs)
        for text, key in texts.items()
        if all((position, text) in live for position in positions)
    )


def members(
    transaction: Transaction, session: Session, partition: PartitionKey, groups: Sequence[GroupKey]
) -> dict[GroupKey, frozenset[ItemKey]]:
    """Return the live members that any leg stores of each group."""
    found: dict[GroupKey, set[ItemKey]] = {group: set() for group in groups}
    positions = json.dumps(session.of_partition(session.specs, partition))
    texts = array(set(groups))
    for table, condition in (("items", VISIBLE), ("pending", "i.op <> 'delete'")):
        rows = transaction.execute(
            f"SELECT i.grp, i.key FROM {table} AS i"  # noqa: S608  # constants
            " WHERE i.position IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
            " AND i.grp IN (SELECT value FROM json_each(?))"
            f" AND i.grp IS NOT NULL AND i.withdrawn IS NULL AND {condition}",
            (positions, texts),
        )
        for group, key in rows:
            found[GroupKey(group)].add(item_key(partition, key))
    return {group: frozenset(keys) for group, keys in found.items()}


def count(
    transaction: Transaction, session: Session, partition: PartitionKey, kinds: Collection[str]
) -> dict[Leg, int]:
    """Return how many live items of some kinds each leg holds."""
    found = dict.fromkeys(sorted(session.specs), 0)
    for leg in found:
        position = session.positions[leg].get(partition)
        for table, condition in (("items", VISIBLE), ("pending", "i.op <> 'delete'")):
            for kind in kinds if position is not None else ():
                # A range of the primary key: `media/` up to what follows all that begin so.
                (number,) = transaction.execute(
                    f"SELECT count(*) FROM {table} AS i WHERE i.position = ?1 AND i.key >= ?2 AND i.key < ?3"  # noqa: S608  # constants
                    f" AND i.withdrawn IS NULL AND {condition}",
                    (position, f"{kind}/", f"{kind}0"),
                ).fetchone()
                found[leg] += number
    return found


def live_rows(
    transaction: Transaction, session: Session, leg: Leg, limit: int, after: int
) -> tuple[int, list[StoredRow]]:
    """Return published rows of a leg in this unit beyond a mark, in the order of arrival, and the next mark."""
    names = session.fingerprints.names
    rows = transaction.execute(
        f"SELECT {_ROW}, i.id FROM items AS i WHERE i.id > ?1"  # noqa: S608  # constants
        " AND i.position IN (SELECT CAST(value AS BIGINT) FROM json_each(?2)) ORDER BY i.id LIMIT ?3",
        (after, session.of_leg(leg), limit),
    ).fetchall()
    found = [stored(transaction, names, item_key(session.names[row[0]][1], row[1]), row) for row in rows]
    return (rows[-1][-1] if rows else after), found


def _tables(session: Session, legs: Collection[Leg]) -> tuple[str, ...]:
    return ("items",) if all(session.specs[leg].immediate for leg in legs) else ("items", "pending")
