"""Strays: objects below a job's claims that no row ever named, removed when the user asks for it.

A run that dies between writing an object and its commit leaves one, and if the item is deleted upstream before the next
run, nobody ever writes to that place again.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from msgspec.structs import replace

from syncer.flow.job import Job
from syncer.flow.legs import open_leg
from syncer.flow.publish import Publisher
from syncer.model.entries import StoredRow
from syncer.model.errors import Exit, LegFailed
from syncer.model.events import Emit, Warned
from syncer.model.refs import ItemKey
from syncer.ports import Clock, Sink, StateStore, Unit

#: Stands for the item that a stray was perhaps meant to be.
_NOBODY = ItemKey("stray", "", None, None, "")


async def remove_strays(
    job: Job, store: StateStore, units: Sequence[Unit], sink: Sink, paths: Sequence[str], *, run: str, clock: Clock,
    emit: Emit,
) -> int:  # fmt: skip
    """Remove objects that a verification called extra; return how many went.

    What an item holds by now stays, whatever unit it is of, and in a bucket also what does not say that we wrote it.

    Raises:
        SyncerError: the destination can't be written.
    """
    specs, spec = [job.leg_spec(each) for each in job.sinks], job.leg_spec(sink)
    waiting = set(paths)
    for unit in units:
        mine = sorted(path for path in waiting if any(path.startswith(claim) for claim in sink.claims(unit)))
        waiting.difference_update(mine)
        if not mine:
            continue
        async with store.unit(job.name, unit, specs) as ledger, AsyncExitStack() as stack:
            own = replace(unit, state=store.id)
            leg = await open_leg(stack, sink, spec, job.name, own, ledger, run=run, clock=clock, emit=emit)
            await Publisher(run, unit.name, ledger, clock, emit).catch_up(leg, unit)
            async with ledger.vacating(sink.name, mine) as free:
                try:
                    await leg.session.remove([StoredRow(_NOBODY, "", path, None, -1, "") for path in free])
                except LegFailed as error:
                    if error.exit_code is not Exit.DAMAGE:
                        raise
                    emit(Warned(f"sink {sink.name}: {error}"))
            await leg.session.seal()
    there = {found.path async for found in sink.scan({})}
    return sum(path not in there for path in paths)
