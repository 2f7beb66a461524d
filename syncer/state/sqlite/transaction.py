"""`tables.Transaction` on SQLite: the connection itself, and the queries that it answers best in its own words."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from syncer.state.tables.rows import array, digest, marks
from syncer.state.tables.transaction import NAMES, OVERWRITE, OVERWRITE_PENDING, Asked, Held, Record

_ROW = ", ".join(f"i.{name}" for name in NAMES)

_HOLDERS = " UNION ALL ".join(
    f"SELECT t.place, t.position, t.key FROM json_each(?1) AS w CROSS JOIN {table} AS t ON t.place = w.value"  # noqa: S608  # constants
    for table in ("items", "pending", "owed")
)

#: From so many rows on one statement writes them all. Every statement lets other threads have the interpreter, and
#: waits until it gets it back: row by row that costs many times what SQLite does.
_TOGETHER = 8
_DIGEST, _DIGEST_SIZE = NAMES.index("sha256"), 32


def _column(place: int) -> str:
    if place == _DIGEST:
        return f"substr(?2, r.key * {_DIGEST_SIZE} + 1, {_DIGEST_SIZE})"
    return f"json_extract(r.value, '$[{place}]')"


@lru_cache(maxsize=8)
def _put(table: str, *, together: bool) -> str:
    """Return the statement that writes one row, or an array of them."""
    names, overwrite = (NAMES, OVERWRITE) if table != "pending" else ((*NAMES, "op", "reason"), OVERWRITE_PENDING)
    rows = f"VALUES ({marks(len(names))})"
    if together:
        rows = f"SELECT {', '.join(map(_column, range(len(names))))} FROM json_each(?1) AS r WHERE TRUE"  # noqa: S608  # constants
    return f"INSERT INTO {table} ({', '.join(names)}) {rows} ON CONFLICT (position, key) DO UPDATE SET {overwrite}"


def _together(records: Sequence[Record]) -> tuple[str, bytes] | None:
    """Return rows as one array, and their digests; None where JSON can't carry them."""
    digests = b"".join([digest for record in records if isinstance(digest := record[_DIGEST], bytes)])
    if len(digests) != _DIGEST_SIZE * len(records):
        return None
    try:
        text = orjson.dumps([(*record[:_DIGEST], None, *record[_DIGEST + 1 :]) for record in records]).decode()
    except TypeError:  # a lone surrogate: for SQLite's own binding to judge
        return None
    # SQLite ends a text of JSON at this character.
    return None if "\\u0000" in text else (text, digests)


class SqliteTransaction:
    """One transaction; the database is ours alone until it ends, if it writes."""

    alone = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a connection on which a transaction has begun."""
        self._connection = connection
        self.execute = connection.execute
        self.executemany = connection.executemany

    def stream(self, statement: str, parameters: Record = ()) -> Iterator[Any]:
        """Yield rows as they are read."""
        cursor = self._connection.execute(statement, parameters)
        try:
            yield from cursor
        finally:
            cursor.close()

    def serialize(self) -> None:
        """Do nothing: there is one writer at a time."""

    def still_ours(self, unit: int | None, epoch: int, tickets: Sequence[int]) -> bool:  # noqa: ARG002  # locks of the kernel can't be lost
        """Tell whether a unit stands at this epoch."""
        found = self.execute("SELECT epoch FROM units WHERE id = ?", (unit,)).fetchone()
        return bool(found == (epoch,))

    def find(self, tables: Held, asked: Asked) -> Iterator[tuple[str, Record]]:
        """Look up the keys of each partition in each table: a query costs next to nothing here."""
        for table in tables:
            for positions, keys in asked:
                at = marks(len(positions))
                if table == "owed":
                    query = f"SELECT 1 FROM positions WHERE id IN ({at}) AND owed > 0"  # noqa: S608  # constants
                    if self.execute(query, positions).fetchone() is None:
                        continue
                    columns, condition = "i.position, i.key, i.path, i.ignored_until", "WHERE NOT i.settled"
                else:
                    columns, condition = f"{_ROW}, {'i.op' if table == 'pending' else 'NULL'}", ""
                rows = self.execute(
                    f"SELECT {columns} FROM json_each(?) AS k CROSS JOIN {table} AS i"  # noqa: S608  # constants
                    f" ON i.position IN ({at}) AND i.key = k.value {condition}",
                    (array(keys), *positions),
                )
                for record in rows:
                    yield table, record

    def holders(self, places: Sequence[int]) -> Iterable[tuple[int, int, str]]:
        """Yield (place, position, key) of the rows and owed items that hold one of these places; one query."""
        return self.execute(_HOLDERS, (orjson.dumps(list(places)).decode(),))

    def put(self, table: str, records: Sequence[Record]) -> None:
        """Insert or overwrite rows."""
        if len(records) >= _TOGETHER and (parameters := _together(records)) is not None:
            self.execute(_put(table, together=True), parameters)
        else:
            self.executemany(_put(table, together=False), records)

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Record]) -> None:
        """Append rows to a table."""
        self.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(len(columns))})",  # noqa: S608  # constants
            rows,
        )

    def scratch(self, name: str, column: str) -> None:
        """Make a table, sorted by its key."""
        self.execute(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({column} TEXT PRIMARY KEY) WITHOUT ROWID")

    def digest(self, text: str) -> object:
        """Return 32 bytes for a digest; any other text stays as it is."""
        return digest(text) or text

    def digest_text(self, value: Any) -> str:  # noqa: ANN401  # bytes or text
        """Read what `digest` returned."""
        return value if isinstance(value, str) else bytes(value).hex()
