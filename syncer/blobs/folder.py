"""A local folder as a store: many small files in one thread hop, each complete or absent."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

from anyio import sleep, to_thread

from syncer.blobs.atomic import locked_now
from syncer.blobs.files import Durability, Files
from syncer.blobs.walk import subfolders
from syncer.model.entries import SpooledFile
from syncer.model.errors import Busy
from syncer.ports import About, BlobInfo

#: Bytes read, and names listed, by one hop.
_CHUNK = 1 << 20
_NAMES = 1000
#: A short lock is tried so often, with so many seconds between: about a minute.
_TRIES = 3000
_PAUSE = 0.02


class FolderBlobs:
    """Files below one folder, made by the first write. Nothing outside it is ever touched."""

    def __init__(self, folder: Path, *, durability: Durability = "batch") -> None:
        """Take an absolute folder; `durability` says what `sync` and every single `put` force to disk."""
        self.folder: Path | None = folder
        self.url = folder.as_uri()
        self._files = Files(folder, durability)

    async def put_many(
        self,
        files: Sequence[tuple[str, bytes | SpooledFile]],
        scratch: str,
        *,
        about: Sequence[About] = (),
        match: Sequence[str | None] = (),
        create: bool = False,
    ) -> Sequence[str]:
        """Write or replace; return tags. One thread hop; each file is complete before its name shows it."""
        del about  # a file has no place for it
        return await to_thread.run_sync(lambda: self._files.write(files, scratch, match=match, create=create))

    async def sync(self) -> None:
        """Force the folders changed so far to disk, once each (files were before their renames)."""
        await to_thread.run_sync(self._files.sync)

    async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
        """Write one small file durably; return its tag. All such writes of a root go one by one, over processes.

        Raises:
            Conflict: with `create`, it is there with other bytes; with `match`, its tag is another.
        """
        top, slash, _ = name.partition("/")
        async with self._flock(f"{top}/.lock" if slash else ".lock"):
            return await to_thread.run_sync(lambda: self._files.put(name, data, create=create, match=match))

    async def get(self, name: str, limit: int) -> tuple[bytes, str] | None:
        """Return content and tag, None if absent.

        Raises:
            TooLarge: it is larger than `limit` bytes.
        """
        return await to_thread.run_sync(self._files.get, name, limit)

    async def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Stream bytes of the version that stood there at the first step, whoever replaces it meanwhile.

        Raises:
            FileNotFoundError: there is no such file.
        """
        descriptor = await to_thread.run_sync(self._files.open, name)
        try:
            while stop is None or start < stop:
                size = _CHUNK if stop is None else min(_CHUNK, stop - start)
                chunk = await to_thread.run_sync(os.pread, descriptor, size, start)
                if not chunk:
                    return
                start += len(chunk)
                yield chunk
        finally:
            os.close(descriptor)

    async def stat(self, name: str) -> BlobInfo | None:
        """Return size and tag, None if absent."""
        return await to_thread.run_sync(self._files.stat, name)

    async def list(self, prefix: str = "") -> AsyncGenerator[BlobInfo, None]:
        """Yield all files below a prefix; private ones and links are left out."""
        walk = self._files.walk(prefix)
        try:
            while found := await to_thread.run_sync(lambda: list(islice(walk, _NAMES))):
                for info in found:
                    yield info
        finally:
            walk.close()

    async def folders(self, folder: str = "") -> Sequence[str]:
        """Return the folders right below a folder, empty ones too; private ones and links are left out."""
        return await to_thread.run_sync(subfolders, self._files.folders, folder)

    async def delete_many(self, names: Sequence[str], scratch: str = "", *, match: Sequence[str] = ()) -> None:
        """Delete; absent names are fine. Durable with the next `sync`.

        Raises:
            Conflict: one has another tag than `match` says.
            FileNotFoundError: the private corner was taken away by a successor.
        """
        await to_thread.run_sync(self._files.delete, names, scratch, match)

    async def adopt(self, path: Path, name: str) -> str:
        """Move a complete, synced file in under `name`, replacing it atomically; return its tag."""
        return await to_thread.run_sync(self._files.adopt, path, name)

    async def take_scratch(self, scratch: str) -> None:
        """Make a private corner, and take away those of predecessors beside it, whose owners write no more."""
        await to_thread.run_sync(self._files.take, scratch)

    async def clear_scratch(self, scratch: str) -> None:
        """Remove a private corner with all its temporary files."""
        await to_thread.run_sync(self._files.clear, scratch)

    async def copy(self, source: str, name: str, *, create: bool = False, match: str | None = None) -> str:
        """Copy a file under another name, replacing atomically; return the tag. What has it is compared just before.

        Raises:
            FileNotFoundError: there is no such file.
            Conflict: what has that name is not what it must be.
        """
        return await to_thread.run_sync(lambda: self._files.copy(source, name, create=create, match=match))

    async def remove_all(self, folder: str, *, until: str | None = None) -> None:
        """Remove a folder with everything in it, or what comes there up to a name."""
        await to_thread.run_sync(self._files.clear, folder, until)

    @asynccontextmanager
    async def _flock(self, name: str) -> AsyncIterator[None]:
        descriptor = await to_thread.run_sync(self._files.open_lock, name)
        try:
            for _ in range(_TRIES):
                if await to_thread.run_sync(locked_now, descriptor):
                    break
                await sleep(_PAUSE)
            else:
                message = f"the lock {self.folder}/{name} is held by another process"
                raise Busy(message, hint="look for a stopped syncer process on this machine and end it")
            yield
        finally:
            os.close(descriptor)
