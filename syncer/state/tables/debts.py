"""Owed and doomed items of a unit: what is missing, and what waits to be removed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from syncer.model.checkpoint import Doomed, OwedItem
from syncer.model.entries import Leg
from syncer.model.refs import ItemKey, PartitionKey
from syncer.state.names import item_key, short
from syncer.state.tables.held import held
from syncer.state.tables.rows import array, dumped, grouped, loaded, moment, stamp, tokens
from syncer.state.tables.session import Session
from syncer.state.tables.transaction import Transaction

OWED = "key, version, reason, attempts, first, next, hint, ignored_until, fields"

# The same version failing again counts on; a newer one starts anew.
_UPSERT = (
    f"INSERT INTO owed (position, path, place, {OWED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # constants
    " ON CONFLICT (position, key) DO UPDATE SET"
    " attempts = CASE owed.version WHEN excluded.version THEN"
    " CASE WHEN owed.attempts < excluded.attempts THEN excluded.attempts ELSE owed.attempts + 1 END"
    " ELSE excluded.attempts END,"
    " first = CASE owed.version WHEN excluded.version THEN coalesce(owed.first, excluded.first)"
    " ELSE excluded.first END,"
    " ignored_until = CASE owed.version WHEN excluded.version THEN coalesce(excluded.ignored_until, owed.ignored_until)"
    " ELSE excluded.ignored_until END,"
    " path = coalesce(excluded.path, owed.path), place = coalesce(excluded.place, owed.place),"
    " version = excluded.version, reason = excluded.reason, next = excluded.next, hint = excluded.hint,"
    " fields = excluded.fields, settled = FALSE"
)


def owe(transaction: Transaction, session: Session, items: Sequence[OwedItem], at: datetime | None) -> None:
    """Note items that could not be stored, with the paths that were settled for them."""
    records = []
    for item in items:
        path, place = session.settled.get((item.leg, item.key), (None, None))
        position = session.position(transaction, item.leg, item.key.partition)
        records.append((
            position, path, place, short(item.key), item.version, item.reason, item.attempts, stamp(item.first or at),
            stamp(item.next), _harmless(item.hint), stamp(item.ignored_until), dumped(item.fields),
        ))  # fmt: skip
    transaction.executemany(_UPSERT, records)
    session.free((item.leg, item.key) for item in items)


def clear(transaction: Transaction, session: Session, leg: Leg, keys: Iterable[ItemKey]) -> None:
    """Forget owed items that nobody has to store any more."""
    keys = list(keys)
    transaction.executemany(
        "DELETE FROM owed WHERE position = ? AND key = ?",
        [
            (session.positions[leg][key.partition], short(key))
            for key in keys
            if key.partition in session.positions[leg]
        ],
    )
    session.free((leg, key) for key in keys)


def settle(transaction: Transaction, session: Session, leg: Leg, keys: Mapping[int, Sequence[str]]) -> None:
    """A row was committed for these keys: they are neither owed nor doomed any more.

    While the row is unpublished, the debts are only put aside: going back to the published position wakes them up.
    """
    immediate = session.specs[leg].immediate
    busy = transaction.execute(
        "SELECT id, owed, gone + withdrawn FROM positions WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
        " AND owed + gone + withdrawn > 0",
        (session.of_leg(leg),),
    ).fetchall()
    for position, owed, doomed in busy:
        for table, count in (("owed", owed), ("doomed", doomed)):
            if count and position in keys:
                action = "DELETE FROM {}" if immediate else "UPDATE {} SET settled = TRUE"
                condition = " WHERE position = ? AND key IN (SELECT value FROM json_each(?))"
                transaction.execute(action.format(table) + condition, (position, array(keys[position])))


def doom(
    transaction: Transaction, session: Session, legs: Iterable[Leg], found: Sequence[tuple[ItemKey, str, str]]
) -> None:
    """Note items found gone or withdrawn, where a leg stores them; nobody owes them any more."""
    legs = list(legs)
    keys = [key for key, _, _ in found]
    for leg in legs:
        clear(transaction, session, leg, keys)
    rows = held(transaction, session, legs, grouped(keys))
    transaction.executemany(
        "INSERT INTO doomed (position, key, cause, reason) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (position, key) DO UPDATE SET cause = excluded.cause, reason = excluded.reason, settled = FALSE",
        [
            (position, text, cause, reason)
            for (partition, text), (_, cause, reason) in zip(tokens(keys), found, strict=True)
            for position in session.of_partition(legs, partition)
            # What is withdrawn already stays as it is, until it is gone for good.
            if (row := rows.get((position, text))) is not None and (row.withdrawn is None or cause == "gone")
        ],
    )


def revive(transaction: Transaction, session: Session, legs: Iterable[Leg], keys: Sequence[ItemKey]) -> None:
    """Forget that items were doomed: they were listed as finished."""
    for leg in legs:
        transaction.executemany(
            "DELETE FROM doomed WHERE position = ? AND key = ?",
            [
                (session.positions[leg][key.partition], short(key))
                for key in keys
                if key.partition in session.positions[leg]
            ],
        )


def owed(transaction: Transaction, session: Session, leg: Leg, limit: int, after: ItemKey | None) -> list[OwedItem]:
    """Return owed items in the order of partitions and short keys, which is that of canonical keys of one kind."""
    found: list[OwedItem] = []
    for partition, position in _in_order(transaction, session, leg, "owed"):
        if after is not None and partition.canonical() < after.partition.canonical():
            continue
        start = short(after) if after is not None and partition == after.partition else ""
        rows = transaction.execute(
            f"SELECT {OWED} FROM owed WHERE position = ? AND key > ? AND NOT settled ORDER BY key LIMIT ?",  # noqa: S608  # constants
            (position, start, limit - len(found)),
        )
        found += [owed_item(leg, partition, record) for record in rows]
        if len(found) >= limit:
            break
    return found


def doomed(transaction: Transaction, session: Session, leg: Leg, limit: int, cause: str | None) -> list[Doomed]:
    """Return doomed items with their present rows, in the same order."""
    found: list[Doomed] = []
    for partition, position in _in_order(transaction, session, leg, "gone + withdrawn"):
        marked = transaction.execute(
            "SELECT key, cause, reason FROM doomed WHERE position = ?1 AND NOT settled"
            " AND (CAST(?2 AS TEXT) IS NULL OR cause = ?2) ORDER BY key LIMIT ?3",
            (position, cause, limit - len(found)),
        ).fetchall()
        keys = {text: item_key(partition, text) for text, _, _ in marked}
        rows = held(transaction, session, [leg], {partition: keys})
        found += [Doomed(rows[position, text], why, reason) for text, why, reason in marked if (position, text) in rows]
        if len(found) >= limit:
            break
    return found


def doomed_count(transaction: Transaction, session: Session, leg: Leg) -> tuple[int, int]:
    """Return how many items are doomed as (gone, withdrawn)."""
    gone, withdrawn = transaction.execute(
        "SELECT CAST(coalesce(sum(gone), 0) AS BIGINT), CAST(coalesce(sum(withdrawn), 0) AS BIGINT) FROM positions"
        " WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
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


def _in_order(transaction: Transaction, session: Session, leg: Leg, counter: str) -> Iterator[tuple[PartitionKey, int]]:
    busy = transaction.execute(
        f"SELECT id FROM positions WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND {counter} > 0",  # noqa: S608  # constants
        (session.of_leg(leg),),
    ).fetchall()
    named = [(session.names[position][1], position) for (position,) in busy]
    yield from sorted(named, key=lambda each: each[0].canonical())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _harmless(hint: str | None) -> str | None:
    """Leave out a link with a query: it may be signed, and credentials are never kept. A source can do without."""
    return None if hint is not None and "://" in hint and "?" in hint else hint
