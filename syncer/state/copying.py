"""A whole state from one database into another, whatever their kinds: every row, in one transaction, with its id.

The id of the state goes along, so that destinations know the copy as the state that wrote them.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from syncer.model.errors import SettingsError
from syncer.state.files import locate, prepare
from syncer.state.open import BUSY_SECONDS, POSTGRES, import_postgres
from syncer.state.sqlite import schema as sqlite_schema
from syncer.state.sqlite.transaction import SqliteTransaction

_ROW = (
    "id", "position", "key", "version", "fingerprint", "path", "place", "container", "size", "sha256", "fields", "grp",
    "withdrawn",
)  # fmt: skip

#: Columns of every table. Positions come last: triggers find no counters to move, and the counters arrive as they were.
TABLES: dict[str, tuple[str, ...]] = {
    "meta": ("name", "value"),
    "jobs": ("id", "name", "forgotten"),
    "legs": ("id", "job", "name", "url", "layout"),
    "units": ("id", "job", "name", "epoch"),
    "partitions": ("id", "job", "key", "unit", "pass", "tracking", "moves", "released"),
    "leg_units": ("id", "unit", "leg", "resume", "published_resume", "staged", "seq"),
    "containers": ("leg_unit", "name", "tag", "size", "sha256", "live", "dead"),
    "fingerprints": ("id", "name", "options"),
    "items": _ROW,
    "pending": (*_ROW, "op", "reason"),
    "owed": (
        "position", "key", "version", "reason", "attempts", "first", "next", "hint", "ignored_until", "fields", "path",
        "place", "settled",
    ),
    "doomed": ("position", "key", "cause", "reason", "settled"),
    "seen": ("id", "partition", "keys"),
    "outbox": ("leg_unit", "first", "count", "epoch", "lines"),
    "claims": ("place", "job"),
    "memories": ("job", "name", "value"),
    "runs": ("id", "job", "run", "started", "ended", "code", "report"),
    "positions": (
        "id", "leg", "partition", "cursor", "moved", "pass", "published_cursor", "published_moved", "published_pass",
        "live", "bytes", "context", "pending", "pending_live", "pending_bytes", "pending_context", "owed", "gone",
        "withdrawn",
    ),
}  # fmt: skip

#: Tables whose digests are bytes, in each database's own way.
_DIGESTS = frozenset({"items", "pending"})
#: Columns that SQLite keeps as 0 and 1.
_FLAGS = frozenset({"forgotten", "released", "settled"})

#: Rows that are on their way at a time.
BATCH = 5000


class End(Protocol):
    """One end of a copy."""

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Any:  # noqa: ANN401  # rows of any shape
        """Run one statement."""

    def stream(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """Yield rows without holding them all."""

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows to a table."""

    def digest(self, text: str) -> object:
        """Return a sha256 as its column holds it."""

    def digest_text(self, value: Any) -> str:  # noqa: ANN401  # as `digest` made it
        """Read what `digest` returned."""


def copy_state(source: str, target: str, base: Path) -> int:
    """Copy everything that one state holds into an empty one; return the number of rows. Blocks.

    Nobody may write to the source meanwhile: take the leases of its jobs. Relative paths count from `base`.

    Raises:
        SettingsError: the source is not there, the target is not empty, or one of them can't be used.
        NotNow, PermissionRefused: as when they are opened.
    """
    with _opened(source, base, write=False) as here, _opened(target, base, write=True) as there:
        if there.execute("SELECT 1 FROM jobs UNION ALL SELECT 1 FROM runs").fetchone() is not None:
            raise SettingsError(
                "the state to copy into is not empty",
                hint="name a file or a schema (?schema=NAME) that is not used yet",
            )
        there.execute("DELETE FROM meta")
        return sum(_copy(here, there, table, columns) for table, columns in TABLES.items())


def _copy(here: End, there: End, table: str, columns: Sequence[str]) -> int:
    convert = [_Column(here, there, table, name) for name in columns]
    total = 0
    batch: list[list[Any]] = []
    for row in here.stream(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608  # names of this module
        batch.append([column(value) for column, value in zip(convert, row, strict=True)])
        if len(batch) == BATCH:
            there.load(table, columns, batch)
            total, batch = total + len(batch), []
    there.load(table, columns, batch)
    return total + len(batch)


class _Column:
    """Turns the value of a column into that of the other database."""

    def __init__(self, here: End, there: End, table: str, name: str) -> None:
        self.flag = name in _FLAGS
        self.digest = table in _DIGESTS and name == "sha256"
        self.here, self.there = here, there

    def __call__(self, value: Any) -> Any:  # noqa: ANN401  # whatever stands there
        if self.flag:
            return bool(value)
        return self.there.digest(self.here.digest_text(value)) if self.digest else value


@contextmanager
def _sqlite(path: Path, *, write: bool) -> Iterator[SqliteTransaction]:
    if write:
        prepare(path)
        connection = sqlite_schema.connect(path, busy_seconds=BUSY_SECONDS)
    elif path.exists():
        connection = sqlite_schema.connect_readonly(path, busy_seconds=BUSY_SECONDS)
    else:
        raise SettingsError(f"there is no state sqlite:{path}", hint="name the file that jobs wrote their state to")
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        yield SqliteTransaction(connection)
        connection.execute("COMMIT")


def _opened(url: str, base: Path, *, write: bool) -> AbstractContextManager[End]:
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        return _sqlite(locate(rest, base), write=write)
    if scheme in POSTGRES:
        end: AbstractContextManager[End] = import_postgres().copying(url, write=write)
        return end
    raise SettingsError("a state is copied between sqlite:PATH and postgresql://…", hint="name two of them")
