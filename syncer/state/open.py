"""From the `state:` setting to an open store."""

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import anyio.to_thread

from syncer.model.errors import SettingsError
from syncer.model.events import Emit
from syncer.ports import Quotas, StateStore
from syncer.state.files import locate, prepare
from syncer.state.memory import memory_state
from syncer.state.postgres.target import parse
from syncer.state.sqlite.schema import connect
from syncer.state.sqlite.store import open_sqlite

#: Seconds that a transaction waits for another process to finish its own.
BUSY_SECONDS = 30.0

#: Seconds that a database server may be away in the middle of the work: as long as a restart or a failover takes.
PATIENCE_SECONDS = 60.0

#: Schemes of a state in PostgreSQL.
POSTGRES = frozenset({"postgresql", "postgres"})


def system_time() -> datetime:
    """Return the wall clock, aware, UTC."""
    return datetime.now(UTC)


def open_state(
    url: str,
    base: Path,
    *,
    readonly: bool = False,
    now: Callable[[], datetime] = system_time,
    busy_seconds: float = BUSY_SECONDS,
    patience: float = PATIENCE_SECONDS,
) -> AbstractAsyncContextManager[StateStore]:
    """Open the state that a URL names: `sqlite:PATH` (relative paths count from `base`), `memory:`, `postgresql://…`.

    The store is given back when the block ends. With `readonly` nothing is ever written, not even an empty file: a
    database that does not exist yet reads as an empty one. `now` decides which postponed items may be tried again.
    A server that goes away in the middle is waited for, for `patience` seconds.

    Raises:
        SettingsError: the URL is of no known kind; on entering: the file is not ours, is damaged, can't be opened, or
            was written by a newer version.
        PermissionRefused: on entering: the database server refuses the user or the password.
        NotNow: on entering: another process holds the database, the disk is full, or the server is away.
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "memory" and not rest:
        return memory_state(now=now)
    if colon and scheme == "sqlite":
        return _sqlite(locate(rest, base), readonly=readonly, now=now, busy_seconds=busy_seconds)
    if colon and scheme in POSTGRES:
        return _postgres(url, readonly=readonly, now=now, patience=patience)
    # The rest of the URL may hold a password: it is never repeated.
    message = f"unknown kind of state: {scheme if colon else url!r}"
    raise SettingsError(message, hint="write sqlite:PATH, for example sqlite:state.db, or postgresql://…")


@asynccontextmanager
async def open_quotas(url: str, emit: Emit) -> AsyncIterator[Quotas | None]:
    """Share limits with all processes that use the same state, where that is on a server; elsewhere there is None.

    The state must have been opened before. While its server is away, each process goes on with its part, and says so.
    """
    if url.partition(":")[0] not in POSTGRES:
        yield None
        return
    room = await anyio.to_thread.run_sync(_import, "syncer.state.postgres.quotas")
    async with room.open_quotas(parse(url), emit) as quotas:
        yield quotas


def migrate_state(url: str, base: Path) -> int | None:
    """Bring a state up to the present schema; return how many steps that took, None if it came about by opening it.

    Blocks.

    Raises:
        SettingsError, PermissionRefused, NotNow: it can't be used.
        LeaseHeld: somebody is at work on it.
    """
    scheme, _, rest = url.partition(":")
    if scheme in POSTGRES:
        return int(import_postgres().migrate(url))
    if scheme == "sqlite":
        prepare(locate(rest, base))
        connect(locate(rest, base), busy_seconds=BUSY_SECONDS).close()
    return None


def import_postgres() -> ModuleType:
    """Return `state.postgres.store`. A state in a file does without the client, and the time that importing it takes.

    Raises:
        SettingsError: the client library is not installed.
    """
    return _import("syncer.state.postgres.store")


def _import(room: str) -> ModuleType:
    try:
        return importlib.import_module(room)
    except ImportError as error:
        raise SettingsError(
            "a state in PostgreSQL needs the client library psycopg 3, which is not installed",
            hint="pip install 'annotation-syncer[postgres]'",
        ) from error


@asynccontextmanager
async def _sqlite(
    path: Path, *, readonly: bool, now: Callable[[], datetime], busy_seconds: float
) -> AsyncIterator[StateStore]:
    store = await open_sqlite(path, readonly=readonly, now=now, busy_seconds=busy_seconds)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _postgres(
    url: str, *, readonly: bool, now: Callable[[], datetime], patience: float
) -> AsyncIterator[StateStore]:
    # Importing reads files: not on the event loop.
    room = await anyio.to_thread.run_sync(import_postgres)
    store = await room.open_postgres(parse(url), readonly=readonly, now=now, patience=patience)
    if store is None:
        # Nothing is there yet: it reads as an empty one, and stays away.
        async with memory_state(now=now, readonly=True) as empty:
            yield empty
        return
    try:
        yield store
    finally:
        await store.close()
