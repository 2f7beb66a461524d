"""A run that many processes share: somebody plans it, all of them work on its units, somebody ends it (`flow.finish`).

The same run as in `flow.run`, without a process that sees all of it. What each unit would do for itself, and two
thousand of them would fight over, is done once by whoever plans: claims, and the look at what lies there.
"""

from collections.abc import Mapping, Sequence

from syncer.flow.rebuild import recover
from syncer.flow.rebuild import units_of as written_units
from syncer.flow.restate import expect_manifest
from syncer.flow.run import units_of
from syncer.flow.unit import Pass
from syncer.flow.units import check_apart
from syncer.model.errors import Exit, LegFailed
from syncer.ports import Claim, Sink, Unit


async def plan(this: Pass, epoch: int, known: Mapping[str, int]) -> list[Unit]:
    """Return the units of the run; their places are claimed for it, and what lies there is no older than the state.

    To be called under the lease of the whole job.

    Args:
        this: The run.
        epoch: The one that its units have at least.
        known: The last epoch of each unit that the state knows.

    Raises:
        RunFailed, LegFailed: it can't be done.
    """
    units = await units_of(this)
    check_apart(units, this.job.sinks, "--fleet")
    for sink in this.job.sinks:
        await this.store.claim(this.job.name, sink.url, _claims(sink, units))
        try:
            await _prepare(this, sink, units, epoch, known)
        except LegFailed as error:
            if error.exit_code is Exit.DAMAGE:
                raise
            # The destination is away. Units that still find it so detach the leg, and go on with the others.
    return units


async def _prepare(this: Pass, sink: Sink, units: Sequence[Unit], epoch: int, known: Mapping[str, int]) -> None:
    job, store = this.job, this.store
    manifest, specs = sink.manifest(job.name), [job.leg_spec(each) for each in job.sinks]
    written = written_units(await manifest.checkpoint())
    behind = [unit for unit in units if unit.name in written and written[unit.name]["epoch"] > known.get(unit.name, 0)]
    lost = any([await recover(job, store, unit, specs, this.emit) for unit in behind])
    head, least = await manifest.head(), this.reached.get(sink.name, 0)
    if head is None or head.generation < least:
        for unit in units:
            async with store.peek(job.name, unit, specs) as ledger:
                await expect_manifest(sink, manifest, job.name, ledger, least)
    source = job.source
    claim = Claim(
        job.name, store.id, job.platform_type, source.origin, source.account, epoch, tuple(_claims(sink, units))
    )
    await manifest.claim(claim, adopt=this.options.adopt or lost)
    if this.shelved is not None and sink.name in this.shelved.lacking:
        await manifest.suppress(this.shelved.whole)


def _claims(sink: Sink, units: Sequence[Unit]) -> list[str]:
    return list(dict.fromkeys(path for unit in units for path in sink.claims(unit)))
