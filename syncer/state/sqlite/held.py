"""What each leg holds: unpublished rows hide published ones."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncer.model.entries import Leg, StoredRow
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.state.names import item_key
from syncer.state.sqlite.rows import COLUMNS, array, by_partition, marks, moment, stored
from syncer.state.sqlite.session import Session

_ROW = ", ".join(f"i.{name}" for name in COLUMNS.split(", "))

#: Condition on a published row `i`: no unpublished one hides it.
VISIBLE = "NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.position = i.position AND p.key = i.key)"


@dataclass(frozen=True, slots=True)
class Debt:
    """What matters of an owed item when it is listed again."""

    path: str | None
    ignored_until: datetime | None


def held(
    connection: sqlite3.Connection, session: Session, legs: Collection[Leg], keys: Iterable[ItemKey]
) -> dict[tuple[Leg, ItemKey], StoredRow]:
    """Return the rows of these keys, withdrawn ones included; one query for all legs of a partition."""
    found: dict[tuple[Leg, ItemKey], StoredRow] = {}
    for partition, positions, texts in _asked(session, legs, keys):
        for table in _tables(session, legs):
            rows = connection.execute(
                f"SELECT {_ROW}, {'i.op' if table == 'pending' else 'NULL'} FROM json_each(?) AS k"  # noqa: S608  # constants
                f" CROSS JOIN {table} AS i ON i.position IN ({marks(len(positions))}) AND i.key = k.value",
                (texts, *positions),
            )
            for *record, op in rows:
                leg = session.names[record[0]][0]
                if op == "delete":
                    found.pop((leg, item_key(partition, record[1])), None)
                else:
                    row = stored(session.fingerprints.names, partition, record)
                    found[leg, row.key] = row
    return found


def owing(
    connection: sqlite3.Connection, session: Session, legs: Collection[Leg], keys: Iterable[ItemKey]
) -> dict[tuple[Leg, ItemKey], Debt]:
    """Return which of these keys are owed."""
    found: dict[tuple[Leg, ItemKey], Debt] = {}
    for partition, positions, texts in _asked(session, legs, keys):
        rows = connection.execute(
            "SELECT o.position, o.key, o.path, o.ignored_until FROM json_each(?) AS k"  # noqa: S608  # constants
            f" CROSS JOIN owed AS o ON o.position IN ({marks(len(positions))}) AND o.key = k.value"
            " WHERE NOT o.settled",
            (texts, *positions),
        )
        for position, key, path, until in rows:
            found[session.names[position][0], item_key(partition, key)] = Debt(path, moment(until))
    return found


def has(connection: sqlite3.Connection, session: Session, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
    """Return those of the keys that are live and not withdrawn, or owed, in every leg."""
    rows = held(connection, session, session.specs, keys)
    debts = owing(connection, session, session.specs, keys)
    live = {key for key, row in rows.items() if row.withdrawn is None} | debts.keys()
    return frozenset(key for key in keys if all((leg, key) in live for leg in session.specs))


def members(
    connection: sqlite3.Connection, session: Session, partition: PartitionKey, groups: Sequence[GroupKey]
) -> dict[GroupKey, frozenset[ItemKey]]:
    """Return the live members that any leg stores of each group."""
    found: dict[GroupKey, set[ItemKey]] = {group: set() for group in groups}
    positions = session.of_partition(session.specs, partition)
    texts = array(set(groups))
    for table, condition in (("items", VISIBLE), ("pending", "i.op <> 'delete'")):
        rows = connection.execute(
            f"SELECT i.grp, i.key FROM json_each(?) AS g CROSS JOIN {table} AS i"  # noqa: S608  # constants
            f" ON i.position IN ({marks(len(positions))}) AND i.grp = g.value"
            f" WHERE i.grp IS NOT NULL AND i.withdrawn IS NULL AND {condition}",
            (texts, *positions),
        )
        for group, key in rows:
            found[GroupKey(group)].add(item_key(partition, key))
    return {group: frozenset(keys) for group, keys in found.items()}


def _asked(
    session: Session, legs: Collection[Leg], keys: Iterable[ItemKey]
) -> Iterator[tuple[PartitionKey, list[int], str]]:
    for partition, texts in by_partition(keys).items():
        positions = session.of_partition(legs, partition)
        if positions:
            yield partition, positions, array(texts)


def _tables(session: Session, legs: Collection[Leg]) -> tuple[str, ...]:
    return ("items",) if all(session.specs[leg].immediate for leg in legs) else ("items", "pending")
