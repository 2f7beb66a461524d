"""Manifest rows on their way to a segment: appended by a commit or a publish, forgotten when HEAD names them.

A chunk of lines is one row of the table, so that a commit pays for them once.
"""

from collections.abc import Sequence

from syncer.model.checkpoint import OutboxRow
from syncer.state.tables.transaction import Transaction

#: Lines of one chunk, at most: it stands in memory several times while it is written and read.
CHUNK = 250


def append(transaction: Transaction, leg_unit: int, epoch: int, lines: Sequence[bytes]) -> None:
    """Add lines behind those already there, numbered on from the last that ever was."""
    for start in range(0, len(lines), CHUNK):
        chunk = lines[start : start + CHUNK]
        (last,) = transaction.execute(
            "UPDATE leg_units SET seq = seq + ? WHERE id = ? RETURNING seq", (len(chunk), leg_unit)
        ).fetchone()
        _insert(transaction, leg_unit, last - len(chunk) + 1, epoch, chunk)


def waiting(transaction: Transaction, leg_unit: int | None, limit: int, after: int = 0) -> list[OutboxRow]:
    """Return the oldest lines behind a number."""
    rows: list[OutboxRow] = []
    chunks = transaction.stream(
        # Chunks never overlap: the last that begins there is the first that may reach beyond. Without it, all that was
        # read before would be passed by each time.
        "SELECT first, epoch, lines FROM outbox WHERE leg_unit = ?1 AND first + count - 1 > ?2 AND first >="
        " coalesce((SELECT max(first) FROM outbox WHERE leg_unit = ?1 AND first <= ?2), 0) ORDER BY first",
        (leg_unit, after),
    )
    for first, epoch, lines in chunks:
        numbered = enumerate(bytes(lines).split(b"\n"), first)
        rows += [OutboxRow(number, epoch, line) for number, line in numbered if number > after]
        if len(rows) >= limit:
            break
    return rows[:limit]


def forget(transaction: Transaction, leg_unit: int, last: int) -> None:
    """Forget lines up to a number; a chunk that reaches beyond it keeps its rest."""
    transaction.execute("DELETE FROM outbox WHERE leg_unit = ? AND first + count - 1 <= ?", (leg_unit, last))
    cut = transaction.execute(
        "DELETE FROM outbox WHERE leg_unit = ? AND first <= ? RETURNING first, epoch, lines", (leg_unit, last)
    ).fetchall()
    for first, epoch, lines in cut:
        _insert(transaction, leg_unit, last + 1, epoch, bytes(lines).split(b"\n")[last + 1 - first :])


def adopt(transaction: Transaction, former: int, unit: int, epoch: int) -> None:
    """Move the lines of a unit that has no partitions any more to the one that its partitions joined."""
    if transaction.execute("SELECT 1 FROM partitions WHERE unit = ?", (former,)).fetchone() is not None:
        return
    moves = transaction.execute(
        "SELECT theirs.id, mine.id FROM leg_units AS theirs JOIN leg_units AS mine ON mine.leg = theirs.leg"
        " WHERE theirs.unit = ? AND mine.unit = ?",
        (former, unit),
    ).fetchall()
    for theirs, mine in moves:
        chunks = transaction.execute("SELECT lines FROM outbox WHERE leg_unit = ? ORDER BY first", (theirs,)).fetchall()
        for (lines,) in chunks:
            append(transaction, mine, epoch, bytes(lines).split(b"\n"))
        transaction.execute("DELETE FROM outbox WHERE leg_unit = ?", (theirs,))


def _insert(transaction: Transaction, leg_unit: int, first: int, epoch: int, lines: Sequence[bytes]) -> None:
    transaction.execute(
        "INSERT INTO outbox (leg_unit, first, count, epoch, lines) VALUES (?, ?, ?, ?, ?)",
        (leg_unit, first, len(lines), epoch, b"\n".join(lines)),
    )
