"""Files of the spool that outlive their process: a large download that goes on where a dead process left it.

Each has a note beside it, replaced atomically, that says which bytes are durable. Nobody else writes a file while its
lock is held; one that nobody came back for is removed after a week.
"""

import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from anyio import CancelScope, to_thread

from syncer.blobs.atomic import locked_now
from syncer.model.entries import SpooledFile
from syncer.model.errors import NotNow

#: Name of the folder of kept files below a spool.
FOLDER = "kept"
#: Seconds after which a file that nobody touched is given up.
FORGOTTEN = 7 * 86400.0
#: Raises if the disk has no room left.
Check = Callable[[], Awaitable[None]]
#: Bytes hashed at a time.
_CHUNK = 1 << 20


class KeptFile:
    """One growing file, open for writing at any place; see `ports.blobs.KeptFile`."""

    def __init__(self, path: Path, descriptor: int, check: Check) -> None:
        """Take an open, locked file, and what tells whether the disk has room."""
        self.path = path
        self._descriptor = descriptor
        self._check = check

    async def note(self) -> bytes:
        """Return what was noted last; empty if nothing was."""
        return await to_thread.run_sync(_read, _note_of(self.path))

    async def write(self, offset: int, data: bytes) -> None:
        """Write at a place."""
        await to_thread.run_sync(_write, self._descriptor, offset, data)

    async def mark(self, note: bytes) -> None:
        """Make durable what was written so far, then the note that says so.

        Raises:
            NotNow: the disk is full, or nearly so; what was noted before stays.
        """
        await self._check()
        await to_thread.run_sync(self._mark, note)

    async def finish(self, size: int) -> SpooledFile:
        """Return the complete file; it stays until it is discarded."""
        return await to_thread.run_sync(self._finish, size)

    async def drop(self) -> None:
        """Forget all of it."""
        await to_thread.run_sync(self._drop)

    def _mark(self, note: bytes) -> None:
        with _full_disk_named():
            os.fsync(self._descriptor)
            temporary = self.path.with_suffix(".new")
            temporary.write_bytes(note)
            temporary.replace(_note_of(self.path))

    def _finish(self, size: int) -> SpooledFile:
        os.ftruncate(self._descriptor, size)
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return SpooledFile(self.path, size, digest.hexdigest())

    def _drop(self) -> None:
        os.ftruncate(self._descriptor, 0)
        _note_of(self.path).unlink(missing_ok=True)


@asynccontextmanager
async def keep(folder: Path, key: str, check: Check) -> AsyncIterator[KeptFile]:
    """Open the file of a key, with all that an earlier process left of it.

    Raises on entering:
        NotNow: another process has it, or the disk does not allow it.
    """
    path = folder / hashlib.sha256(key.encode()).hexdigest()[:32]
    descriptor = await to_thread.run_sync(_opened, path)
    try:
        yield KeptFile(path, descriptor, check)
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(os.close, descriptor)


def discard(path: Path) -> None:
    """Remove a file and its note. Idempotent."""
    path.unlink(missing_ok=True)
    _note_of(path).unlink(missing_ok=True)


def clear(folder: Path) -> int:
    """Remove every kept file that no process has open; return how many stay. Blocks."""
    stay = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix:
            continue  # a note: it goes with its file, or describes one that stays
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if locked_now(descriptor):
                discard(path)
            else:
                stay += 1
        finally:
            os.close(descriptor)
    return stay


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"the spool {path.parent} can't be used: {error.strerror}"
        raise NotNow(message, hint="free some space, or choose another folder for the spool") from error
    if not locked_now(descriptor):
        os.close(descriptor)
        message = "another process downloads the same archive at this moment"
        raise NotNow(message, hint="wait for it, or stop it")
    os.utime(descriptor)
    return descriptor


def _sweep(folder: Path) -> None:
    limit = time.time() - FORGOTTEN
    for path in folder.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                path.unlink()


def _note_of(path: Path) -> Path:
    return path.with_suffix(".note")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _write(descriptor: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    with _full_disk_named():
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the spool can't be written: {error.strerror}"
        raise NotNow(message, hint="free some space, or choose another folder for the spool") from error
