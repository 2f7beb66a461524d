"""What is current in one generation: one row an item, the last one. It waits in a temporary file, not in memory."""

import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Self, TypeVar

from anyio import Lock, to_thread

from syncer.model.errors import DestinationChanged
from syncer.model.refs import CONTEXT, ItemKey
from syncer.model.rows import ManifestRow, decode_row, encode_row
from syncer.ports import Head, Manifest

T = TypeVar("T")

#: Rows handled by one thread hop.
_BATCH = 2000
#: Rows of a segment that are believed; none is written with more than a hundredth of that.
_MOST_ROWS = 1_000_000

_SCHEMA = """
    CREATE TABLE rows (seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, container TEXT NOT NULL, path TEXT NOT NULL,
                       finished INTEGER NOT NULL, line BLOB NOT NULL);
"""
_INDEXES = """
    CREATE INDEX by_place ON rows (container, seq) WHERE finished = 1;
    CREATE INDEX by_path ON rows (path);
"""
#: Where reading goes on: after this container and row.
Mark = tuple[str, int]
START: Mark = ("", -1)


class CurrentRows:
    """The merged manifest of one generation."""

    def __init__(self, head: Head, database: sqlite3.Connection) -> None:
        """Take an empty database; `built` fills it."""
        self.head = head
        self._database = database
        # One connection, one thread at a time.
        self._lock = Lock()

    @classmethod
    async def built(
        cls, manifest: Manifest, head: Head, wanted: Callable[[ManifestRow], bool] = lambda _: True
    ) -> Self:
        """Merge all segments of a generation.

        Raises:
            DestinationChanged: a segment is missing, or is not what HEAD says.
        """
        for segment in head.segments:
            if segment.rows > _MOST_ROWS:
                message = f"manifest segment {segment.name} is said to have {segment.rows:,} rows: no segment has"
                raise DestinationChanged(message, hint="somebody changed HEAD: restore it from a copy")
        rows = cls(head, await to_thread.run_sync(_created))
        try:
            batch: list[ManifestRow] = []
            async with aclosing(manifest.rows(head)) as found:  # type: ignore[type-var]  # adapters return generators
                async for _, row in found:
                    if wanted(row):
                        batch.append(row)
                    if len(batch) >= _BATCH:
                        await rows._run(_added, batch)
                        batch = []
            await rows._run(_added, batch)
            await rows._run(lambda database: database.executescript(_INDEXES))
        except BaseException:
            await rows.close()
            raise
        return rows

    async def count(self) -> int:
        """Return how many items are finished."""
        return int((await self._rows("SELECT count(*) FROM rows WHERE finished = 1"))[0][0])

    async def get(self, key: ItemKey) -> ManifestRow | None:
        """Return the row of an item, None if it is not there."""
        return _first(await self._rows("SELECT seq, line FROM rows WHERE key = ?", key.canonical()))

    async def at_path(self, path: str) -> ManifestRow | None:
        """Return the row of the finished item with a path, None if there is none."""
        return _first(await self._rows("SELECT seq, line FROM rows WHERE path = ? AND finished > 0 LIMIT 1", path))

    async def containers(self) -> list[str | None]:
        """Return what holds finished items, in the order in which they are read; None: the root itself."""
        found = await self._rows("SELECT DISTINCT container FROM rows WHERE finished = 1 ORDER BY container")
        return [name or None for (name,) in found]

    async def mark(self, number: int) -> Mark:
        """Return the mark before the n-th finished item (0-based), in the order in which they are read."""
        if number <= 0:
            return START
        query = "SELECT container, seq FROM rows WHERE finished = 1 ORDER BY container, seq LIMIT 1 OFFSET ?"
        found = await self._rows(query, number - 1)
        return (str(found[0][0]), int(found[0][1])) if found else ("\U0010ffff", 0)

    async def after(self, mark: Mark, container: str | None, most: int) -> list[tuple[Mark, ManifestRow]]:
        """Return finished items of a container behind a mark, about in the order in which they were written."""
        name = container or ""
        seq = mark[1] if mark[0] == name else -1 if mark[0] < name else None
        if seq is None:
            return []
        query = "SELECT seq, line FROM rows WHERE finished = 1 AND container = ? AND seq > ? ORDER BY seq LIMIT ?"
        return [((name, seq), decode_row(line)) for seq, line in await self._rows(query, name, seq, most)]

    async def close(self) -> None:
        """Forget all of it."""
        await self._run(lambda database: database.close())

    async def _rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        return await self._run(lambda database: database.execute(query, values).fetchall())

    async def _run(self, work: Callable[..., T], *values: object) -> T:
        async with self._lock:
            return await to_thread.run_sync(work, self._database, *values)


async def all_rows(rows: CurrentRows, mark: Mark = START, batch: int = _BATCH) -> AsyncGenerator[Sequence[ManifestRow]]:
    """Yield all finished items in the order in which they are read."""
    for container in await rows.containers():
        while found := await rows.after(mark, container, batch):
            mark = found[-1][0]
            yield [row for _, row in found]


def _created() -> sqlite3.Connection:
    # SQLite's own temporary database: in memory while small, then in a file that has no name.
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.executescript(_SCHEMA)
    return database


def _added(database: sqlite3.Connection, rows: Iterable[ManifestRow]) -> None:
    database.execute("BEGIN")
    for row in rows:
        key = row.key.canonical()
        if row.op == "delete":
            database.execute("DELETE FROM rows WHERE key = ?", (key,))
            continue
        database.execute(
            "INSERT OR REPLACE INTO rows (key, container, path, finished, line) VALUES (?, ?, ?, ?, ?)",
            (_text(key), _text(row.container or ""), _text(row.path), _rank(row), encode_row(row)),
        )
    database.execute("COMMIT")


def _rank(row: ManifestRow) -> int:
    """Return 0 for what is withdrawn, 1 for labels and files, 2 for what only explains them and is found by name."""
    return 0 if row.op != "put" else 2 if row.key.kind == CONTEXT else 1


def _first(found: Sequence[tuple[Any, ...]]) -> ManifestRow | None:
    return decode_row(found[0][1]) if found else None


def _text(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
