"""A manifest as its reader wants it: one row an item, the last one. Memory stays small, whatever its size."""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, closing
from typing import cast

import anyio.to_thread
import msgspec

from syncer.model.rows import ManifestRow, decode_row, encode_row
from syncer.ports import Manifest

_BATCH = 2000


async def merged(manifest: Manifest) -> AsyncIterator[Sequence[ManifestRow]]:
    """Yield what is current, in batches, in the order of keys. Rows wait in a temporary file, not in memory.

    Raises:
        DestinationChanged: a segment is missing or is not what HEAD says.
    """
    # SQLite's own temporary database: in memory while small, then in a file that has no name.
    with closing(await anyio.to_thread.run_sync(_create)) as database:
        batch: list[ManifestRow] = []
        async with aclosing(manifest.rows()) as rows:  # type: ignore[type-var]  # adapters return generators
            async for _, row in rows:
                batch.append(row)
                if len(batch) >= _BATCH:
                    await anyio.to_thread.run_sync(_apply, database, batch)
                    batch = []
        await anyio.to_thread.run_sync(_apply, database, batch)
        cursor = await anyio.to_thread.run_sync(_select, database)
        while found := await anyio.to_thread.run_sync(cursor.fetchmany, _BATCH):
            yield [decode_row(cast("bytes", line)) for (line,) in found]


def as_row(row: ManifestRow) -> dict[str, object]:
    """Return a row as it is printed, keys as columns."""
    plain = msgspec.to_builtins(row)
    del plain["key"]
    return {"op": plain.pop("op"), **row.key._asdict(), **plain}


def _create() -> sqlite3.Connection:
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, line BLOB) WITHOUT ROWID")
    return database


def _apply(database: sqlite3.Connection, rows: Iterable[ManifestRow]) -> None:
    database.execute("BEGIN")
    for row in rows:
        if row.op == "delete":
            database.execute("DELETE FROM rows WHERE key = ?", (row.key.canonical(),))
        else:
            database.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (row.key.canonical(), encode_row(row)))
    database.execute("COMMIT")


def _select(database: sqlite3.Connection) -> sqlite3.Cursor:
    return database.execute("SELECT line FROM rows ORDER BY key")
