"""Compacting: containers are rewritten without their dead entries, through the same stage and swap as any publish."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import msgspec
from msgspec.structs import replace

from syncer.flow.job import Job
from syncer.flow.legs import LegRun, open_leg
from syncer.flow.publish import Publisher
from syncer.model.checkpoint import Change, CommitGroup
from syncer.model.entries import Seal, StoredRow
from syncer.model.events import Emit
from syncer.model.refs import ItemKey
from syncer.ports import Clock, Ledger, StateStore, Unit

#: Rows that pass by at once.
BATCH = 1000


async def compact_unit(job: Job, store: StateStore, unit: Unit, *, run: str, clock: Clock, emit: Emit) -> int:
    """Rewrite the containers of one unit that hold dead entries, and merge its manifest; return the bytes given back.

    Raises:
        SyncerError: a destination can't be read or written; what is published stays as it is.
    """
    specs = [job.leg_spec(sink) for sink in job.sinks]
    freed = 0
    unit = replace(unit, state=store.id)
    async with store.unit(job.name, unit, specs) as ledger, AsyncExitStack() as stack:
        publisher = Publisher(run, unit.name, ledger, clock, emit)
        for sink, spec in zip(job.sinks, specs, strict=True):
            leg = await open_leg(stack, sink, spec, job.name, unit, ledger, run=run, clock=clock, emit=emit)
            # What an earlier run left unpublished comes first: only published containers are compacted.
            await publisher.catch_up(leg, unit)
            await publisher.publish(leg)
            before = await _size(leg, ledger)
            await compact_leg(leg, ledger, publisher)
            freed += before - await _size(leg, ledger)
            await leg.manifest.merge()
    return freed


async def compact_leg(leg: LegRun, ledger: Ledger, publisher: Publisher) -> int | None:
    """Compact the containers of one open leg, all of which is published; return HEAD's generation if it moved."""
    spare = await announced(leg)
    passing = Passing(leg, ledger, publisher.run, publisher.clock)
    await leg.session.compact(passing.rows(), passing.commit, spare=spare)
    return await publisher.publish(leg)


async def announced(leg: LegRun) -> frozenset[str]:
    """Say what is about to be rewritten, where snapshots could be made of it; return what they hold and is spared."""
    if leg.sink.immediate or not leg.sink.lasting:
        return frozenset()
    return (await leg.manifest.snapshots.announce(leg.holds)).containers


class Passing(msgspec.Struct):
    """The rows of a leg passing by a compaction, and the commits of what it moves."""

    leg: LegRun
    ledger: Ledger
    run: str
    clock: Clock
    _batch: dict[ItemKey, StoredRow] = msgspec.field(default_factory=dict)

    async def rows(self) -> AsyncIterator[Sequence[StoredRow]]:
        """Yield all published rows of the leg in this unit."""
        mark = 0
        while True:
            mark, rows = await self.ledger.rows(self.leg.sink.name, BATCH, mark)
            if not rows:
                return
            self._batch = {row.key: row for row in rows}
            yield rows

    async def commit(self, seal: Seal) -> None:
        """Store where the moved entries lie now."""
        name = self.leg.sink.name
        moved = [Change("put", replace(self._batch[r.key], container=r.container)) for r in seal.receipts]
        await self.ledger.commit(
            CommitGroup(
                run=self.run,
                at=self.clock.now(),
                changes={name: moved} if moved else {},
                resume={name: seal.resume},
                live=frozenset({name}),
            )
        )


async def _size(leg: LegRun, ledger: Ledger) -> int:
    return sum(container.size for container in (await ledger.legs())[leg.sink.name].containers)
