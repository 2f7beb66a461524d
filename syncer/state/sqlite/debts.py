"""Owed and doomed items of a unit: what is missing, and what waits to be removed."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from syncer.model.checkpoint import Doomed, OwedItem
from syncer.model.entries import Leg
from syncer.model.refs import ItemKey, PartitionKey
from syncer.state.names import item_key, short
from syncer.state.sqlite.held import held
from syncer.state.sqlite.rows import array, dumped, grouped, loaded, moment, stamp, tokens
from syncer.state.sqlite.session import Session

OWED = "key, version, reason, attempts, first, next, hint, ignored_until, fields"

# The same version failing again counts on; a newer one starts anew.
_UPSERT = (
    f"INSERT INTO owed (position, path, place, {OWED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # constants
    " ON CONFLICT (position, key) DO UPDATE SET"
    " attempts = CASE version WHEN excluded.version THEN max(attempts + 1, excluded.attempts)"
    " ELSE excluded.attempts END,"
    " first = CASE version WHEN excluded.version THEN coalesce(first, excluded.first) ELSE excluded.first END,"
    " ignored_until = CASE version WHEN excluded.version THEN coalesce(excluded.ignored_until, ignored_until)"
    " ELSE excluded.ignored_until END,"
    " path = coalesce(excluded.path, path), place = coalesce(excluded.place, place), version = excluded.version,"
    " reason = excluded.reason, next = excluded.next, hint = excluded.hint, fields = excluded.fields, settled = 0"
)


def owe(connection: sqlite3.Connection, session: Session, items: Sequence[OwedItem], at: datetime | None) -> None:
    """Note items that could not be stored, with the paths that were settled for them."""
    records = []
    for item in items:
        path, place = session.settled.get((item.leg, item.key), (None, None))
        position = session.position(connection, item.leg, item.key.partition)
        records.append((
            position, path, place, short(item.key), item.version, item.reason, item.attempts, stamp(item.first or at),
            stamp(item.next), _harmless(item.hint), stamp(item.ignored_until), dumped(item.fields),
        ))  # fmt: skip
    connection.executemany(_UPSERT, records)
    session.free((item.leg, item.key) for item in items)


def clear(connection: sqlite3.Connection, session: Session, leg: Leg, keys: Iterable[ItemKey]) -> None:
    """Forget owed items that nobody has to store any more."""
    keys = list(keys)
    connection.executemany(
        "DELETE FROM owed WHERE position = ? AND key = ?",
        [
            (session.positions[leg][key.partition], short(key))
            for key in keys
            if key.partition in session.positions[leg]
        ],
    )
    session.free((leg, key) for key in keys)


def settle(connection: sqlite3.Connection, session: Session, leg: Leg, keys: Mapping[int, Sequence[str]]) -> None:
    """A row was committed for these keys: they are neither owed nor doomed any more.

    While the row is unpublished, the debts are only put aside: going back to the published position wakes them up.
    """
    immediate = session.specs[leg].immediate
    busy = connection.execute(
        "SELECT id, owed, gone + withdrawn FROM positions WHERE id IN (SELECT value FROM json_each(?))"
        " AND owed + gone + withdrawn > 0",
        (session.of_leg(leg),),
    ).fetchall()
    for position, owed, doomed in busy:
        for table, count in (("owed", owed), ("doomed", doomed)):
            if count and position in keys:
                action = "DELETE FROM {}" if immediate else "UPDATE {} SET settled = 1"
                condition = " WHERE position = ? AND key IN (SELECT value FROM json_each(?))"
                connection.execute(action.format(table) + condition, (position, array(keys[position])))


def doom(
    connection: sqlite3.Connection, session: Session, legs: Iterable[Leg], found: Sequence[tuple[ItemKey, str, str]]
) -> None:
    """Note items found gone or withdrawn, where a leg stores them; nobody owes them any more."""
    legs = list(legs)
    keys = [key for key, _, _ in found]
    for leg in legs:
        clear(connection, session, leg, keys)
    rows = held(connection, session, legs, grouped(keys))
    connection.executemany(
        "INSERT INTO doomed (position, key, cause, reason) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (position, key) DO UPDATE SET cause = excluded.cause, reason = excluded.reason, settled = 0",
        [
            (position, text, cause, reason)
            for (partition, text), (_, cause, reason) in zip(tokens(keys), found, strict=True)
            for position in session.of_partition(legs, partition)
            # What is withdrawn already stays as it is, until it is gone for good.
            if (row := rows.get((position, text))) is not None and (row.withdrawn is None or cause == "gone")
        ],
    )


def revive(connection: sqlite3.Connection, session: Session, legs: Iterable[Leg], keys: Sequence[ItemKey]) -> None:
    """Forget that items were doomed: they were listed as finished."""
    for leg in legs:
        connection.executemany(
            "DELETE FROM doomed WHERE position = ? AND key = ?",
            [
                (session.positions[leg][key.partition], short(key))
                for key in keys
                if key.partition in session.positions[leg]
            ],
        )


def owed(
    connection: sqlite3.Connection, session: Session, leg: Leg, limit: int, after: ItemKey | None
) -> list[OwedItem]:
    """Return owed items in the order of partitions and short keys, which is that of canonical keys of one kind."""
    found: list[OwedItem] = []
    for partition, position in _in_order(connection, session, leg, "owed"):
        if after is not None and partition.canonical() < after.partition.canonical():
            continue
        start = short(after) if after is not None and partition == after.partition else ""
        rows = connection.execute(
            f"SELECT {OWED} FROM owed WHERE position = ? AND key > ? AND NOT settled ORDER BY key LIMIT ?",  # noqa: S608  # constants
            (position, start, limit - len(found)),
        )
        found += [owed_item(leg, partition, record) for record in rows]
        if len(found) >= limit:
            break
    return found


def doomed(connection: sqlite3.Connection, session: Session, leg: Leg, limit: int, cause: str | None) -> list[Doomed]:
    """Return doomed items with their present rows, in the same order."""
    found: list[Doomed] = []
    for partition, position in _in_order(connection, session, leg, "gone + withdrawn"):
        marked = connection.execute(
            "SELECT key, cause, reason FROM doomed WHERE position = ?1 AND NOT settled AND (?2 IS NULL OR cause = ?2)"
            " ORDER BY key LIMIT ?3",
            (position, cause, limit - len(found)),
        ).fetchall()
        keys = {text: item_key(partition, text) for text, _, _ in marked}
        rows = held(connection, session, [leg], {partition: keys})
        found += [Doomed(rows[position, text], why, reason) for text, why, reason in marked if (position, text) in rows]
        if len(found) >= limit:
            break
    return found


def doomed_count(connection: sqlite3.Connection, session: Session, leg: Leg) -> tuple[int, int]:
    """Return how many items are doomed as (gone, withdrawn)."""
    gone, withdrawn = connection.execute(
        "SELECT coalesce(sum(gone), 0), coalesce(sum(withdrawn), 0) FROM positions"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (session.of_leg(leg),),
    ).fetchone()
    return gone, withdrawn


def owed_item(leg: Leg, partition: PartitionKey, record: Sequence[object]) -> OwedItem:
    """Read the columns `OWED`."""
    key, version, reason, attempts, first, next_, hint, ignored, fields = record
    return OwedItem(
        leg, item_key(partition, str(key)), str(version), str(reason), int(str(attempts)), moment(_text(first)),
        moment(_text(next_)), _text(hint), moment(_text(ignored)), loaded(_text(fields)),
    )  # fmt: skip


def _in_order(
    connection: sqlite3.Connection, session: Session, leg: Leg, counter: str
) -> Iterator[tuple[PartitionKey, int]]:
    busy = connection.execute(
        f"SELECT id FROM positions WHERE id IN (SELECT value FROM json_each(?)) AND {counter} > 0",  # noqa: S608  # constants
        (session.of_leg(leg),),
    ).fetchall()
    named = [(session.names[position][1], position) for (position,) in busy]
    yield from sorted(named, key=lambda each: each[0].canonical())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _harmless(hint: str | None) -> str | None:
    """Leave out a link with a query: it may be signed, and credentials are never kept. A source can do without."""
    return None if hint is not None and "://" in hint and "?" in hint else hint
