"""What the statements of this room ask of a database, beyond the SQL that both kinds of it understand.

Statements are written with SQLite's placeholders (`?`, `?1`) and its `json_each(?)` for lists; PostgreSQL's side spells
them in its own way (`state/postgres/dialect.py`). Everything else in them means the same on both.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

#: One row of a table.
Record = Sequence[Any]

#: Columns that `items` and `pending` share.
NAMES = (
    "position", "key", "version", "fingerprint", "path", "place", "container", "size", "sha256", "fields", "grp",
    "withdrawn",
)  # fmt: skip
COLUMNS = ", ".join(NAMES)

#: What a conflicting insert writes over the row that is there.
OVERWRITE = ", ".join(f"{name} = excluded.{name}" for name in NAMES[2:])

#: A row that is only noted as kept leaves what its unpublished row has to tell the manifest.
OVERWRITE_PENDING = (
    f"{OVERWRITE},"
    " op = CASE WHEN excluded.op = 'keep' AND pending.op <> 'delete' THEN pending.op ELSE excluded.op END,"
    " reason = CASE WHEN excluded.op = 'keep' AND pending.op <> 'delete' THEN pending.reason ELSE excluded.reason END"
)

#: Tables that hold something under a position and a key.
Held = Collection[str]

#: Keys that are looked for, with the positions at which each of them may be.
Asked = Sequence[tuple[Sequence[int], Collection[str]]]


class Rows(Protocol):
    """What a statement returned."""

    @property
    def rowcount(self) -> int:
        """Rows that it changed."""

    def fetchone(self) -> Any:  # noqa: ANN401  # a row of any shape
        """Return the next row, None if there is none."""

    def fetchall(self) -> list[Any]:
        """Return the rest."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rest."""


class Transaction(Protocol):
    """One transaction of a database: all of it happens, or, if its function raises, nothing."""

    #: Nobody else's transaction writes meanwhile.
    alone: bool

    def execute(self, statement: str, parameters: Record = (), /) -> Rows:
        """Run one statement."""

    def executemany(self, statement: str, records: Iterable[Record], /) -> object:
        """Run one statement for each record."""

    def stream(self, statement: str, parameters: Record = ()) -> Iterator[Any]:
        """Yield rows without holding them all; other statements may run meanwhile."""

    def serialize(self) -> None:
        """Keep out other processes that change what jobs share, until this transaction ends."""

    def still_ours(self, unit: int | None, epoch: int, tickets: Sequence[int]) -> bool:
        """Tell whether a unit stands at this epoch and all these leases are held; so it stays until the end."""

    def find(self, tables: Held, asked: Asked) -> Iterable[tuple[str, Record]]:
        """Yield (table, record) for what tables hold of the keys, in the order of the tables.

        Tables are `items` and `pending` (`COLUMNS`, then the pending row's op) and `owed` (position, key, path,
        ignored_until; of settled debts nothing).
        """

    def holders(self, places: Sequence[int]) -> Iterable[tuple[int, int, str]]:
        """Yield (place, position, key) of the rows and owed items that hold one of these places."""

    def put(self, table: str, records: Sequence[Record]) -> None:
        """Insert or overwrite rows: `COLUMNS`, for `pending` then op and reason. No key comes twice."""

    def scratch(self, name: str, column: str) -> None:
        """Make a table of texts for this connection alone, unless it is there. No text comes twice.

        Whoever fills it leaves it empty.
        """

    def digest(self, text: str) -> object:
        """Return a sha256 as its column holds it; texts that are no digest come back as they were."""

    def digest_text(self, value: Any) -> str:  # noqa: ANN401  # as `digest` made it
        """Read what `digest` returned."""


#: Names by id.
Names = Mapping[int, str]
