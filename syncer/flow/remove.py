"""Deletions: what is gone or withdrawn upstream is applied at the end of a run, all of it or none.

Absence was proved, and stands in the checkpoint as doomed rows, before anything here happens. A run that was
cut short applies nothing; the rows wait.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from syncer.flow.account import counted
from syncer.flow.job import RunOptions
from syncer.flow.legs import LegRun, Legs
from syncer.model.checkpoint import Change, CommitGroup, Doomed
from syncer.model.errors import LegFailed
from syncer.model.events import DeletesHeld, Emit
from syncer.ports import Clock, Ledger

#: Rows applied in one transaction.
BATCH = 1000

#: Deletions always allowed in one run, and the share of live items above that.
ALLOWED = 10
ALLOWED_SHARE = 0.05


class Removed(msgspec.Struct):
    """What one leg applied, and what it held back."""

    deleted: int = 0
    withdrawn: int = 0
    held: int = 0


class Remover(msgspec.Struct, frozen=True):
    """Applies doomed rows to the legs of one unit."""

    run: str
    legs: Legs
    ledger: Ledger
    options: RunOptions
    clock: Clock
    emit: Emit

    async def apply(self, leg: LegRun) -> "Removed":
        """Apply everything that waits for this leg, unless it is more than `max_delete`; return how much it was."""
        gone, withdrawn = await self.ledger.doomed_count(leg.sink.name)
        drops_gone = leg.sink.on_delete != "keep"
        drops_withdrawn = leg.sink.on_withdraw == "tombstone"
        removals = gone * drops_gone + withdrawn * drops_withdrawn
        allowed = await self._allowed(leg)
        held = removals > allowed
        removed = Removed(held=removals if held else 0)
        if held:
            self.emit(DeletesHeld(leg.sink.name, removals, allowed))
        for cause, drops in (("gone", drops_gone), ("withdrawn", drops_withdrawn)):
            if drops and held:
                continue
            while rows := await self.ledger.doomed(leg.sink.name, BATCH, cause):
                if not await self._apply(leg, rows, cause, drops=drops):
                    return removed
                labels = sum(counted(doomed.row.key) for doomed in rows)
                removed.deleted += labels * (cause == "gone" and drops)
                removed.withdrawn += labels * (cause == "withdrawn")
        return removed

    async def _allowed(self, leg: LegRun) -> int:
        for limit in (self.options.max_delete, leg.sink.max_delete):
            if limit is not None:
                return limit
        live = (await self.ledger.legs())[leg.sink.name].live
        return max(ALLOWED, int(live * ALLOWED_SHARE))

    async def _apply(self, leg: LegRun, rows: Sequence[Doomed], cause: str, *, drops: bool) -> bool:
        name = leg.sink.name
        resume: bytes | None = None
        if drops and not leg.sink.immediate:
            try:
                await leg.session.remove([doomed.row for doomed in rows])
                resume = (await leg.session.seal()).resume
            except LegFailed as error:
                self.legs.detach(name, error)
                return False
        op = "delete" if drops else ("keep" if cause == "gone" else "withdraw")
        changes = [
            Change(op, doomed.row if drops else replace(doomed.row, withdrawn=doomed.reason), doomed.reason)
            for doomed in rows
        ]
        await self.ledger.commit(
            CommitGroup(
                run=self.run,
                at=self.clock.now(),
                changes={name: changes},
                resume={name: resume} if not leg.sink.immediate and drops else {},
                live=frozenset({name}),
            )
        )
        return True
