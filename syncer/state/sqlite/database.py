"""One connection in one thread. A transaction is one function, sent there whole."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from syncer.model.errors import NotNow
from syncer.state.sqlite.faults import explained
from syncer.state.sqlite.transaction import SqliteTransaction
from syncer.state.tables.database import Work
from syncer.state.thread import OneThread

T = TypeVar("T")


class SqliteDatabase(OneThread):
    """A door to one connection. Calls are served in the order in which they came."""

    def __init__(self, where: str, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take a name for messages, and how to connect; `connect` is called in the thread, by `open`."""
        super().__init__()
        self.where = where
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            SettingsError, NotNow: it can't be opened; the message says why and what to do.
        """
        try:
            await self.call(self._open)
        except BaseException:
            self.end()
            raise

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view."""
        return await self.call(partial(self._transaction, "BEGIN", work))

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one durable transaction: all of it, or, if it raises, nothing.

        Raises:
            NotNow, SettingsError: the database is busy, full, read-only or damaged; nothing was written.
        """
        return await self.call(partial(self._transaction, "BEGIN IMMEDIATE", work))

    async def clean(self) -> Sequence[str]:
        """Write the file anew, and empty its log.

        Raises:
            NotNow: another process reads or writes it.
        """
        await self.call(self._clean)
        return ()

    async def close(self) -> None:
        """Give the connection back, after everything that was asked for. Idempotent."""
        if self._connection is not None:
            await self.finish(self._close)
        self.end()

    def _open(self) -> None:
        try:
            self._connection = self._connect()
        except sqlite3.Error as error:
            raise explained(error, self.where) from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _clean(self) -> None:
        try:
            connection = self._open_one()
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            connection.execute("VACUUM")
            # The log holds the file as it was and as it is: it is folded in and cut to nothing.
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise explained(error, self.where) from error
        if busy:
            raise NotNow(f"the state {self.where} is being read by another process", hint="run again when it is done")

    def _open_one(self) -> sqlite3.Connection:
        if self._connection is None:
            message = f"{self.where} is closed"
            raise RuntimeError(message)
        return self._connection

    def _transaction(self, begin: str, work: Work[T]) -> T:
        connection = self._open_one()
        try:
            connection.execute(begin)
            try:
                result = work(SqliteTransaction(connection))
                connection.execute("COMMIT")
            except BaseException:
                # A full disk or a damaged page may have ended the transaction already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise explained(error, self.where) from error
        return result
