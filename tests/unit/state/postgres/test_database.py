"""One connection in one thread: whole transactions, whatever happens to the caller, the server, or the way to it."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest

from syncer.model.errors import NotNow, PermissionRefused, SettingsError
from syncer.state.postgres.database import PostgresDatabase
from syncer.state.postgres.target import Target, parse
from syncer.state.tables.transaction import Transaction
from tests.support.lost_answers import losing
from tests.support.postgres import Postgres, postgres


@pytest.fixture(scope="module")
def restarted() -> Iterator[Postgres]:
    """Run a server that may be stopped, because nobody else uses it."""
    with postgres() as server:
        yield server


@asynccontextmanager
async def opened(target: Target, patience: float = 60) -> AsyncIterator[PostgresDatabase]:
    """Open a database."""
    database = PostgresDatabase(target, patience=patience)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def insert(transaction: Transaction, name: str) -> None:
    """Insert a job."""
    transaction.execute("INSERT INTO jobs (name) VALUES (?)", (name,))


async def names(database: PostgresDatabase) -> list[str]:
    """Return the jobs that are there."""
    return await database.read(lambda t: [name for (name,) in t.execute("SELECT name FROM jobs ORDER BY id")])


async def test_a_transaction_that_raises_leaves_nothing(target: Target) -> None:
    """All of it or nothing, and the next one begins afresh."""

    def half(transaction: Transaction) -> None:
        insert(transaction, "1")
        message = "half way"
        raise KeyError(message)

    async with opened(target) as database:
        with pytest.raises(KeyError):
            await database.write(half)
        assert await names(database) == []
        await database.write(lambda t: insert(t, "2"))
        assert await names(database) == ["2"]


async def test_a_cancelled_caller_leaves_no_transaction_open(
    target: Target, postgres_server: Postgres, schema: str
) -> None:
    """What had begun commits, what had not begun never runs; no session of ours is left inside a transaction."""
    began, go_on = threading.Event(), threading.Event()

    def slow(transaction: Transaction) -> None:
        insert(transaction, "1")
        began.set()
        go_on.wait()
        insert(transaction, "2")

    async with opened(target) as database:
        running = asyncio.ensure_future(database.write(slow))
        waiting = asyncio.ensure_future(database.write(lambda t: insert(t, "9")))
        await asyncio.to_thread(began.wait)
        for task in (running, waiting):
            task.cancel()
        assert await asyncio.gather(running, waiting, return_exceptions=True)
        assert running.cancelled()
        assert waiting.cancelled()
        after = asyncio.ensure_future(names(database))
        go_on.set()
        assert await after == ["1", "2"]
        with postgres_server.connect(schema) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'syncer' AND state ~ 'transaction'"
            assert connection.execute(query).fetchone() == (0,)


async def test_what_another_process_undid_is_done_again(target: Target) -> None:
    """Two transactions that wait for each other: the server ends one of them, and both are there in the end."""
    both = threading.Barrier(2, timeout=60)
    turns: list[str] = []

    def lock(first: str, second: str) -> object:
        def work(transaction: Transaction) -> None:
            turns.append(first)
            transaction.execute("UPDATE jobs SET forgotten = TRUE WHERE name = ?", (first,))
            if turns.count(first) == 1:
                both.wait()
            transaction.execute("UPDATE jobs SET forgotten = TRUE WHERE name = ?", (second,))

        return work

    async with opened(target) as one, opened(target) as two:
        await one.write(lambda t: [insert(t, "a"), insert(t, "b")])
        await asyncio.gather(one.write(lock("a", "b")), two.write(lock("b", "a")))  # type: ignore[arg-type]
    assert len(turns) > 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_restart_of_the_server_is_waited_for(restarted: Postgres, how: signal.Signals) -> None:
    """In order or in mid-flight: the transaction is made anew on a new connection, once."""
    with restarted.schema() as name:
        async with opened(parse(restarted.url(name))) as database:
            await database.write(lambda t: insert(t, "1"))
            await asyncio.to_thread(restarted.stop, how)
            writing = asyncio.ensure_future(database.write(lambda t: insert(t, "2")))
            await asyncio.to_thread(restarted.start)
            await writing
            assert await names(database) == ["1", "2"]


async def test_a_server_that_stays_away_is_not_now(restarted: Postgres) -> None:
    """Within the patience that was asked for, in words, and without the password."""
    with restarted.schema() as name:
        async with opened(parse(restarted.url(name)), patience=0.2) as database:
            await asyncio.to_thread(restarted.stop)
            try:
                with pytest.raises(NotNow, match="is away") as caught:
                    await database.write(lambda t: insert(t, "2"))
                assert "wrenches" not in f"{caught.value} {caught.value.hint}"
                with pytest.raises(NotNow, match="is away"):
                    await names(database)
            finally:
                await asyncio.to_thread(restarted.start)
            assert await names(database) == []


@pytest.mark.parametrize("before", [True, False])
async def test_a_commit_whose_answer_was_lost_happens_once(
    postgres_server: Postgres, schema: str, before: bool
) -> None:
    """The row that each transaction leaves behind tells whether it has to be made again."""
    async with losing(postgres_server, before=before) as (port, armed):
        url = postgres_server.url(schema).replace(f":{postgres_server.port}/", f":{port}/")
        async with opened(parse(url + "&sslmode=disable")) as database:
            await database.write(lambda t: insert(t, "1"))
            attempts: list[int] = []

            def work(transaction: Transaction) -> None:
                attempts.append(1)
                transaction.execute("INSERT INTO seen (partition, keys) VALUES (7, '[]')")

            armed.set()
            await database.write(work)
            assert not armed.is_set()
            count = await database.read(lambda t: t.execute("SELECT count(*) FROM seen").fetchone())
            assert count == (1,)
            assert len(attempts) == (2 if before else 1)


async def test_processes_that_come_at_once_create_one_state(target: Target) -> None:
    """All wait for the first, and find its schema."""
    databases = [PostgresDatabase(target) for _ in range(4)]
    await asyncio.gather(*(database.open() for database in databases))
    ids = {await each.read(lambda t: t.execute("SELECT value FROM meta").fetchone()[0]) for each in databases}
    assert len(ids) == 1
    for database in databases:
        await database.close()


async def test_a_schema_of_somebody_else_is_left_alone(target: Target, postgres_server: Postgres, schema: str) -> None:
    """Whatever lies in it."""
    with postgres_server.connect() as connection:
        connection.execute(f'CREATE SCHEMA "{schema}" AUTHORIZATION syncer')
        connection.execute(f'CREATE TABLE "{schema}".jobs (id int)')
        connection.execute(f'GRANT ALL ON "{schema}".jobs TO syncer')
    with pytest.raises(SettingsError, match="belongs to another program") as caught:
        await PostgresDatabase(target).open()
    assert "?schema=" in (caught.value.hint or "")


async def test_a_user_without_rights_is_told_what_to_run(postgres_server: Postgres, schema: str) -> None:
    """The owner of the database can do it, we can't."""
    with postgres_server.connect() as connection:
        connection.execute("CREATE USER guest PASSWORD 'wrenches-and-bolts'")
        try:
            with pytest.raises(PermissionRefused, match="may not be used by this user") as caught:
                await PostgresDatabase(parse(postgres_server.url(schema, user="guest"))).open()
        finally:
            connection.execute("DROP USER guest")
    assert f"CREATE SCHEMA {schema}" in (caught.value.hint or "")


async def test_time_limits_are_set_unless_the_url_says_otherwise(target: Target) -> None:
    """No statement, lock or open transaction of a process that hangs lasts for ever."""

    async def limits(of: Target) -> list[str]:
        async with opened(of) as database:
            shown = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
            return await database.read(lambda t: [t.execute(f"SHOW {name}").fetchone()[0] for name in shown])

    assert await limits(target) == ["10min", "30s", "20s"]
    own = replace(target, url=target.url + "&options=-c%20statement_timeout%3D5s")
    assert await limits(own) == ["5s", "30s", "20s"]


async def test_a_statement_that_takes_too_long_is_not_now(target: Target) -> None:
    """The connection goes on working."""
    async with opened(replace(target, url=target.url + "&options=-c%20statement_timeout%3D100ms")) as database:
        with pytest.raises(NotNow, match="took too long"):
            await database.write(lambda t: t.execute("SELECT pg_sleep(60)").fetchall())
        assert await names(database) == []


async def test_a_mistake_of_ours_stays_what_it_is(target: Target) -> None:
    """A wrong statement is a bug, and no state of the server."""
    async with opened(target) as database:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await database.write(lambda t: t.execute("SELECT * FROM nothing").fetchall())


async def test_tables_that_vanish_are_no_bug_of_ours(target: Target, postgres_server: Postgres, schema: str) -> None:
    """A pooler that gives each transaction another session takes them away, or a person does."""
    async with opened(target) as database:
        with postgres_server.connect() as connection:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
        with pytest.raises(SettingsError, match="lost its tables") as caught:
            await names(database)
        assert "pool sessions" in (caught.value.hint or "")
