"""The state of a fleet: one that all machines reach, with the task queue in it."""

from typing import TYPE_CHECKING, cast

from syncer.model.errors import SettingsError
from syncer.ports import StateStore
from syncer.settings import Settings

if TYPE_CHECKING:
    from syncer.state.postgres.store import PostgresStore


def refuse_alone(settings: Settings) -> None:
    """Look whether all destinations of a configuration are fit for a fleet.

    Raises:
        SettingsError: a sink of a job is for one machine only.
    """
    for job in settings.jobs.values():
        for leg in job.legs:
            # A plug-in need not know of fleets.
            alone = getattr(leg.options, "alone", None)
            why = None if alone is None else alone()
            if why is not None:
                raise SettingsError(f"job {job.name}: sink {leg.name} can't be written by a fleet", hint=why)


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
