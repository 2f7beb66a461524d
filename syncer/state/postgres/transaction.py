"""`tables.Transaction` on PostgreSQL: one round trip for a page of keys, COPY for a group of rows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import orjson
import psycopg
from psycopg.raw_cursor import RawServerCursor

from syncer.state.postgres.dialect import native
from syncer.state.postgres.texts import restored, storable
from syncer.state.tables.rows import digest
from syncer.state.tables.transaction import COLUMNS, NAMES, OVERWRITE, OVERWRITE_PENDING, Asked, Held, Record

#: A connection whose cursors take `$1`.
Connection = psycopg.Connection[tuple[Any, ...]]

#: Under this number processes of one schema take turns in what jobs share.
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 1))"

_STILL_OURS = (
    "SELECT u.epoch = $2 AND (SELECT count(*) FROM leases WHERE ticket = ANY($3::bigint[])) = cardinality($3::bigint[])"
    " FROM units AS u WHERE u.id = $1 FOR SHARE OF u"
)

_ROW = ", ".join(f"i.{name}" for name in NAMES)
#: Lists are written as text here: the client library would look at each member three times.
_ASKED = "ROWS FROM (unnest($1::bigint[]), json_array_elements_text($2::json)) AS a (position, key)"

#: What `find` asks, by table; columns that a table lacks are NULL, so that all of them are one query.
_FIND = {
    "items": f"SELECT 'items', {_ROW}, NULL FROM {_ASKED} JOIN items AS i USING (position, key)",  # noqa: S608  # constants
    "pending": f"SELECT 'pending', {_ROW}, i.op FROM {_ASKED} JOIN pending AS i USING (position, key)",  # noqa: S608  # constants
    "owed": "SELECT 'owed', i.position, i.key, i.path, NULL, i.ignored_until, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"  # noqa: S608  # constants
    f" NULL FROM {_ASKED} JOIN owed AS i USING (position, key) WHERE NOT i.settled",
}

_HOLDERS = " UNION ALL ".join(
    f"SELECT place, position, key FROM {table} WHERE place = ANY($1::bigint[])"  # noqa: S608  # constants
    for table in ("items", "pending", "owed")
)

#: Rows on their way into a table, by connection: binary COPY into it is the fastest way there is.
STAGED = f"CREATE TEMP TABLE staged ON COMMIT DELETE ROWS AS SELECT {COLUMNS}, op, reason FROM pending WHERE FALSE"  # noqa: S608  # constants
_TYPES = (
    "int8", "text", "text", "int8", "text", "int8", "text", "int8", "bytea", "text", "text", "text", "text", "text",
)  # fmt: skip

#: Rows that a cursor on the server hands over at a time.
_BATCH = 1000

_DIGEST = 32


class PostgresTransaction:
    """One transaction; others may write other rows meanwhile."""

    alone = False

    def __init__(self, connection: Connection) -> None:
        """Take a connection on which a transaction has begun."""
        self._connection = connection

    def execute(self, statement: str, parameters: Record = (), /) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run one statement."""
        return self._connection.execute(native(statement), [storable(each) for each in parameters] or None)

    def executemany(self, statement: str, records: Iterable[Record], /) -> object:
        """Run one statement for each record, without waiting in between."""
        records = list(records)
        if records:
            with self._connection.cursor() as cursor:
                cursor.executemany(native(statement), records)
        return None

    def stream(self, statement: str, parameters: Record = ()) -> Iterator[Any]:
        """Yield rows from a cursor on the server."""
        with RawServerCursor(self._connection, "streamed") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(native(statement), parameters or None)
            yield from cursor

    def serialize(self) -> None:
        """Take the turn, and wait for whoever has it."""
        self._connection.execute(_TURN)

    def still_ours(self, unit: int | None, epoch: int, tickets: Sequence[int]) -> bool:
        """Tell whether the epoch is ours and no lease was given to others; a take-over then waits for our end."""
        found = self._connection.execute(_STILL_OURS, (unit, epoch, [each for each in tickets if each])).fetchone()
        return found is not None and bool(found[0])

    def find(self, tables: Held, asked: Asked) -> Iterator[tuple[str, Record]]:
        """Look up all keys in all tables; one query."""
        at = [(position, key) for positions, keys in asked for position in positions for key in keys]
        if not at:
            return
        # In the order of the index: neighbours are met together.
        at.sort()
        query = " UNION ALL ".join(_FIND[table] for table in tables)
        positions = f"{{{','.join([str(position) for position, _ in at])}}}"
        keys = orjson.dumps([key for _, key in at]).decode()
        # In binary, and all at once: half of the time that a page takes went into taking rows apart.
        rows = self._connection.execute(native(query), (positions, keys), binary=True).fetchall()
        for table, *record in restored(rows):
            yield table, (record if table != "owed" else (record[0], record[1], record[2], record[4]))

    def holders(self, places: Sequence[int]) -> Iterable[tuple[int, int, str]]:
        """Yield (place, position, key) of the rows and owed items that hold one of these places; one query."""
        return cast("Iterable[tuple[int, int, str]]", self.execute(_HOLDERS, (list(places),)))

    def put(self, table: str, records: Sequence[Record]) -> None:
        """Copy rows aside, and move them over in one statement."""
        if not records:
            return
        columns, overwrite = COLUMNS, OVERWRITE
        if table == "pending":
            columns, overwrite = f"{COLUMNS}, op, reason", OVERWRITE_PENDING
        with (
            self._connection.cursor() as cursor,
            cursor.copy(native(f"COPY staged ({columns}) FROM STDIN (FORMAT BINARY)")) as copy,
        ):
            copy.set_types(_TYPES[: columns.count(",") + 1])
            for record in records:
                copy.write_row(record)
        self.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM staged ORDER BY position, key"  # noqa: S608  # constants
            f" ON CONFLICT (position, key) DO UPDATE SET {overwrite}"
        )
        self.execute("DELETE FROM staged")

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Record]) -> None:
        """Append rows to a table."""
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def scratch(self, name: str, column: str) -> None:
        """Make a table; its pages go back at the end of each transaction."""
        # Texts that are compared with ours by another order of letters are not looked up in an index.
        key = f'{column} text COLLATE "C" PRIMARY KEY'
        self.execute(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({key}) ON COMMIT DELETE ROWS")

    def digest(self, text: str) -> object:
        """Return 32 bytes for a digest; any other text becomes longer than that, and ends with zeros."""
        return digest(text) or text.encode("utf-8").ljust(_DIGEST, b"\0") + b"\0"

    def digest_text(self, value: Any) -> str:  # noqa: ANN401  # bytes
        """Read what `digest` returned."""
        digits = bytes(value)
        return digits.hex() if len(digits) == _DIGEST else digits.rstrip(b"\0").decode("utf-8")
