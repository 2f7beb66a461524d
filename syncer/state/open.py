"""From the `state:` setting to an open store."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from syncer.model.errors import SettingsError
from syncer.ports import StateStore
from syncer.state.files import locate
from syncer.state.memory import memory_state
from syncer.state.sqlite.store import open_sqlite

#: Seconds that a transaction waits for another process to finish its own.
BUSY_SECONDS = 30.0


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
) -> AbstractAsyncContextManager[StateStore]:
    """Open the state that a URL names: `sqlite:PATH` (relative paths count from `base`) or `memory:`.

    The store is given back when the block ends. With `readonly` nothing is ever written, not even an empty file: a
    database that does not exist yet reads as an empty one. `now` decides which postponed items may be tried again.

    Raises:
        SettingsError: the URL is of no known kind; on entering: the file is not ours, is damaged, can't be opened, or
            was written by a newer version.
        NotNow: on entering: another process holds the database, or the disk is full.
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "memory" and not rest:
        return memory_state(now=now)
    if colon and scheme == "sqlite":
        return _sqlite(locate(rest, base), readonly=readonly, now=now, busy_seconds=busy_seconds)
    # The rest of the URL may hold a password: it is never repeated.
    if scheme in {"postgresql", "postgres"}:
        message = "state in PostgreSQL is not part of this version"
        raise SettingsError(message, hint="keep the state in a local file: sqlite:PATH")
    message = f"unknown kind of state: {scheme if colon else url!r}"
    raise SettingsError(message, hint="write sqlite:PATH, for example sqlite:state.db")


@asynccontextmanager
async def _sqlite(
    path: Path, *, readonly: bool, now: Callable[[], datetime], busy_seconds: float
) -> AsyncIterator[StateStore]:
    store = await open_sqlite(path, readonly=readonly, now=now, busy_seconds=busy_seconds)
    try:
        yield store
    finally:
        await store.close()
