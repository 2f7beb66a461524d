"""Local scratch space for bodies that are too large for memory. Nothing in it is a truth: it ends with the process."""

import hashlib
import itertools
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase
from anyio import CancelScope, to_thread

from syncer.blobs import kept
from syncer.blobs.atomic import locked_now
from syncer.model.entries import SpooledFile
from syncer.model.errors import NotNow
from syncer.model.paths import digest8

#: Default of `FolderSpool.threshold`: bodies up to this many bytes stay in memory.
THRESHOLD = 4 << 20
#: Bytes that spooling leaves free on the disk.
RESERVE = 256 << 20
#: Space is looked at before a file and after every so many bytes of it.
_LOOK = 64 << 20
#: Chunks above this are hashed in a thread.
_LARGE = 128 << 10
_HINT = "free some space, or choose another folder for the spool"


class FolderSpool:
    """One process's corner of a spool folder."""

    def __init__(self, corner: Path, *, threshold: int = THRESHOLD, reserve: int = RESERVE) -> None:
        """Take a private folder that exists; `open_spool` makes and removes one."""
        self.threshold = threshold
        self.reserve = reserve
        #: The private folder.
        self.corner = corner
        self._serial = itertools.count()

    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator["FileWriter"]:
        """Open a new file; it is removed unless `finish` was called and the block ends well.

        Raises:
            NotNow: the disk is nearly full.
        """
        await self.check_space()
        path = self.corner / f"{next(self._serial):08x}-{digest8(key)}"
        with CancelScope(shield=True):  # a file half opened could not be closed again
            file = await aiofiles.open(path, "xb", opener=_private)
        kept: SpooledFile | None = None
        try:
            writer = FileWriter(self, path, file)
            yield writer
            kept = writer.finished
        finally:
            with CancelScope(shield=True):
                if kept is None:
                    with suppress(OSError):  # what could not be written need not be
                        await file.close()
                    await to_thread.run_sync(lambda: path.unlink(missing_ok=True))

    def keep(self, key: str) -> AbstractAsyncContextManager[kept.KeptFile]:
        """Open the file of a key that outlives the process, beside the corners; see `kept.keep`."""
        return kept.keep(self.corner.parent / kept.FOLDER, key, self.check_space)

    async def discard(self, file: SpooledFile) -> None:
        """Remove a file whose entry has settled. Idempotent; files elsewhere are left alone."""
        if file.path.parent == self.corner.parent / kept.FOLDER:
            await to_thread.run_sync(kept.discard, file.path)
        if file.path.parent == self.corner:
            await to_thread.run_sync(lambda: file.path.unlink(missing_ok=True))

    async def check_space(self) -> None:
        """Refuse to fill the disk to its end.

        Raises:
            NotNow: less than the reserve is left.
        """
        free = (await to_thread.run_sync(shutil.disk_usage, self.corner)).free
        if free < self.reserve:
            message = f"the disk of the spool {self.corner.parent} is nearly full: {free >> 20:,} MiB left"
            raise NotNow(message, hint=_HINT)


class FileWriter:
    """One growing file of the spool."""

    def __init__(self, spool: FolderSpool, path: Path, file: AsyncBufferedIOBase) -> None:
        """Take an open, empty file."""
        self.size = 0
        self.finished: SpooledFile | None = None
        self._spool = spool
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()
        self._look = _LOOK

    async def write(self, chunk: bytes) -> None:
        """Append.

        Raises:
            NotNow: the disk is full, or nearly so.
        """
        if self.size + len(chunk) > self._look:
            await self._spool.check_space()
            self._look = self.size + len(chunk) + _LOOK
        if len(chunk) > _LARGE:
            await to_thread.run_sync(self._digest.update, chunk)
        else:
            self._digest.update(chunk)
        with _full_disk_named(self._path):
            await self._file.write(chunk)
        self.size += len(chunk)

    async def finish(self) -> SpooledFile:
        """Close and return it with its size and sha256."""
        with _full_disk_named(self._path):
            await self._file.close()
        self.finished = SpooledFile(self._path, self.size, self._digest.hexdigest())
        return self.finished


@asynccontextmanager
async def open_spool(folder: Path, *, threshold: int = THRESHOLD, reserve: int = RESERVE) -> AsyncIterator[FolderSpool]:
    """Take a private corner of a spool folder; first empty those whose processes are dead.

    Folders are 0700 and files 0600. A corner is held by a kernel lock, so a process that died holds none, whatever
    became of its number.

    Raises on entering:
        NotNow: the folder can't be written.
    """
    try:
        descriptor, corner = await to_thread.run_sync(_claimed, folder)
    except OSError as error:
        message = f"the spool {folder} can't be used: {error.strerror}"
        raise NotNow(message, hint=_HINT) from error
    try:
        yield FolderSpool(corner, threshold=threshold, reserve=reserve)
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(_removed, corner)
        os.close(descriptor)


def _claimed(folder: Path) -> tuple[int, Path]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for lock in folder.glob("*.lock"):
        _sweep(lock)
    corner = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
    # The folder comes last: until the lock is held, there is nothing that a sweeper could take away.
    descriptor = _locked(corner.with_suffix(".lock"))
    corner.mkdir(mode=0o700)
    return descriptor, corner


def _locked(lock: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if locked_now(descriptor) and os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # a sweeper took it for dead in between: once more


def _sweep(lock: Path) -> None:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if locked_now(descriptor):
            _removed(lock.with_suffix(""))
    finally:
        os.close(descriptor)


def _removed(corner: Path) -> None:
    shutil.rmtree(corner, ignore_errors=True)
    corner.with_suffix(".lock").unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


@contextmanager
def _full_disk_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the spool {path.parent} can't be written: {error.strerror}"
        raise NotNow(message, hint=_HINT) from error
