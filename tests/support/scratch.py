"""A spool that lies in memory, for tests of what writes to one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from syncer.model.entries import SpooledFile


class MemorySpool:
    """Keeps spooled bodies in a dictionary; a body whose writer's block raised is gone from it."""

    def __init__(self, threshold: int = 1024 * 1024) -> None:
        """Take the size above which bodies are spooled."""
        self.threshold = threshold
        self.files: dict[Path, bytes] = {}
        self.kept: dict[str, MemoryKept] = {}
        #: Writers that were opened and did not finish.
        self.abandoned = 0
        #: Set when the first writer is opened.
        self.opened = asyncio.Event()

    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator["MemoryWriter"]:
        """Open a new file."""
        self.opened.set()
        writer = MemoryWriter(self, Path("/spool") / key)
        try:
            yield writer
        except BaseException:
            self.files.pop(writer.path, None)
            self.abandoned += 1
            raise

    @asynccontextmanager
    async def keep(self, key: str) -> AsyncIterator["MemoryKept"]:
        """Open a file that outlives its writer."""
        yield self.kept.setdefault(key, MemoryKept(self, Path("/kept") / key))

    async def discard(self, file: SpooledFile) -> None:
        """Remove a file."""
        self.files.pop(file.path, None)


class MemoryWriter:
    """One growing file."""

    def __init__(self, spool: MemorySpool, path: Path) -> None:
        """Begin empty."""
        self.size = 0
        self.path = path
        self._spool = spool
        self._chunks: list[bytes] = []

    async def write(self, chunk: bytes) -> None:
        """Append."""
        self._chunks.append(chunk)
        self.size += len(chunk)

    async def finish(self) -> SpooledFile:
        """Close."""
        data = b"".join(self._chunks)
        self._spool.files[self.path] = data
        return SpooledFile(self.path, len(data), hashlib.sha256(data).hexdigest())


class MemoryKept:
    """One file that is written at many places."""

    def __init__(self, spool: MemorySpool, path: Path) -> None:
        """Begin empty."""
        self.path = path
        self.data = bytearray()
        self._spool = spool
        self._note = b""

    async def note(self) -> bytes:
        """Return what was noted last."""
        return self._note

    async def write(self, offset: int, data: bytes) -> None:
        """Write at a place."""
        self.data.extend(bytes(max(0, offset + len(data) - len(self.data))))
        self.data[offset : offset + len(data)] = data

    async def mark(self, note: bytes) -> None:
        """Note."""
        self._note = note

    async def finish(self, size: int) -> SpooledFile:
        """Return the complete file."""
        data = bytes(self.data[:size])
        self._spool.files[self.path] = data
        return SpooledFile(self.path, size, hashlib.sha256(data).hexdigest())

    async def drop(self) -> None:
        """Forget all of it."""
        self.data.clear()
        self._note = b""
