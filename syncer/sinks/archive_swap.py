"""Staging and publishing archives: build the next one beside the published one, then swap them by one rename each.

A swap list says for each archive what its next state is and by which evidence it is known, so that carrying the list
out can be repeated from any point: what is swapped already is recognised by its digest, what is not is swapped now.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, fields
from io import FileIO
from itertools import chain, count
from pathlib import Path

from anyio import to_thread

from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, SettingsError
from syncer.model.paths import is_safe
from syncer.ports import Blobs
from syncer.sinks.archive_fresh import Fresh
from syncer.sinks.archive_names import PartId
from syncer.sinks.archive_token import FORMAT
from syncer.sinks.deflate import DamagedError
from syncer.sinks.zipfile64 import Appender, Closed, pieces
from syncer.sinks.zipmerge import copy_alive, survivors
from syncer.sinks.zipread import Directory

REPAIR = "`syncer verify` says what differs, `syncer repair` brings destination and state together again"


@dataclass(frozen=True, slots=True)
class Swap:
    """The next state of one archive."""

    name: str
    #: Staged file beside it that takes its place; None: the file stays, or goes.
    temp: str | None
    #: Tag of what is published now; None: nothing is.
    old_tag: str | None
    #: Digest and bytes of the archive afterwards.
    sha256: str
    size: int
    live: int
    dead: int
    #: Nothing is left in it: it goes.
    drop: bool = False

    def container(self, tag: str) -> Container:
        """Return what HEAD says of it afterwards."""
        return Container(self.name, tag, self.size, self.sha256, self.live, self.dead)


def encode_swaps(swaps: Sequence[Swap]) -> bytes:
    """Return a swap list as it stands in a checkpoint."""
    return json.dumps({"format": FORMAT, "swaps": [asdict(swap) for swap in swaps]}, separators=(",", ":")).encode()


def decode_swaps(text: bytes) -> tuple[Swap, ...]:
    """Read a swap list.

    Raises:
        SettingsError: it was written by a newer version, or is none.
    """
    names = {field.name for field in fields(Swap)}
    with contextlib.suppress(ValueError, KeyError, TypeError):
        values = json.loads(text)
        if values["format"] == FORMAT and all(set(item) == names and is_safe(item["name"]) for item in values["swaps"]):
            return tuple(Swap(**item) for item in values["swaps"])
    message = "the state holds a list of staged archives that this version can't read"
    raise SettingsError(message, hint="use the version that wrote it, or a newer one")


def stage(
    root: Path, name: str, published: Container | None, fresh: Fresh, *, keep_empty: bool, durable: bool
) -> Swap | None:
    """Build the next state of one archive from what is published and what is sealed. Blocking; repeatable.

    Returns None if there is nothing to publish: what was new is superseded or removed again.

    Raises:
        DestinationChanged: the published archive is not what was published.
        OSError: the disk is full, or the like; what was staged so far is removed.
    """
    if published is not None and not fresh.sealed.entries and not any(kind == "drop" for _, kind, _ in fresh.ops()):
        died = len({hash(path) for _, _, path in fresh.ops()})
        dead = min(published.dead + died, published.dead + published.live)
        live = published.live + published.dead - dead
        return Swap(name, None, published.tag, published.sha256, published.size, live, dead)
    try:
        return _next_state(root, name, published, fresh, keep_empty=keep_empty, durable=durable)
    except DamagedError as error:
        raise changed(root, name, str(error)) from error
    except FileNotFoundError as error:
        raise changed(root, name, "it is missing") from error


def _next_state(
    root: Path, name: str, published: Container | None, fresh: Fresh, *, keep_empty: bool, durable: bool
) -> Swap | None:
    tag = published.tag if published else None
    with contextlib.ExitStack() as stack:
        sources: list[tuple[Directory, FileIO]] = []
        if published is not None:
            file = stack.enter_context(FileIO(root / name))
            sources.append((Directory.find(file), file))
        base = sum(directory.entries for directory, _ in sources)
        new = fresh.directory()
        if new is not None and fresh.appender is not None:
            sources.append((new, fresh.appender.data))
        alive = survivors(
            [directory for directory, _ in sources], lambda: ((base + at, path) for at, _, path in fresh.ops())
        )
        live = sum(alive)
        if not live and (published is None or not keep_empty):
            return None if published is None else Swap(name, None, tag, "", 0, 0, 0, drop=True)
        if published is None and live == len(alive) and fresh.appender is not None and not fresh.pending:
            temp = fresh.beside(".partial")
            closed = fresh.appender.finish()
            _settle_file(fresh.appender.data, None, durable=durable)
        else:
            temp = fresh.beside(".next")
            closed = _merge(temp, sources, alive, root / name, durable=durable)
    return Swap(name, temp.relative_to(root).as_posix(), tag, closed.sha256, closed.size, live, 0)


def _merge(
    temp: Path, sources: Sequence[tuple[Directory, FileIO]], alive: bytearray, target: Path, *, durable: bool
) -> Closed:
    """Copy what is alive, in order, without recompression."""
    out = Appender.create(temp)
    try:
        at = 0
        for directory, data in sources:
            copy_alive(directory, data, memoryview(alive)[at : at + directory.entries], out)
            at += directory.entries
        closed = out.finish()
        _settle_file(out.data, target, durable=durable)
    except BaseException:  # half a file is of no use, and its space may be what is missing
        temp.unlink(missing_ok=True)
        raise
    finally:
        out.close()
    return closed


def _settle_file(file: FileIO, target: Path | None, *, durable: bool) -> None:
    """Force a staged file to disk; its time is later than that of the one it replaces, or their tags could be equal."""
    with contextlib.suppress(FileNotFoundError):
        before = 0 if target is None else target.stat().st_mtime_ns
        if file_time(file) <= before:
            os.utime(file.fileno(), ns=(before + 1, before + 1))
    if durable:
        os.fsync(file.fileno())


def file_time(file: FileIO) -> int:
    """Return when an open file was last written, in nanoseconds."""
    return os.fstat(file.fileno()).st_mtime_ns


async def carry_out(
    blobs: Blobs, root: Path, swap: Swap, restage: Callable[[str], Awaitable[Swap | None]] | None
) -> Container | None:
    """Bring one archive into its next state and return it, None if it is gone. Idempotent.

    `restage` builds a staged file again that a crash took away; the same content gives the same archive. Without it
    nothing is done that was not done before.

    Raises:
        DestinationChanged: what stands there is neither the old state nor the new one.
    """
    now = await blobs.stat(swap.name)
    before = (now.tag if now else None) == swap.old_tag
    if swap.drop:
        if now is not None and (restage is None or not before):
            raise changed(root, swap.name, "it was replaced")
        await blobs.delete_many([swap.name])
        await blobs.sync()
        return None
    if now is not None and not before:
        if swap.temp is None or now.size != swap.size or await digest_of(root / swap.name) != swap.sha256:
            raise changed(root, swap.name, "it was replaced")
        return swap.container(now.tag)
    if not before:
        raise changed(root, swap.name, "it is missing")
    if swap.temp is None:
        return swap.container(swap.old_tag or "")
    there = restage is not None and await _size_of(root / swap.temp) == swap.size
    if not there and (restage is None or await restage(swap.name) != swap):
        raise changed(root, swap.temp, "what was staged is gone, and can't be built again")
    return swap.container(await blobs.adopt(root / swap.temp, swap.name))


def set_aside(root: Path, names: Sequence[str]) -> None:
    """Give damaged archives other names, which no archive ever has; those that are missing are fine. Blocking.

    Raises:
        DestinationChanged: a name is none of an archive; the manifest was changed.
    """
    for name in names:
        if PartId.parse(name) is None:
            raise changed(root, name[:200], "its name is none of an archive")
        path = root / name
        others = (path.with_name(f"{path.name}.damaged{end}") for end in chain([""], (f"-{n}" for n in count(2))))
        free = next(other for other in others if not other.exists())
        with contextlib.suppress(FileNotFoundError):
            path.rename(free)


def changed(root: Path, name: str, why: str) -> DestinationChanged:
    """Return the error for an archive that somebody else changed."""
    return DestinationChanged(f"{root / name} is not what was published: {why}", hint=REPAIR)


async def digest_of(path: Path) -> str:
    """Return the sha256 of a file, in a thread."""
    return await to_thread.run_sync(_digest_of, path)


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with FileIO(path) as file:
        for chunk in pieces(file, 0, os.fstat(file.fileno()).st_size):
            digest.update(chunk)
    return digest.hexdigest()


async def _size_of(path: Path) -> int | None:
    def look() -> int | None:
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    return await to_thread.run_sync(look)
