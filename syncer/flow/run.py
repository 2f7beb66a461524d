"""The picture of a run.

    discover ─Page─▶ plan ─Wanted─▶ fetch ×N ─Entry─▶ write ×1 ─Seal─▶ commit ─▶ publish ─▶ manifest ─▶ report
        └───── frontier: the cursor passes a page only when every ref of it has settled ─────┘

A run takes the job's lease, asks the platform for its partitions, groups them into units, and runs a few
units side by side (`flow.unit`). Whatever happens, it ends with a report that names only what the
checkpoint holds.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import anyio

from syncer.flow.account import Account, Traffic
from syncer.flow.drain import Drain, Meter
from syncer.flow.fetch import Outcomes
from syncer.flow.finish import close, freeze
from syncer.flow.first import first
from syncer.flow.heads import tell
from syncer.flow.job import Job, RunOptions
from syncer.flow.layouts import check_layout
from syncer.flow.redact import Redacting
from syncer.flow.restate import reached
from syncer.flow.room import Room
from syncer.flow.suppress import refuse_underway, suppression
from syncer.flow.unit import Pass
from syncer.flow.units import check_apart, in_shard
from syncer.flow.units import group as group_units
from syncer.model.entries import Leg
from syncer.model.errors import NotNow, SyncerError, UnknownName
from syncer.model.events import Emit, RunEnded, RunStarted
from syncer.model.refs import Partition
from syncer.model.report import Report
from syncer.model.running import works_for
from syncer.ports import Clock, Spool, StateStore, Unit


def pass_of(
    job: Job, store: StateStore, options: RunOptions, *, drain: Drain, spool: Spool, clock: Clock, emit: Emit,
    traffic: Traffic = lambda: (0, 0, 0),
) -> Pass:  # fmt: skip
    """Return what all units of one run share."""
    account = Account(before=traffic())
    name, meter = run_id(clock.now()), Meter(options, drain)
    room = Room(job.arriving, spool.threshold, job.source.features.batch, job.share)
    redacting = None if job.redaction is None else Redacting(job.redaction)
    return Pass(
        job, name, store, options, account, Outcomes(), room, drain, meter, spool, clock, emit, traffic,
        redacting=redacting,
    )  # fmt: skip


async def run(
    job: Job, store: StateStore, options: RunOptions, *, drain: Drain, spool: Spool, clock: Clock, emit: Emit,
    traffic: Traffic = lambda: (0, 0, 0),
) -> Report:  # fmt: skip
    """Bring the job's sinks in step with its platform, once.

    Never raises for what the platform, a sink or the settings did: that is in the report, with its exit code.
    """
    started = clock.now()
    this = pass_of(job, store, options, drain=drain, spool=spool, clock=clock, emit=emit, traffic=traffic)
    with works_for(job.name, this.run):
        legs = tuple(sink.name for sink in job.sinks)
        emit(RunStarted(job.name, this.run, legs, this.account.counts, this.queued))
        report = await _account_of(this, started)
        emit(RunEnded(report))
    return report


async def _account_of(this: Pass, started: datetime) -> Report:
    """Do the run, and return what became of it."""
    job, store, account = this.job, this.store, this.account
    generations: dict[Leg, int] = {}
    try:
        async with store.lease(job.name, this.options.shard):
            await store.begin_run(job.name, this.run, started)
            ended = True
            try:
                ended = await this.drain.in_time(this.clock, partial(_work, this, generations))
            except SyncerError as error:
                account.trouble(error)
            if not ended:
                account.trouble(_cut_off(this))
            # A destination that holds everything up is not asked for anything more.
            return await close(this, started, generations, mark=ended)
    except SyncerError as error:
        account.trouble(error)
        return await close(this, started, generations, record=False)


async def _work(this: Pass, generations: dict[Leg, int]) -> None:
    """Do what the run is for; note the generations that destinations reached."""
    await _units(this, await units_of(this), generations)


async def units_of(this: Pass) -> list[Unit]:
    """Return the units of today; note in the run what is frozen and what was given up."""
    await tell(this.job, this.store)
    await check_layout(this.job, this.store, this.options)
    this.reached = await reached(this.store, this.job, this.run)
    await refuse_underway(this.job.name, this.store)
    this.shelved = await suppression(this.job, this.store)
    partitions: list[Partition] = []
    if not await this.drain.admitted(partial(_partitions, this, partitions)):
        return []
    given_up = await freeze(this, partitions)
    this.released.update(partition.key for partition in given_up)
    return group_units([*partitions, *given_up], this.job.sinks)


def _cut_off(this: Pass) -> SyncerError:
    return NotNow(
        f"not through {this.drain.grace:g} s after {this.drain.reason}: cut off",
        hint="what is committed stays, and the next run goes on from there; daemon.grace allows more time",
    )


async def _partitions(this: Pass, found: list[Partition]) -> None:
    """Find the partitions of today. A literal name that was synced before and is gone is not unknown but frozen."""
    try:
        async for partition in this.job.source.partitions(this.job.select):
            found.append(partition)  # noqa: PERF401  # what came before an unknown name counts
    except UnknownName as error:
        synced = await this.store.partitions(this.job.name)
        known = {part for key in synced for part in (key.project, key.batch, key.annotation_type)}
        if not known.issuperset(error.names):
            raise


async def _units(this: Pass, units: Sequence[Unit], generations: dict[Leg, int]) -> None:
    """Run the units, a few at a time; one that fails does not stop the others, a platform that is down does."""
    if this.options.shard is not None and this.options.shard[1] > 1:
        check_apart(units, this.job.sinks, "--shard")
    chosen = [unit for unit in units if in_shard(unit, this.options.shard)]
    this.units = len(chosen)

    waiting = iter(chosen)

    async def work() -> None:
        for unit in waiting:
            if this.drain.started:
                this.account.complete = False
                return
            try:
                generations.update(await this.unit(unit))
            except* SyncerError as group:
                this.account.trouble(first(group))

    async with anyio.create_task_group() as group:
        timer = partial(this.meter.watch_time, this.clock)
        group.start_soon(timer)
        async with anyio.create_task_group() as running:
            for _ in range(min(this.job.units, len(chosen))):
                running.start_soon(work)
        group.cancel_scope.cancel()


def run_id(started: datetime) -> str:
    """Return a name for a run that sorts by time: `20261122T043341Z-1a2b`."""
    return f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
