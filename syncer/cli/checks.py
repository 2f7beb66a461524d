"""The single checks of `syncer doctor`: each tries one thing for real, and says what to do if it fails."""

import os
import platform
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

import anyio.to_thread
import msgspec

from syncer import __version__
from syncer.app.library import Syncer
from syncer.model.errors import Conflict, Exit, SyncerError
from syncer.model.units import show_duration
from syncer.ports import Blobs
from syncer.settings import Configured

#: Seconds between our clock and the platform's above which times in selections mislead.
_SKEW = 60.0
_LIBRARIES = ("aiohttp", "pydantic", "cyclopts")


class Check(msgspec.Struct, frozen=True):
    """The outcome of one check."""

    what: str
    result: Literal["ok", "warning", "failed"]
    detail: str
    hint: str | None = None
    code: Exit = Exit.DONE


async def checks(syncer: Syncer) -> AsyncIterator[Check]:
    """Yield the outcome of everything that can be tried without a run."""
    for check in await anyio.to_thread.run_sync(versions):
        yield check
    for broken in syncer.registry.broken:
        yield Check("plug-in", "warning", str(broken), "update or remove the package that brings it")
    for text in syncer.settings.warnings:
        yield Check("configuration", "warning", text)
    file = syncer.settings.file
    yield Check(
        "configuration",
        "ok",
        f"{file}: {len(syncer.settings.jobs)} jobs"
        if file
        else "no file; name one with -c, or begin one with `syncer init`",
    )
    yield await _state(syncer)
    for each in syncer.settings.platforms.values():
        async for check in _platform(syncer, each):
            yield check
    tried: set[str] = set()
    for job in syncer.settings.jobs.values():
        for leg in job.legs:
            check = await _destination(syncer, leg)
            if check.detail not in tried:
                yield check
            tried.add(check.detail)


def versions() -> Sequence[Check]:
    """Return what this is, and whether the parts that make it quick are here. Blocks."""
    libraries = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    where = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    found = [Check("syncer", "ok", f"{__version__} ({where}; {libraries})")]
    for name, effect in (("uvloop", "requests cost more time"), ("isal", "zip archives take longer to write")):
        if find_spec(name) is None:
            found.append(Check(name, "warning", f"not installed: {effect}", f"pip install {name}"))
        else:
            found.append(Check(name, "ok", _version(name)))
    return found


async def _state(syncer: Syncer) -> Check:
    """Take a lease and let it go: that writes where the state lies."""
    store = syncer.store
    try:
        async with store.lease(f"doctor-{secrets.token_hex(4)}"):
            pass
        held = [who for job in await store.jobs() for who in (await store.status(job)).leases.values()]
    except SyncerError as error:
        return Check("state", "failed", f"{store.url}: {error}", error.hint, error.exit_code)
    busy = f"; in use by {', '.join(dict.fromkeys(held))}" if held else ""
    return Check("state", "ok", f"{store.url}: writable{busy}")


async def _platform(syncer: Syncer, configured: Configured) -> AsyncIterator[Check]:
    what = f"platform {configured.name}"
    try:
        source = await syncer.assembly.source(configured)
        before = syncer.clock.now()
        answer = dict(await source.whoami())
        after = syncer.clock.now()
    except SyncerError as error:
        yield Check(what, "failed", str(error), error.hint, error.exit_code)
        return
    clock = answer.pop("clock", None)
    said = ", ".join(f"{name} {value}" for name, value in answer.items() if value)
    yield Check(what, "ok", f"{source.origin}: {said or 'the credential is accepted'}")
    if clock is not None:
        yield _clock(what, datetime.fromisoformat(clock), before, after)


def _clock(what: str, theirs: datetime, before: datetime, after: datetime) -> Check:
    # The server's `Date` has whole seconds, and was written while we waited.
    ours = min(max(theirs, before), after)
    off = (theirs - ours).total_seconds()
    if abs(off) <= _SKEW:
        return Check(f"clock of {what}", "ok", f"{show_duration(abs(off))} apart")
    detail = f"its clock is {show_duration(abs(off))} {'ahead of' if off > 0 else 'behind'} this machine's"
    return Check(f"clock of {what}", "warning", detail, "set this machine's clock by NTP; --since means its time")


async def _destination(syncer: Syncer, leg: Configured) -> Check:
    """Write, read and delete a small object where a sink writes."""
    what = f"sink {leg.name}"
    try:
        return await _probe(what, syncer.assembly.store(leg))
    except SyncerError as error:
        return Check(what, "failed", str(error), error.hint, error.exit_code)


async def _probe(what: str, blobs: Blobs) -> Check:
    url = blobs.url
    mark = secrets.token_hex(4)
    name, data = f"syncer-doctor-{mark}", os.urandom(64)
    new = blobs.folder is not None and not await anyio.to_thread.run_sync(blobs.folder.exists)
    try:
        await blobs.put_many([(name, data)], f".{name}")
        found = await blobs.get(name, len(data))
        listed = [info.name async for info in blobs.list(name)]
        guarded = await _guarded(blobs, name)
        await blobs.delete_many([name])
        await blobs.clear_scratch(f".{name}")
        if new and blobs.folder is not None:
            with suppress(OSError):  # not empty any more: somebody began to use it
                await anyio.to_thread.run_sync(blobs.folder.rmdir)
    except OSError as error:
        denied = isinstance(error, PermissionError)
        return Check(
            what, "failed", f"{url}: {error.strerror}",
            "let this user write there, or change the sink's url" if denied else "look at the disk and the sink's url",
            Exit.PERMISSION if denied else Exit.NOT_NOW,
        )  # fmt: skip
    if found is None or found[0] != data or listed != [name]:
        return Check(what, "failed", f"{url}: what was written did not come back", None, Exit.DAMAGE)
    if not guarded:
        return Check(
            what, "failed", f"{url}: two processes could both replace an object: conditional writes are not honoured",
            "use a service that knows If-None-Match and If-Match", Exit.SETTINGS,
        )  # fmt: skip
    return Check(what, "ok", f"{url}: can be written, read, listed and deleted")


async def _guarded(blobs: Blobs, name: str) -> bool:
    """Tell whether a write that may only create is refused where something is; all manifests rely on that."""
    if blobs.folder is not None:
        return True
    try:
        await blobs.put(name, b"other", create=True)
    except Conflict:
        return True
    return False


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"
