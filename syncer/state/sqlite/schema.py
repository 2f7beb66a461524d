"""Connecting: pragmas, and migrations by number. A schema newer than ours is refused."""

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from syncer.model.errors import SettingsError

#: Marks the file as ours ("sync" in ASCII; sqlite.org/fileformat.html, offset 68).
APPLICATION_ID = 0x73796E63

#: kB of page cache: enough for the inner pages of the indexes of millions of rows; behind it stands the system's own.
CACHE = 2048

#: Pages of the write-ahead log before it is folded in (16 MB): random keys rewrite the same pages again and again.
CHECKPOINT_PAGES = 4000

#: First version with everything that the statements use.
OLDEST_SQLITE = (3, 35, 0)

_FOLDER = files("syncer.state") / "migrations" / "sqlite"


def migrations() -> list[tuple[int, str]]:
    """Return the numbered scripts, in order."""
    scripts = [entry for entry in _FOLDER.iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name[:4]), entry.read_text("utf-8")) for entry in scripts)


def connect(path: Path | None, *, busy_seconds: float) -> sqlite3.Connection:
    """Open a database for writing, bring it to the present schema, and return the connection.

    None opens an empty one in memory.
    """
    connection = _connect(":memory:" if path is None else str(path), busy_seconds=busy_seconds)
    try:
        _set(connection, "journal_mode = WAL")
        # FULL: a commit survives a power cut, so that the checkpoint is never behind what the destination shows.
        _set(connection, "synchronous = FULL")
        _set(connection, f"wal_autocheckpoint = {CHECKPOINT_PAGES}")
        _set(connection, "journal_size_limit = 67108864")
        migrate(connection, f"sqlite:{path}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_readonly(path: Path, *, busy_seconds: float) -> sqlite3.Connection:
    """Open a database for reading only. One that does not exist yet (or has no bytes) reads as an empty one."""
    if path.exists() and not path.is_file():
        message = f"the state sqlite:{path} is not a file"
        raise SettingsError(message, hint="name a file in the setting `state`")
    if not path.exists() or path.stat().st_size == 0:
        connection = connect(None, busy_seconds=busy_seconds)
        _set(connection, "query_only = ON")
        return connection
    connection = _connect(f"file:{quote(str(path))}?mode=ro", busy_seconds=busy_seconds, uri=True)
    try:
        _require_present(connection, f"sqlite:{path}")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Apply the scripts that are missing, in one transaction; a second process that came at once waits and finds them.

    Raises:
        SettingsError: the schema is newer than ours, or the file belongs to another program.
    """
    scripts = migrations()
    if _checked(connection, where) == scripts[-1][0]:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        have = _checked(connection, where)
        for number, script in scripts:
            if number > have:
                for statement in _statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(
            "INSERT INTO meta (name, value) VALUES ('id', lower(hex(randomblob(16)))) ON CONFLICT DO NOTHING"
        )
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already, and that is what has to be said.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect(name: str, *, busy_seconds: float, uri: bool = False) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        message = f"this Python comes with SQLite {sqlite3.sqlite_version}; 3.35 or newer is needed"
        raise SettingsError(message, hint="use a newer build of Python")
    connection = sqlite3.connect(name, timeout=busy_seconds, isolation_level=None, uri=uri)
    _set(connection, f"cache_size = -{CACHE}")
    # Sorting the keys of a large partition goes to disk, not to memory.
    _set(connection, "temp_store = FILE")
    _set(connection, "trusted_schema = OFF")
    return connection


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    connection.execute(f"PRAGMA {pragma}").fetchall()


def _checked(connection: sqlite3.Connection, where: str) -> int:
    # In one statement, so of one moment: another process may be migrating.
    version, application, tables = connection.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if application != APPLICATION_ID and (tables or version or application):
        message = f"{where} is a database of another program"
        raise SettingsError(message, hint="name another file in the setting `state`")
    newest = migrations()[-1][0]
    if version > newest:
        message = (
            f"the state {where} was written by a newer version of syncer (schema {version}; this one knows {newest})"
        )
        raise SettingsError(message, hint="use that version again, or move the file away and rebuild the state")
    return int(version)


def _require_present(connection: sqlite3.Connection, where: str) -> None:
    if (version := _checked(connection, where)) < migrations()[-1][0]:
        message = f"the state {where} was written by an older version of syncer (schema {version})"
        raise SettingsError(message, hint="bring it up to date with `syncer state migrate`")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
