"""Opening a state in PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import cast

import psycopg

from syncer.model.errors import SettingsError
from syncer.ports import FleetView, HeadNote
from syncer.state.postgres import engine, fleet, schema
from syncer.state.postgres.connecting import connect
from syncer.state.postgres.database import OPENING_SECONDS, PATIENCE_SECONDS, PostgresDatabase
from syncer.state.postgres.faults import explained
from syncer.state.postgres.leases import PostgresLeases
from syncer.state.postgres.target import Target, parse
from syncer.state.postgres.transaction import PostgresTransaction
from syncer.state.tables.store import TableStore


class PostgresStore(TableStore):
    """A store whose leases live on a connection of their own."""

    leases: PostgresLeases

    @property
    def server(self) -> PostgresDatabase:
        """The database as what it is."""
        return cast("PostgresDatabase", self._database)

    async def untold(self, job: str, limit: int) -> Sequence[HeadNote]:
        """Return what HEADs of a job's manifests are still to be told, oldest first."""
        return await self._database.read(lambda c: fleet.untold(c, job, limit))

    async def told(self, notes: Sequence[HeadNote]) -> None:
        """Forget notes."""
        await self._database.write(lambda c: fleet.forget(c, notes))

    async def fleet(self) -> FleetView | None:
        """Return what is known of the fleet that works on this state."""
        return await self._database.read(fleet.look)

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
    try:
        await store.load()
    except BaseException:
        await store.close()
        raise
    return store


#: Tables with numbers of their own: a copy goes on counting where the original was.
_NUMBERED = (
    "jobs", "legs", "units", "partitions", "leg_units", "positions", "fingerprints", "items", "pending", "seen", "runs",
)  # fmt: skip


@contextmanager
def copying(url: str, *, write: bool) -> Iterator[PostgresTransaction]:
    """Open one end of a copy, as one transaction without a limit on its time. Blocks.

    Raises:
        NotNow, PermissionRefused, SettingsError: it can't be used; on leaving: something went wrong on the way.
    """
    target = parse(url)
    connection = connect(target, seconds=OPENING_SECONDS)
    try:
        if write:
            schema.ready(connection, target)
        elif not schema.exists(connection, target):
            raise SettingsError(f"there is no state {target.shown}", hint="name the one that jobs wrote to")
        connection.execute(
            "SELECT set_config('statement_timeout', '0', false),"
            " set_config('idle_in_transaction_session_timeout', '0', false)"
        )
        connection.execute("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield PostgresTransaction(connection)
        for table in _NUMBERED if write else ():
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table}"  # noqa: S608  # constants
            )
        connection.execute("COMMIT")
    except psycopg.Error as error:
        raise explained(error, target) from error
    finally:
        connection.close()


def migrate(url: str) -> int:
    """Bring a schema and the task queue in it up to date; return how many scripts were applied. Blocks.

    Raises:
        NotNow, LeaseHeld, PermissionRefused, SettingsError: it can't be done, and nothing was changed.
    """
    target = parse(url)
    connection = connect(target, seconds=OPENING_SECONDS)
    try:
        return schema.migrate(connection, target) + engine.migrate(connection, target)
    except psycopg.Error as error:
        raise explained(error, target) from error
    finally:
        connection.close()
