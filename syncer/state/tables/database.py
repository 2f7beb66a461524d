"""The door to a database: whole transactions, sent to its thread as one function each."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from syncer.state.tables.transaction import Transaction

T = TypeVar("T")

#: What runs in the database's thread, in one transaction.
Work = Callable[[Transaction], T]


class Database(Protocol):
    """One database of one process. Calls are served in the order in which they came."""

    #: Its name for messages, without a password.
    where: str

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one durable transaction: all of it, or, if it raises, nothing.

        `work` may run again from its beginning if what it did was undone through no fault of its own.

        Raises:
            NotNow, SettingsError: the database can't do it; nothing was written.
        """

    async def clean(self) -> Sequence[str]:
        """Write anew what holds deleted rows; return what may still hold them all the same.

        Raises:
            NotNow: another process is in the way.
        """

    async def call(self, work: Callable[[], T]) -> T:
        """Run something in the thread, without a transaction; cancelled callers don't wait for it."""

    async def finish(self, work: Callable[[], T]) -> T:
        """Run something in the thread that must happen even if the caller is being cancelled."""

    async def close(self) -> None:
        """Give the connection back, after everything that was asked for. Idempotent."""
