"""Where published archives lie: files in a folder, or objects in a bucket. One door for those who read or replace them.

`open` and `exists` block and run in worker threads; the rest belongs to the event loop.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Protocol

from anyio import from_thread, to_thread

from syncer.model.errors import DestinationChanged
from syncer.ports import Blobs
from syncer.sinks.archive.names import PartId
from syncer.sinks.archive.remote import RANDOM, SEQUENTIAL, RemoteArchive
from syncer.sinks.zip64.readable import Readable

REPAIR = "`syncer verify` says what differs, `syncer repair` brings destination and state together again"


class Store(Protocol):
    """The published archives of one sink."""

    def where(self, name: str) -> str:
        """Return what an archive is called in messages."""

    def open(self, name: str, *, lookup: bool = False) -> AbstractContextManager[Readable]:
        """Open an archive for reading, for all of it or (with `lookup`) for single entries. Blocking.

        Raises:
            FileNotFoundError: there is none.
        """

    def exists(self, name: str) -> bool:
        """Tell whether something has this name. Blocking."""

    async def set_aside(self, names: Sequence[str]) -> None:
        """Rename archives to `<name>.damaged`, or `.damaged-2` and so on where that is taken. Idempotent.

        Raises:
            DestinationChanged: a name is none of an archive; the manifest was changed.
        """

    async def digest(self, name: str) -> str:
        """Return the sha256 of an archive, read from end to end."""


class FolderStore:
    """Archives below one local folder."""

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        """Take the folder; nothing is touched before the first call."""
        self._blobs, self._folder = blobs, folder

    def where(self, name: str) -> str:
        """Return the file's path."""
        return str(self._folder / name)

    def open(self, name: str, *, lookup: bool = False) -> FileIO:  # noqa: ARG002  # the system reads ahead by itself
        """Open the file; see the door."""
        return FileIO(self._folder / name)

    def exists(self, name: str) -> bool:
        """Tell whether something has this name."""
        return (self._folder / name).exists()

    async def set_aside(self, names: Sequence[str]) -> None:
        """Rename the files; see the door."""
        await to_thread.run_sync(self._set_aside, names)

    def _set_aside(self, names: Sequence[str]) -> None:
        for name in names:
            _archive(self, name)
            free = next(other for other in _damaged(name) if not self.exists(other))
            if self.exists(name):
                (self._folder / name).rename(self._folder / free)

    async def digest(self, name: str) -> str:
        """Return the sha256 of the file."""
        return await digest_of(self._blobs, name)


class ObjectStore:
    """Archives in a bucket."""

    def __init__(self, blobs: Blobs) -> None:
        """Take the open store; nothing is touched before the first call."""
        self._blobs = blobs

    def where(self, name: str) -> str:
        """Return the object's URL."""
        return f"{self._blobs.url.rstrip('/')}/{name}"

    @contextmanager
    def open(self, name: str, *, lookup: bool = False) -> Iterator[RemoteArchive]:
        """Look at the object; see the door."""
        info = from_thread.run(self._blobs.stat, name)
        if info is None:
            raise FileNotFoundError(self.where(name))
        yield RemoteArchive(self._blobs, info, block=RANDOM if lookup else SEQUENTIAL)

    def exists(self, name: str) -> bool:
        """Tell whether an object has this name."""
        return from_thread.run(self._blobs.stat, name) is not None

    async def set_aside(self, names: Sequence[str]) -> None:
        """Copy the objects inside the bucket, then delete them; see the door."""
        for name in names:
            _archive(self, name)
            there = await self._blobs.stat(name)
            if there is None:
                continue
            for free in _damaged(name):
                if await self._blobs.stat(free) is None:
                    await self._blobs.copy(name, free)
                    break
            await self._blobs.delete_many([name], match=[there.tag])

    async def digest(self, name: str) -> str:
        """Return the sha256 of the object."""
        return await digest_of(self._blobs, name)


async def digest_of(blobs: Blobs, name: str) -> str:
    """Return the sha256 of an object, read from end to end."""
    digest = hashlib.sha256()
    async for chunk in blobs.read(name):
        await to_thread.run_sync(digest.update, chunk)
    return digest.hexdigest()


def changed(where: str, why: str) -> DestinationChanged:
    """Return the error for an archive that somebody else changed."""
    return DestinationChanged(f"{where} is not what was published: {why}", hint=REPAIR)


def _archive(store: Store, name: str) -> None:
    if PartId.parse(name) is None:
        raise changed(store.where(name[:200]), "its name is none of an archive")


def _damaged(name: str) -> Iterator[str]:
    """Yield names for a damaged archive, which no archive ever has."""
    yield f"{name}.damaged"
    yield from (f"{name}.damaged-{number}" for number in count(2))
