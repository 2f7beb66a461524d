"""The state of a fleet: one that all machines reach, with the task queue in it."""

from typing import TYPE_CHECKING, cast

from syncer.model.errors import SettingsError
from syncer.ports import StateStore

if TYPE_CHECKING:
    from syncer.state.postgres.store import PostgresStore


async def shared(store: StateStore) -> "PostgresStore":
    """Return a store as one that a fleet can share.

    Raises:
        SettingsError, PermissionRefused, NotNow: it can't; the message says what to do.
    """
    if await store.fleet() is None:
        raise SettingsError(
            f"a fleet needs a state that all its machines reach; {store.url} is none",
            hint="name a database in the configuration: state: postgresql://…, and bring this state along:"
            " syncer state copy",
        )
    found = cast("PostgresStore", store)
    await found.server.equip()
    return found
