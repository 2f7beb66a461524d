"""One connection in one thread. A transaction is one function, sent there whole, and made anew if the server undid it.

The synchronous client in a thread, not the asynchronous one on the event loop: a coroutine that is cancelled between
two statements leaves a transaction open on its connection, and cancelling a statement means a second connection to ask
the server for it. A function in a thread runs to its end, whoever stops waiting; the server's own time limits bound it.
"""

import threading
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import psycopg

from syncer.model.errors import NotNow, SyncerError
from syncer.state.postgres import engine, schema
from syncer.state.postgres.connecting import connect
from syncer.state.postgres.faults import explained, is_away, is_undone
from syncer.state.postgres.target import Target
from syncer.state.postgres.transaction import STAGED, Connection, PostgresTransaction
from syncer.state.tables.database import Work
from syncer.state.thread import OneThread

T = TypeVar("T")

#: Tables that name items.
REWRITTEN = "items, pending, owed, doomed, seen, outbox, positions, runs, memories, fleet_heads"
_BESIDE = (
    "the server's write-ahead log, its archive, replicas and base backups may hold what was deleted, until they expire"
)

#: Seconds to reach the server at first, and again after it went away in the middle of the work.
OPENING_SECONDS = 10.0
PATIENCE_SECONDS = 60.0

#: Times that a transaction is made anew.
_TRIES = 10

_KNOWN = "INSERT INTO writers (id, number) VALUES ($1, 0) ON CONFLICT DO NOTHING"

#: In one message with BEGIN: a transaction leaves its number behind if, and only if, it commits.
_BEGIN_WRITE = (
    "BEGIN; INSERT INTO writers (id, number) VALUES ('{writer}', {number})"
    " ON CONFLICT (id) DO UPDATE SET number = excluded.number, at = now()"
)
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

#: Waits for a transaction of ours that the server has not ended yet, because it still sees our lost connection.
_LAST_NUMBER = "SELECT number FROM writers WHERE id = $1 FOR UPDATE"

#: What processes that were killed left behind.
_FORGET_WRITERS = "DELETE FROM writers WHERE id = $1 OR at < now() - interval '30 days'"


class PostgresDatabase(OneThread):
    """A door to one connection, which is made again when it breaks. Calls are served in the order they came."""

    def __init__(self, target: Target, *, readonly: bool = False, patience: float = PATIENCE_SECONDS) -> None:
        """Take where it is, and for how many seconds to wait for a server that went away in mid-work."""
        super().__init__()
        self.where = target.shown
        self.target = target
        self._readonly = readonly
        self._patience = patience
        self._connection: Connection | None = None
        self._writer = uuid.uuid4()
        self._number = 0
        self._closed = False
        self._stop = threading.Event()

    async def open(self, seconds: float = OPENING_SECONDS) -> bool:
        """Connect, and create the schema where there is none; with `readonly`, return False if there is none.

        Raises:
            NotNow, PermissionRefused, SettingsError: it can't be used; the message says why and what to do.
        """
        try:
            return await self.call(partial(self._open, seconds))
        except BaseException:
            self.end()
            raise

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view."""
        return await self.call(partial(self._again, partial(self._read, work)))

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one durable transaction: all of it, or, if it raises, nothing.

        Raises:
            NotNow, SettingsError: the database is away, busy or full; nothing was written.
        """
        return await self.call(partial(self._again, partial(self._write, work)))

    async def clean(self) -> Sequence[str]:
        """Write the tables anew, where nobody is in the way; what the server keeps beside them is named."""
        return await self.call(self._clean)

    async def equip(self) -> None:
        """Make sure that the task queue of a fleet is there, as the installed one needs it.

        Raises:
            SettingsError, PermissionRefused: it can't be used; the message says what to do.
        """
        await self.call(partial(self._again, lambda connection: engine.ready(connection, self.target)))

    async def close(self) -> None:
        """Give the connection back, after everything that was asked for. Idempotent."""
        self._stop.set()
        if not self._closed:
            self._closed = True
            await self.finish(self._close)
        self.end()

    def _open(self, seconds: float) -> bool:
        connection = connect(self.target, seconds=seconds, stop=self._stop)
        try:
            if self._readonly and not schema.exists(connection, self.target):
                connection.close()
                return False
            schema.ready(connection, self.target)
            if not self._readonly:
                connection.execute(STAGED)
                # It must be there before the first transaction: only what is there can be waited for.
                connection.execute(_KNOWN, (self._writer,))
        except psycopg.Error as error:
            connection.close()
            raise explained(error, self.target) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return True

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if not self._readonly:
                connection.execute(_FORGET_WRITERS, (self._writer,))
        except psycopg.Error:
            # A courtesy: what is left there is swept by others later. Whoever closes has done all that matters.
            return
        finally:
            connection.close()

    def _clean(self) -> Sequence[str]:
        left = [_BESIDE]
        try:
            connection = self._connected()
            connection.execute("SET statement_timeout = 0; SET lock_timeout = '10s'")
            try:
                connection.execute(f"VACUUM (FULL) {REWRITTEN}")
            except psycopg.errors.LockNotAvailable:
                # Other jobs are at work. What is dead is cleared away; pages keep the bytes until they are written to.
                connection.execute(f"VACUUM {REWRITTEN}")
                left.append("pages of its tables may hold dead rows until they are reused: run VACUUM FULL on them")
            finally:
                # The next call connects anew, with the limits that it should have.
                connection.close()
        except psycopg.Error as error:
            raise explained(error, self.target) from error
        return left

    def _again(self, attempt: Callable[[Connection], T]) -> T:
        """Make a transaction until it is done, or fails for a reason of its own."""
        for left in reversed(range(_TRIES)):
            connection = self._connected()
            try:
                return attempt(connection)
            except psycopg.Error as error:
                if left and (is_undone(error) or (connection.closed and is_away(error))):
                    continue
                raise explained(error, self.target) from error
        raise AssertionError  # the last attempt returns or raises

    def _connected(self) -> Connection:
        if self._connection is None:
            message = f"{self.where} is closed"
            raise RuntimeError(message)
        if self._connection.closed:
            self._open(self._patience)
        return self._connection

    def _read(self, work: Work[T], connection: Connection) -> T:
        connection.execute(_BEGIN_READ)
        try:
            return work(PostgresTransaction(connection))
        finally:
            _roll_back(connection)

    def _write(self, work: Work[T], connection: Connection) -> T:
        self._number += 1
        begin = _BEGIN_WRITE.format(writer=self._writer, number=self._number)
        try:
            connection.execute(begin)
            result = work(PostgresTransaction(connection))
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            _roll_back(connection)
            if not (connection.closed and is_away(error)) or not self._is_committed():
                raise
        return result

    def _is_committed(self) -> bool:
        """Find out what became of a COMMIT whose answer was lost."""
        try:
            found = self._connected().execute(_LAST_NUMBER, (self._writer,)).fetchone()
        except (psycopg.Error, SyncerError) as error:
            raise NotNow(
                f"the state {self.where} went away during a commit, and did not come back",
                hint="run again: what was committed is not fetched again",
            ) from error
        return found is not None and found[0] == self._number


def _roll_back(connection: Connection) -> None:
    """Leave no transaction open: a connection that can't end it is given up."""
    try:
        if not connection.closed:
            connection.execute("ROLLBACK")
    except psycopg.Error:
        # Whatever is wrong shows on the next connection; the error that led here is more to the point.
        connection.close()
