"""Opening a state in SQLite: a file with its folder of leases, or a database without a file."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from syncer.state.files import prepare
from syncer.state.lease import FileLeases, Leases, ProcessLeases
from syncer.state.sqlite.database import SqliteDatabase
from syncer.state.sqlite.schema import connect, connect_readonly
from syncer.state.tables.store import TableStore

#: Name of the folder of lease files, behind the name of the database.
LEASES = ".leases"


async def open_sqlite(
    path: Path | None, *, now: Callable[[], datetime], readonly: bool = False, busy_seconds: float = 30.0
) -> TableStore:
    """Open a database (None: a new one in memory), and return the store on it.

    Raises:
        SettingsError, NotNow: it can't be used; the message says why and what to do.
    """
    url = "memory:" if path is None else f"sqlite:{path}"
    leases: Leases = ProcessLeases() if path is None else FileLeases(path.with_name(path.name + LEASES))

    def open_it() -> sqlite3.Connection:
        if path is not None and readonly:
            return connect_readonly(path, busy_seconds=busy_seconds)
        if path is not None:
            prepare(path)
        return connect(path, busy_seconds=busy_seconds)

    database = SqliteDatabase(url, open_it)
    await database.open()
    store = TableStore(database, leases, now, readonly=readonly)
    await store.load()
    return store
