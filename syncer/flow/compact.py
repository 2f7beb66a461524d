"""Compacting: archives are rewritten without their dead entries, through the same stage and swap as any publish."""

from contextlib import AsyncExitStack

from syncer.flow.job import Job
from syncer.flow.legs import open_leg
from syncer.flow.publish import Publisher
from syncer.model.events import Emit
from syncer.ports import Clock, StateStore, Unit


async def compact_unit(job: Job, store: StateStore, unit: Unit, *, run: str, clock: Clock, emit: Emit) -> int:
    """Rewrite the archives of one unit that hold dead entries, and merge its manifest; return the bytes given back.

    Raises:
        SyncerError: a destination can't be read or written; what is published stays as it is.
    """
    specs = [job.leg_spec(sink) for sink in job.sinks]
    freed = 0
    async with store.unit(job.name, unit, specs) as ledger, AsyncExitStack() as stack:
        publisher = Publisher(run, unit.name, ledger, clock, emit)
        for sink, spec in zip(job.sinks, specs, strict=True):
            leg = await open_leg(stack, sink, spec, job.name, unit, ledger, run=run, clock=clock, emit=emit)
            if not sink.immediate:
                before = sum(container.size for container in (await ledger.legs())[spec.name].containers)
                await publisher.publish(leg, compact=True)
                freed += before - sum(container.size for container in (await ledger.legs())[spec.name].containers)
            await leg.manifest.merge()
    return freed
