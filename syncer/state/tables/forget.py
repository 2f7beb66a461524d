"""Forgetting items for good: rows, debts, what passes saw of them, and every text that names them.

Deleting a row upstream is told to the manifest; this is not: afterwards nothing says that the item ever was.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence

import orjson

from syncer.model.erasure import scrubbed
from syncer.model.refs import ItemKey, PartitionKey
from syncer.state.names import short
from syncer.state.tables.rows import array
from syncer.state.tables.transaction import Transaction

#: Tells whether a text names one of the items.
Named = Callable[[str], bool]

#: What a report may name items in.
_TOLD = ("problems", "notes", "frozen", "stopped")


def forget(transaction: Transaction, job: str, keys: Sequence[ItemKey], named: Named) -> int:
    """Forget items in all batches and types that they were listed under; return how many rows they had."""
    texts: dict[str, set[str]] = {}
    for key in keys:
        texts.setdefault(key.project, set()).add(short(key))
    rows = 0
    for partition, text in transaction.execute(
        "SELECT p.id, p.key FROM partitions AS p JOIN jobs AS j ON j.id = p.job WHERE j.name = ?", (job,)
    ).fetchall():
        gone = texts.get(PartitionKey.parse(text).project)
        if gone is not None:
            rows += _rows(transaction, partition, array(gone))
            _seen(transaction, partition, gone)
        _cursors(transaction, partition, named)
    _reports(transaction, job, named)
    return rows


def _rows(transaction: Transaction, partition: int, keys: str) -> int:
    count = 0
    for table in ("items", "pending", "owed", "doomed"):
        gone = transaction.execute(
            f"DELETE FROM {table} WHERE position IN (SELECT id FROM positions WHERE partition = ?1)"  # noqa: S608  # constants
            " AND key IN (SELECT value FROM json_each(?2))",
            (partition, keys),
        ).rowcount
        count += gone if table in {"items", "owed"} else 0
    return count


def _seen(transaction: Transaction, partition: int, gone: Collection[str]) -> None:
    """Let the running pass forget that it saw them: they are not stored, so nobody asks."""
    for number, text in transaction.execute("SELECT id, keys FROM seen WHERE partition = ?", (partition,)).fetchall():
        kept = [key for key in json.loads(text) if key not in gone]
        transaction.execute("UPDATE seen SET keys = ? WHERE id = ?", (array(kept), number))


def _cursors(transaction: Transaction, partition: int, named: Named) -> None:
    """Forget cursors that name one of them: what is behind them is listed again, and found unchanged."""
    found = transaction.execute(
        "SELECT id, cursor, published_cursor FROM positions WHERE partition = ?", (partition,)
    ).fetchall()
    if not any(text is not None and named(text) for _, *texts in found for text in texts):
        return
    transaction.execute("UPDATE partitions SET tracking = NULL WHERE id = ?", (partition,))
    transaction.execute("DELETE FROM seen WHERE partition = ?", (partition,))
    transaction.execute(
        "UPDATE positions SET cursor = NULL, moved = 0, pass = 0, published_cursor = NULL, published_moved = 0,"
        " published_pass = 0 WHERE partition = ?",
        (partition,),
    )


def _reports(transaction: Transaction, job: str, named: Named) -> None:
    for number, text in transaction.execute("SELECT id, report FROM runs WHERE job = ?", (job,)).fetchall():
        if text is None or not named(text):
            continue
        report: Mapping[str, object] = orjson.loads(text)
        told = {name: scrubbed(report[name], named) for name in _TOLD if name in report}
        transaction.execute(
            "UPDATE runs SET report = ? WHERE id = ?", (orjson.dumps({**report, **told}).decode(), number)
        )
