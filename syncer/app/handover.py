"""Handing over: data keeps its place and gets another owner; the manifest goes along, nothing is fetched again."""

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio.to_thread

from syncer.app.erasing import refuse_underway
from syncer.app.library import Syncer
from syncer.blobs.roots import canonical
from syncer.flow.job import RunOptions
from syncer.model.containers import ending_of
from syncer.model.errors import SettingsError
from syncer.model.paths import MANIFEST_FOLDER, clean_segment
from syncer.model.report import Report
from syncer.ports import Blobs
from syncer.sinks.documents import encode
from syncer.sinks.heads import HEAD
from syncer.sinks.owners import MAX_OWNER, OWNER

_MAX_DOCUMENT = 256 << 20
_MAX_SEGMENT = 1 << 30


async def take_over(syncer: Syncer, url: str, name: str) -> Report:
    """Give what lies at a URL to a job of this configuration, whoever wrote it, and run the job.

    Where the job has no manifest there yet it gets the only other one that there is, and what this state remembered of
    its former owner is forgotten: the run reads all of it back.

    Raises:
        SettingsError: no sink of the job writes to that place, or several jobs have a manifest there.
        LeaseHeld: the former owner is being run.
    """
    job = await syncer.job(name)
    place = canonical(url, await anyio.to_thread.run_sync(Path.cwd))
    roots = [sink.url for sink in job.sinks]
    # An archive is named by its file, its manifest lies in the folder beside it.
    if place not in roots and ending_of(place) is not None:
        place = place.rpartition("/")[0]
    if place not in roots:
        raise SettingsError(f"job {name} does not write to {url}", hint=f"it writes to {', '.join(roots)}")
    leg = next(leg for leg in syncer.settings.jobs[name].legs if syncer.assembly.sink(leg).url == place)
    blobs = syncer.assembly.store(leg)
    if await blobs.stat(f"{_folder(name)}/{HEAD}") is None:
        owners = await _owners(blobs)
        former = [other for other in owners if other != name]
        if len(former) > 1:
            raise SettingsError(f"{len(former)} jobs write to {place}: {', '.join(former)}",
                                hint="give the job a path of its own, or each of them its own url")  # fmt: skip
        for other in former:
            async with syncer.store.lease(other):
                await refuse_underway(syncer, other)
                await _move(blobs, other, name)
                if other in await syncer.store.jobs():
                    await syncer.store.reset(other)
    return await syncer.sync(name, RunOptions(adopt=True))


async def rename_job(syncer: Syncer, old: str, new: str) -> None:
    """Give a job another name, beside its data and in the state. May be called again after anything.

    Raises:
        SettingsError: the configuration knows neither name, or the new one is taken.
        LeaseHeld: the job is being run.
    """
    job = syncer.settings.jobs.get(old) or syncer.settings.jobs.get(new)
    if job is None:
        raise SettingsError(f"the configuration has neither {old} nor {new}, so their destinations are not known",
                            hint="name the file with -c")  # fmt: skip
    async with AsyncExitStack() as held:
        for each in (old, new):
            await held.enter_async_context(syncer.store.lease(each))
        if new in await syncer.store.jobs():
            raise SettingsError(f"there is a job {new} in this state already",
                                hint=f"choose another name, or forget that one: syncer state reset {new}")  # fmt: skip
        for leg in job.legs:
            await _move(syncer.assembly.store(leg), old, new)
        await syncer.store.rename(old, new)


async def _owners(blobs: Blobs) -> list[str]:
    """Return the jobs that have a manifest below a root."""
    found = [await blobs.get(f"{folder}/{OWNER}", MAX_OWNER) for folder in await blobs.folders(MANIFEST_FOLDER)]
    return list(_jobs(document[0] for document in found if document is not None))


def _jobs(documents: Iterator[bytes]) -> Iterator[str]:
    for document in documents:
        try:
            job = json.loads(document).get("job")
        except (ValueError, AttributeError):  # not ours: whoever reads it as a claim says what is wrong with it
            continue
        if isinstance(job, str):
            yield job


async def _move(blobs: Blobs, old: str, new: str) -> None:
    """Rename a job's manifest, then the name in its documents. A manifest that is not there is fine.

    In a folder that is one step. In a bucket HEAD is copied last and removed first, so that a reader finds all of it
    under one name or the other, or, for a moment, under both; a second call completes what was begun.
    """
    if blobs.folder is not None:
        await anyio.to_thread.run_sync(_rename, blobs.folder / _folder(old), blobs.folder / _folder(new))
    else:
        await _copied(blobs, f"{_folder(old)}/", f"{_folder(new)}/")
    for document in (OWNER, HEAD):
        name = f"{_folder(new)}/{document}"
        found = await blobs.get(name, _MAX_DOCUMENT)
        if found is not None:
            await blobs.put(name, encode({**json.loads(found[0]), "job": new}), match=found[1])


async def _copied(blobs: Blobs, old: str, new: str) -> None:
    names = sorted([info.name async for info in blobs.list(old)], key=lambda name: name == f"{old}{HEAD}")
    if f"{old}{HEAD}" in names and await blobs.stat(f"{new}{HEAD}") is not None:
        raise SettingsError(f"{blobs.url}/{new} is there already",
                            hint="its job has data there: give it another name or place")  # fmt: skip
    for name in names:
        found = await blobs.get(name, _MAX_SEGMENT)
        if found is not None:
            await blobs.put(f"{new}{name.removeprefix(old)}", found[0])
    if names:
        await blobs.delete_many([names[-1]])
        await blobs.delete_many(names[:-1])


def _rename(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    if target.exists():
        raise SettingsError(f"{target} is there already", hint="its job has data there: give it another name or place")
    source.rename(target)


def _folder(job: str) -> str:
    return f"{MANIFEST_FOLDER}/{clean_segment(job, job)}"
