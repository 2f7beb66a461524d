"""One connection in one thread: whole transactions, in order, also for callers that are cancelled."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from syncer.model.errors import NotNow, SettingsError
from syncer.state.sqlite.database import SqliteDatabase as Database
from syncer.state.sqlite.faults import explained


@asynccontextmanager
async def opened(path: Path | None = None) -> AsyncIterator[Database]:
    """Open a database with one table."""
    database = Database("here", lambda: sqlite3.connect(path or ":memory:", isolation_level=None))
    await database.open()
    try:
        await database.call(lambda: None)
        await database.write(lambda c: c.execute("CREATE TABLE t (x INTEGER)").close())
        yield database
    finally:
        await database.close()


async def numbers(database: Database) -> list[int]:
    """Return what is in the table."""
    return await database.read(lambda c: [x for (x,) in c.execute("SELECT x FROM t ORDER BY rowid")])


def insert(connection: sqlite3.Connection, x: int) -> None:
    """Insert a number."""
    connection.execute("INSERT INTO t VALUES (?)", (x,))


async def test_a_transaction_that_raises_leaves_nothing() -> None:
    """All of it or nothing, and the next one begins afresh."""

    def half(connection: sqlite3.Connection) -> None:
        insert(connection, 1)
        message = "half way"
        raise KeyError(message)

    async with opened() as database:
        with pytest.raises(KeyError):
            await database.write(half)
        assert await numbers(database) == []
        await database.write(lambda c: insert(c, 2))
        assert await numbers(database) == [2]


@pytest.mark.parametrize("native", [False, True])
async def test_a_cancelled_caller_leaves_no_transaction_open(*, native: bool) -> None:
    """What had begun commits, what had not begun never runs; either way the next call finds a closed transaction."""
    began, go_on = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        insert(connection, 1)
        began.set()
        go_on.wait()
        insert(connection, 2)

    async with opened() as database:
        if native:
            running = asyncio.ensure_future(database.write(slow))
            waiting = asyncio.ensure_future(database.write(lambda c: insert(c, 9)))
            await asyncio.to_thread(began.wait)
            for task in (running, waiting):
                task.cancel()
            assert await asyncio.gather(running, waiting, return_exceptions=True)
            assert running.cancelled()
            assert waiting.cancelled()
        else:
            async with anyio.create_task_group() as group:
                group.start_soon(database.write, slow)
                await asyncio.to_thread(began.wait)
                group.start_soon(database.write, lambda c: insert(c, 9))
                await asyncio.sleep(0)
                group.cancel_scope.cancel()
        after = asyncio.ensure_future(numbers(database))
        go_on.set()
        assert await after == [1, 2]
        await database.write(lambda c: insert(c, 3))
        assert await numbers(database) == [1, 2, 3]


async def test_what_must_happen_happens_behind_a_cancelled_caller() -> None:
    """Releasing a lease is not lost because its holder is being cancelled."""
    done = threading.Event()
    async with opened() as database:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await database.finish(done.set)
        assert done.is_set()


async def test_calls_are_served_in_order() -> None:
    """A hundred writers at once: each transaction is alone."""
    async with opened() as database:
        async with anyio.create_task_group() as group:
            for x in range(100):
                group.start_soon(database.write, lambda c, x=x: insert(c, x))
        assert await numbers(database) == list(range(100))


async def test_closing_twice_is_fine_and_using_it_afterwards_is_not() -> None:
    """A closed database says so."""
    async with opened() as database:
        await database.close()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await numbers(database)


async def test_a_full_disk_is_not_now(tmp_path: Path) -> None:
    """Nothing of the transaction is left, and the database can still be read."""
    async with opened(tmp_path / "x.db") as database:
        await database.write(lambda c: insert(c, 1))
        await database.read(lambda c: c.execute("PRAGMA max_page_count = 3").fetchall())

        def grow(connection: sqlite3.Connection) -> None:
            for x in range(100_000):
                insert(connection, x)

        with pytest.raises(NotNow, match="here can't grow: the disk is full"):
            await database.write(grow)
        assert await numbers(database) == [1]


def test_a_mistake_of_ours_stays_what_it_is() -> None:
    """A wrong statement is a bug, and no state of the disk."""
    error = sqlite3.OperationalError("no such table: x")
    assert explained(error, "here") is error


async def test_a_database_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    """Whoever runs the tool can do something about it."""
    sqlite3.connect(tmp_path / "x.db").close()
    uri = f"file:{tmp_path / 'x.db'}?mode=ro"
    database = Database("here", lambda: sqlite3.connect(uri, isolation_level=None, uri=True))
    await database.open()
    with pytest.raises(SettingsError, match="here is read-only"):
        await database.write(lambda c: c.execute("CREATE TABLE t (x)").close())
    await database.close()
