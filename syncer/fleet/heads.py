"""Who moves HEAD in a fleet: units leave notes, and whoever has the turn tells HEAD of all of them."""

from collections.abc import Callable
from typing import Any

import msgspec

from syncer.app.library import Syncer
from syncer.flow.heads import TURN, dump, tell
from syncer.flow.publish import HeadMove
from syncer.model.entries import Leg
from syncer.model.errors import LeaseHeld, SyncerError
from syncer.model.events import Warned
from syncer.state.postgres.fleet import note
from syncer.state.tables.database import Database


class Notes(msgspec.Struct, frozen=True):
    """`flow.publish.Heads` that takes notes."""

    job: str

    def note(self, leg: Leg, unit: str, move: HeadMove) -> Callable[[Any], object]:
        """Return what takes note of a move."""
        text = dump(move)
        return lambda transaction: note(transaction, self.job, leg, unit, text)


async def tell_all(syncer: Syncer, database: Database) -> None:
    """Tell the HEADs of all jobs with notes, except where another worker is at it."""
    found = await database.read(lambda c: c.execute("SELECT DISTINCT job FROM fleet_heads ORDER BY job").fetchall())
    for (name,) in found:
        if name not in syncer.settings.jobs:
            continue
        try:
            job = await syncer.job(name)
            async with syncer.store.turn(name, TURN):
                await tell(job, syncer.store)
        except LeaseHeld:
            continue
        except SyncerError as error:
            # The notes stay, and the end of the run meets the same: its report says so.
            syncer.hub.emit(Warned(f"HEAD of job {name} could not be moved yet: {error}"))
