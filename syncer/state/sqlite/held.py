"""What each leg holds: unpublished rows hide published ones."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncer.model.entries import Leg, StoredRow
from syncer.model.refs import GroupKey, ItemKey, PartitionKey
from syncer.state.names import item_key
from syncer.state.sqlite.rows import COLUMNS, Groups, array, grouped, marks, moment, stored
from syncer.state.sqlite.session import Session

#: Rows by position and short key.
Rows = dict[tuple[int, str], StoredRow]

_ROW = ", ".join(f"i.{name}" for name in COLUMNS.split(", "))

#: Condition on a published row `i`: no unpublished one hides it.
VISIBLE = "NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.position = i.position AND p.key = i.key)"


@dataclass(frozen=True, slots=True)
class Debt:
    """What matters of an owed item when it is listed again."""

    path: str | None
    ignored_until: datetime | None


def held(connection: sqlite3.Connection, session: Session, legs: Collection[Leg], groups: Groups) -> Rows:
    """Return the rows of these keys, withdrawn ones included; one query for all legs of a partition."""
    found: Rows = {}
    names = session.fingerprints.names
    for positions, keys in _asked(session, legs, groups):
        texts = array(keys)
        for table in _tables(session, legs):
            rows = connection.execute(
                f"SELECT {_ROW}, {'i.op' if table == 'pending' else 'NULL'} FROM json_each(?) AS k"  # noqa: S608  # constants
                f" CROSS JOIN {table} AS i ON i.position IN ({marks(len(positions))}) AND i.key = k.value",
                (texts, *positions),
            )
            for record in rows:
                if record[-1] == "delete":
                    found.pop((record[0], record[1]), None)
                else:
                    found[record[0], record[1]] = stored(names, keys[record[1]], record)
    return found


def owing(
    connection: sqlite3.Connection, session: Session, legs: Collection[Leg], groups: Groups
) -> dict[tuple[int, str], Debt]:
    """Return which of these keys are owed."""
    found: dict[tuple[int, str], Debt] = {}
    for positions, keys in _asked(session, legs, groups):
        at = marks(len(positions))
        if connection.execute(f"SELECT 1 FROM positions WHERE id IN ({at}) AND owed", positions).fetchone() is None:  # noqa: S608  # constants
            continue
        rows = connection.execute(
            "SELECT o.position, o.key, o.path, o.ignored_until FROM json_each(?) AS k"  # noqa: S608  # constants
            f" CROSS JOIN owed AS o ON o.position IN ({at}) AND o.key = k.value WHERE NOT o.settled",
            (array(keys), *positions),
        )
        found.update(((position, key), Debt(path, moment(until))) for position, key, path, until in rows)
    return found


def has(connection: sqlite3.Connection, session: Session, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
    """Return those of the keys that are live and not withdrawn, or owed, in every leg."""
    groups = grouped(keys)
    rows = held(connection, session, session.specs, groups)
    debts = owing(connection, session, session.specs, groups)
    live = {place for place, row in rows.items() if row.withdrawn is None} | debts.keys()
    return frozenset(
        key
        for partition, texts in groups.items()
        if len(positions := session.of_partition(session.specs, partition)) == len(session.specs)
        for text, key in texts.items()
        if all((position, text) in live for position in positions)
    )


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


def count(
    connection: sqlite3.Connection, session: Session, partition: PartitionKey, kinds: Collection[str]
) -> dict[Leg, int]:
    """Return how many live items of some kinds each leg holds."""
    found = dict.fromkeys(sorted(session.specs), 0)
    for leg in found:
        position = session.positions[leg].get(partition)
        for table, condition in (("items", VISIBLE), ("pending", "i.op <> 'delete'")):
            for kind in kinds if position is not None else ():
                # A range of the primary key: `media/` up to what follows all that begin so.
                (number,) = connection.execute(
                    f"SELECT count(*) FROM {table} AS i WHERE i.position = ?1 AND i.key >= ?2 AND i.key < ?3"  # noqa: S608  # constants
                    f" AND i.withdrawn IS NULL AND {condition}",
                    (position, f"{kind}/", f"{kind}0"),
                ).fetchone()
                found[leg] += number
    return found


def live_rows(
    connection: sqlite3.Connection, session: Session, leg: Leg, limit: int, after: int
) -> tuple[int, list[StoredRow]]:
    """Return published rows of a leg in this unit beyond a mark, in the order of arrival, and the next mark."""
    names = session.fingerprints.names
    rows = connection.execute(
        f"SELECT {_ROW}, i.id FROM items AS i WHERE i.id > ?1"  # noqa: S608  # constants
        " AND i.position IN (SELECT value FROM json_each(?2)) ORDER BY i.id LIMIT ?3",
        (after, session.of_leg(leg), limit),
    ).fetchall()
    found = [stored(names, item_key(session.names[row[0]][1], row[1]), row) for row in rows]
    return (rows[-1][-1] if rows else after), found


def _asked(session: Session, legs: Collection[Leg], groups: Groups) -> Iterator[tuple[list[int], dict[str, ItemKey]]]:
    for partition, keys in groups.items():
        positions = session.of_partition(legs, partition)
        if positions:
            yield positions, keys


def _tables(session: Session, legs: Collection[Leg]) -> tuple[str, ...]:
    return ("items",) if all(session.specs[leg].immediate for leg in legs) else ("items", "pending")
