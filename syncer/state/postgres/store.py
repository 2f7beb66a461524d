"""Opening a state in PostgreSQL."""

from collections.abc import Callable
from datetime import datetime

from syncer.state.postgres import schema
from syncer.state.postgres.connecting import connect
from syncer.state.postgres.database import OPENING_SECONDS, PATIENCE_SECONDS, PostgresDatabase
from syncer.state.postgres.leases import PostgresLeases
from syncer.state.postgres.target import Target
from syncer.state.tables.store import TableStore


class PostgresStore(TableStore):
    """A store whose leases live on a connection of their own."""

    leases: PostgresLeases

    async def close(self) -> None:
        """Give both connections back."""
        try:
            await self._database.finish(self.leases.close)
        finally:
            await super().close()


async def open_postgres(
    target: Target, *, now: Callable[[], datetime], readonly: bool = False, opening: float = OPENING_SECONDS,
    patience: float = PATIENCE_SECONDS,
) -> PostgresStore | None:  # fmt: skip
    """Open a state, created by its first use; None if it is to be read and does not exist.

    Raises:
        NotNow, PermissionRefused, SettingsError: it can't be used; the message says why and what to do.
    """
    database = PostgresDatabase(target, readonly=readonly, patience=patience)
    if not await database.open(opening):
        await database.close()
        return None
    leases = PostgresLeases(target, seconds=opening)
    store = PostgresStore(database, leases, now, readonly=readonly)
    store.leases = leases
    await store.load()
    return store


def migrate(target: Target) -> int:
    """Bring a schema up to date; return how many scripts were applied. Blocks.

    Raises:
        NotNow, LeaseHeld, PermissionRefused, SettingsError: it can't be done, and nothing was changed.
    """
    connection = connect(target, seconds=OPENING_SECONDS)
    try:
        return schema.migrate(connection, target)
    finally:
        connection.close()
