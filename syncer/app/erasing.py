"""Erasing over all jobs that read one account: who is asked, what was begun and not ended, and the certificate."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import msgspec

from syncer import __version__
from syncer.app.suppressed import stored_again
from syncer.blobs import kept
from syncer.flow.erase import Eraser
from syncer.flow.job import Job
from syncer.flow.run import run_id
from syncer.flow.suppress import shelf
from syncer.flow.units import group
from syncer.model.erasure import NOTE, Record, Targets, load, name_of
from syncer.model.errors import Exit, SettingsError, SyncerError
from syncer.model.events import Warned
from syncer.model.refs import ItemKey, Partition, PartitionKey
from syncer.model.report import worst

if TYPE_CHECKING:
    from syncer.app.library import Syncer

#: Format of a certificate.
FORMAT = 1


class Erasure(msgspec.Struct):
    """What is asked for."""

    keys: Sequence[ItemKey]
    #: Also what else belongs to the same groups.
    groups: bool = False
    #: Whatever is stored though it was erased before.
    again: bool = False
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


async def erase(
    syncer: "Syncer", names: Sequence[str], wanted: Erasure, *, dry: bool = False
) -> tuple[dict[str, Any], Exit]:
    """Erase items from jobs that read one account, or with `dry` only say what would go; return the certificate.

    Each job is asked for first, durably: one that can't be finished now is finished by its next run.

    Raises:
        SettingsError: the jobs read different accounts.
        SyncerError: a job can't be assembled, or what it was asked before can't be finished.
    """
    jobs = [await syncer.job(name) for name in names]
    if len({shelf(job) for job in jobs}) > 1:
        raise SettingsError(
            f"{', '.join(names)} read different accounts, where one id may mean different items",
            hint="name the jobs of one, or give --platform",
        )
    started = _now(syncer)
    told = {"format": FORMAT, "id": wanted.id, "tool": f"annotation-syncer {__version__}", "started": started}
    if dry:
        looked = [await _looked(syncer, job, wanted) for job in jobs]
        return {**told, "dry_run": True, "jobs": looked}, Exit.DONE
    for job in jobs:
        await _ask(syncer, job, wanted, started)
    parts, unfinished, codes = await _finished(syncer, names)
    elsewhere = await _elsewhere(syncer, jobs, wanted.keys)
    codes += [Exit.OWING] if elsewhere else []
    rest = {"elsewhere": elsewhere, "spool": await _spool(syncer), "ended": _now(syncer)}
    return {**told, "jobs": parts, "unfinished": unfinished, **rest}, worst(codes)


async def resume(syncer: "Syncer", names: Sequence[str]) -> tuple[dict[str, Any], Exit]:
    """Finish what was begun; return what there is of a certificate."""
    parts, unfinished, codes = await _finished(syncer, names)
    told = {"format": FORMAT, "tool": f"annotation-syncer {__version__}", "jobs": parts, "unfinished": unfinished}
    return {**told, "spool": await _spool(syncer), "ended": _now(syncer)}, worst(codes)


async def _finished(
    syncer: "Syncer", names: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, str]], list[Exit]]:
    """Go on with every job; one that can't be finished now keeps the others waiting no longer."""
    parts: list[dict[str, Any]] = []
    unfinished: list[dict[str, str]] = []
    codes: list[Exit] = []
    for name in names:
        try:
            part = await go_on(syncer, name)
        except SyncerError as error:
            unfinished.append({"job": name, "why": str(error)})
            codes.append(error.exit_code)
        else:
            parts += [] if part is None else [part]
    return parts, unfinished, codes


async def go_on(syncer: "Syncer", name: str) -> dict[str, Any] | None:
    """Finish the erasure of a job that was begun; return its part of the certificate, None if there is none.

    Raises:
        SyncerError: the state or a destination does not allow it now.
    """
    if NOTE not in await syncer.store.recall(name):
        return None
    async with syncer.store.lease(name):
        note = (await syncer.store.recall(name)).get(NOTE)
        if note is None:
            return None
        job = await syncer.job(name)
        record = await (await _eraser(syncer, job, [])).work(load(note))
    for leg in syncer.settings.jobs[name].legs:
        for part in record.done["destinations"]:
            if part["sink"] == leg.name:
                part["store"] = await leg.options.protection()  # type: ignore[attr-defined]  # every sink's options derive from SinkOptions
        damaged = [info.name async for info in syncer.assembly.store(leg).list() if ".zip.damaged" in info.name]
        if damaged:
            record.done["left"].append(f"{leg.name}: archives that were set aside stay: {', '.join(sorted(damaged))}")
    return record.done


async def refuse_underway(syncer: "Syncer", name: str) -> None:
    """Make sure that nothing that an erasure still has to do is forgotten with a job.

    Raises:
        SettingsError: there is one.
    """
    if NOTE in await syncer.store.recall(name):
        raise SettingsError(
            f"an erasure of job {name} is not finished", hint=f"run: syncer erase --resume {name} --yes"
        )


async def _ask(syncer: "Syncer", job: Job, wanted: Erasure, started: str) -> None:
    """Write down what is asked for; what was asked for before and is not finished comes first."""
    await go_on(syncer, job.name)
    keys = await stored_again(syncer, job) if wanted.again else wanted.keys
    record = Record(wanted.id, started, groups=wanted.groups, keys=[key.canonical() for key in keys])
    await syncer.store.remember(job.name, NOTE, record.dump())


async def _looked(syncer: "Syncer", job: Job, wanted: Erasure) -> dict[str, Any]:
    keys = await stored_again(syncer, job) if wanted.again else wanted.keys
    record = Record(wanted.id, "", groups=wanted.groups, keys=[key.canonical() for key in keys])
    left: list[str] = []
    await Eraser(job, syncer.store, (), "", syncer.clock, syncer.hub.emit, left).locate(record)
    return {
        "job": job.name, "items": len(record.keys), "state_rows": record.rows, "same_group_kept": record.beside,
        "destinations": [
            {
                "sink": sink.name, "url": sink.url, "places": len(record.places[sink.name]),
                "archives": len({place.container for place in record.places[sink.name]} - {None}),
                "segments": len(record.segments[sink.name]),
            }
            for sink in job.sinks
        ],
        "left": left,
    }  # fmt: skip


async def _elsewhere(syncer: "Syncer", done: Sequence[Job], keys: Sequence[ItemKey]) -> list[str]:
    """Return the other jobs of the same account that hold some of it: they were not named."""
    targets = Targets({name_of(key) for key in keys})
    holding: list[str] = []
    for name, settings in syncer.settings.jobs.items():
        if any(job.name == name for job in done):
            continue
        job = await syncer.job(name)
        if shelf(job) != shelf(done[0]):
            continue
        rows = [row for leg in settings.legs for row in await syncer.store.rows(name, leg.name)]
        if any(targets.match(row.key, None) for row in rows):
            holding.append(name)
    return holding


async def _spool(syncer: "Syncer") -> dict[str, Any]:
    """Empty what outlives processes in the spool; the rest of it ends with them."""
    stay = await anyio.to_thread.run_sync(kept.clear, syncer.assembly.scratch / kept.FOLDER)
    return {"downloads_in_use": stay}


async def _eraser(syncer: "Syncer", job: Job, left: list[str]) -> Eraser:
    units = group([partition async for partition in _partitions(syncer, job)], job.sinks)
    run = run_id(syncer.clock.now())
    return Eraser(job, syncer.store, units, run, syncer.clock, syncer.hub.emit, left)


async def _partitions(syncer: "Syncer", job: Job) -> AsyncIterator[Partition]:
    """Yield the partitions of today, as the platform describes them, then those that are only remembered.

    Erasing does not wait for a platform that is away: what it needs of it is only what archives are called after.
    """
    met: set[PartitionKey] = set()
    try:
        async with aclosing(job.source.partitions(job.select)) as partitions:
            async for partition in partitions:
                met.add(partition.key)
                yield partition
    except SyncerError as error:
        syncer.hub.emit(Warned(f"{job.name}: going by what is remembered: {error}"))
    remembered = set(await syncer.store.partitions(job.name))
    for sink in job.sinks:
        async with aclosing(sink.manifest(job.name).rows()) as rows:  # type: ignore[type-var]  # adapters return generators
            remembered.update([row.key.partition async for _, row in rows])
    for key in sorted(remembered - met, key=PartitionKey.canonical):
        yield Partition(key)


def _now(syncer: "Syncer") -> str:
    return syncer.clock.now().astimezone(UTC).isoformat(timespec="microseconds")
