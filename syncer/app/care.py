"""Care for what is stored: verify, repair, compact, retention, rebuild. The commands of the same names call these."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from syncer.app.erasing import go_on
from syncer.app.library import Syncer
from syncer.flow.compact import compact_unit
from syncer.flow.job import Job
from syncer.flow.rebuild import rebuild as rebuild_leg
from syncer.flow.rebuild import units_of
from syncer.flow.restate import reached, restate
from syncer.flow.retention import Keep, Removed, retain
from syncer.flow.retention import plan as plan_retention
from syncer.flow.run import run_id
from syncer.flow.strays import remove_strays
from syncer.flow.units import group
from syncer.flow.verify import Finding, is_stray, lost_containers, verify
from syncer.model.errors import Exit, SettingsError
from syncer.model.report import Report
from syncer.ports import Claim, Sink, Unit


class Damage(msgspec.Struct, frozen=True):
    """A finding, with the job and sink that it was made in."""

    job: str
    sink: str
    finding: Finding


async def verify_job(syncer: Syncer, name: str, *, deep: bool = False) -> AsyncIterator[Damage]:
    """Yield what is wrong with the destinations of a job; `deep` reads and hashes every byte.

    Raises:
        SyncerError: a manifest can't be read.
    """
    job = await syncer.job(name)
    for sink in job.sinks:
        async for finding in verify(sink, name, deep=deep):
            yield Damage(name, sink.name, finding)


async def repair_job(syncer: Syncer, name: str) -> tuple[list[Damage], Report]:
    """Verify every byte, owe what is missing or damaged, and run the job, which fetches exactly that again.

    A manifest that is gone is first written anew, from the state.
    """
    job = await syncer.job(name)
    async with syncer.store.lease(name):
        now = syncer.clock.now()
        await restate(job, syncer.store, await _units(job), run=run_id(now), at=now)
    found = [damage async for damage in verify_job(syncer, name, deep=True)]
    await _owe(syncer, name, found, strict=False)
    report = await syncer.sync(name)
    if report.exit_code() is Exit.DAMAGE:
        # An archive was not only damaged but replaced: the ledger can't build on it, so it is made anew.
        await _owe(syncer, name, found, strict=True)
        report = await syncer.sync(name)
    return found, report


async def remove_extra(syncer: Syncer, name: str, found: Sequence[Damage]) -> int:
    """Remove the objects that a verification found and no row names; return how many went.

    In a bucket only those go that say that we wrote them; local files say nothing, so there all of them do.

    Raises:
        SyncerError: a destination can't be written.
    """
    job = await syncer.job(name)
    run, removed = run_id(syncer.clock.now()), 0
    async with syncer.store.lease(name):
        units = await _units(job)
        for sink in job.sinks:
            mine = [each.finding for each in found if each.sink == sink.name and is_stray(each.finding)]
            if mine:
                removed += await remove_strays(
                    job, syncer.store, units, sink, [finding.path for finding in mine], run=run, clock=syncer.clock,
                    emit=syncer.hub.emit,
                )  # fmt: skip
    return removed


async def _owe(syncer: Syncer, name: str, found: Sequence[Damage], *, strict: bool) -> None:
    """Owe again what is missing or damaged; archives that are lost as a whole are moved out of the way."""
    job = await syncer.job(name)
    async with syncer.store.lease(name):
        for sink in job.sinks:
            mine = [each.finding for each in found if each.sink == sink.name and each.finding.kind != "extra"]
            keys = [finding.key for finding in mine if finding.key is not None]
            lost = lost_containers(mine, strict=strict)
            if keys or lost:
                await syncer.store.invalidate(name, sink.name, keys, "repair: missing or damaged", lost)
                await sink.set_aside(lost)


async def rebuild_job(syncer: Syncer, name: str) -> int:
    """Replace a job's state by what its destinations say; return how many manifest rows were read.

    Raises:
        SettingsError: none of its destinations has a manifest of the job.
    """
    job = await syncer.job(name)
    rows = 0
    await go_on(syncer, name)
    async with syncer.store.lease(name):
        await syncer.store.reset(name)
        for unit in await _units(job):
            for sink in job.sinks:
                manifest = sink.manifest(name)
                written = units_of(await manifest.checkpoint()).get(unit.name)
                if written is not None:
                    rows += await rebuild_leg(job, syncer.store, unit, job.leg_spec(sink), manifest, written)
        generations = await reached(syncer.store, job)
        for sink in job.sinks:
            await _own(job, syncer.store.id, sink)
            if await sink.manifest(name).head() is not None:
                # What lies there is the truth from now on, also where it is older than what this state had seen.
                await sink.manifest(name).move_head(least=generations.get(sink.name, 0))
    if not rows:
        places = ", ".join(sink.url for sink in job.sinks)
        raise SettingsError(f"no manifest of job {name} at {places}", hint="check the sinks' url")
    return rows


async def _own(job: Job, state: str, sink: Sink) -> None:
    """Make this state the owner of what it was rebuilt from; the next run raises the epoch."""
    manifest = sink.manifest(job.name)
    owner = await manifest.owner()
    if owner is not None and owner.state != state:
        source = job.source
        mine = Claim(job.name, state, job.platform_type, source.origin, source.account, paths=owner.paths)
        await manifest.claim(mine, adopt=True)


async def compact_job(syncer: Syncer, name: str) -> int:
    """Rewrite archives without their dead entries; return the bytes that this gave back.

    Raises:
        SyncerError: a destination can't be read or written.
    """
    job = await syncer.job(name)
    freed = 0
    run = run_id(syncer.clock.now())
    async with syncer.store.lease(name):
        for unit in await _units(job):
            freed += await compact_unit(job, syncer.store, unit, run=run, clock=syncer.clock, emit=syncer.hub.emit)
    return freed


async def retention_job(syncer: Syncer, name: str, keep: Keep, *, dry: bool = False) -> list[Removed]:
    """Remove superseded versions that nothing asks to keep; with `dry` only say what would go.

    Raises:
        SyncerError: a destination can't be read or written.
        SettingsError: none of the job's sinks keeps superseded versions.
    """
    job = await syncer.job(name)
    if not any(sink.history for sink in job.sinks):
        raise SettingsError(f"no sink of job {name} keeps superseded versions",
                            hint="that is what `versions: keep` (prefix) and `mode: delta` (zip) do")  # fmt: skip
    if dry:
        found = [(sink.name, await plan_retention(sink, name, keep)) for sink in job.sinks]
        return [Removed(leg, len(gone), sum(one.row.size for one in gone)) for leg, gone in found]
    run = run_id(syncer.clock.now())
    async with syncer.store.lease(name):
        return await retain(
            job, syncer.store, await _units(job), keep, run=run, clock=syncer.clock, emit=syncer.hub.emit
        )


async def _units(job: Job) -> list[Unit]:
    return group([partition async for partition in job.source.partitions(job.select)], job.sinks)
