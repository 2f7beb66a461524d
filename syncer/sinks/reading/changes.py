"""What differs between two generations: put, delete and withdraw rows, exactly the difference of what both hold.

Only keys that stand in a segment of one and not of the other can differ. What both hold of them is found in one pass
over all segments; it waits in a temporary file, so memory stays small whatever differs.
"""

import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import closing

from anyio import to_thread
from msgspec.structs import replace

from syncer.model.rows import ManifestRow, decode_row, encode_row
from syncer.ports import Head, Manifest
from syncer.sinks.reading.grouped import grouped

#: Rows handled by one thread hop.
_BATCH = 2000


async def changes(
    manifest: Manifest, old: Head, new: Head, wanted: Callable[[str | None], bool] = lambda _: True
) -> AsyncGenerator[Sequence[ManifestRow]]:
    """Yield what leads from one generation to another, in batches, in the order of keys: one row an item at most.

    An item that lies in another archive, or was written again as it was, is no change.

    Raises:
        DestinationChanged: a segment is missing, or is not what its generation says.
    """
    before, after = {ref.name for ref in old.segments}, {ref.name for ref in new.segments}
    differing = before ^ after
    refs = sorted(
        {ref.name: ref for ref in (*old.segments, *new.segments)}.values(), key=lambda r: (r.epoch, r.seq, r.name)
    )

    def only(names: Iterable[str]) -> Head:
        chosen = frozenset(names)
        return replace(new, segments=tuple(ref for ref in refs if ref.name in chosen))

    with closing(await to_thread.run_sync(_created)) as database:
        async for batch in _batches(manifest, only(differing)):
            keys = [row.key.canonical() for _, row in batch if wanted(row.container)]
            await to_thread.run_sync(_noted, database, keys)
        for ref in refs if differing else ():
            where = [column for column, names in (("old", before), ("new", after)) if ref.name in names]
            async for batch in _batches(manifest, only([ref.name])):
                rows = [row for _, row in batch if wanted(row.container)]
                await to_thread.run_sync(_kept, database, where, rows)
        cursor = await to_thread.run_sync(_selected, database)
        while found := await to_thread.run_sync(cursor.fetchmany, _BATCH):
            yield [row for pair in found if (row := _difference(*pair)) is not None]


def _difference(old: bytes | None, new: bytes | None) -> ManifestRow | None:
    """Return the row that leads from one state of an item to another; None if they are the same."""
    had, has = (None if line is None else decode_row(line) for line in (old, new))
    was = None if had is None or had.op == "delete" else had
    now = None if has is None or has.op == "delete" else has
    if now is not None:
        return None if was is not None and _state(was) == _state(now) else now
    if was is None:
        return None
    # What the newer generation says of it, if it says anything; else what was there.
    return has if has is not None else replace(was, op="delete")


def _state(row: ManifestRow) -> tuple[object, ...]:
    return (row.op, row.version, row.path, row.size, row.sha256, dict(row.fields))


def _batches(manifest: Manifest, head: Head) -> AsyncGenerator[list[tuple[object, ManifestRow]]]:
    return grouped(manifest.rows(head), _BATCH)  # type: ignore[arg-type]  # adapters return generators


def _created() -> sqlite3.Connection:
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, old BLOB, new BLOB) WITHOUT ROWID")
    return database


def _noted(database: sqlite3.Connection, keys: Iterable[str]) -> None:
    database.execute("BEGIN")
    database.executemany("INSERT OR IGNORE INTO keys (key) VALUES (?)", [(_text(key),) for key in keys])
    database.execute("COMMIT")


def _kept(database: sqlite3.Connection, columns: Sequence[str], rows: Iterable[ManifestRow]) -> None:
    values = [(encode_row(row), _text(row.key.canonical())) for row in rows]
    database.execute("BEGIN")
    for column in columns:
        database.executemany(f"UPDATE keys SET {column} = ? WHERE key = ?", values)  # noqa: S608  # `old` or `new`
    database.execute("COMMIT")


def _selected(database: sqlite3.Connection) -> sqlite3.Cursor:
    return database.execute("SELECT old, new FROM keys ORDER BY key")


def _text(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
