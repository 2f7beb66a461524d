"""Entries of archives, read back by their manifest rows."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from anyio import Lock, to_thread

from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, TooLarge
from syncer.ports import Blobs, ManifestRow
from syncer.sinks.archive.remote import RANDOM, SEQUENTIAL, RemoteArchive
from syncer.sinks.archive.store import REPAIR, FolderStore
from syncer.sinks.zip64.deflate import DamagedError
from syncer.sinks.zip64.read import Directory, Index, read_entry
from syncer.sinks.zip64.readable import Readable, tag_of


class ArchiveDocuments:
    """The door `OpenDocuments` for one archive."""

    def __init__(self, file: Readable, where: str, *, stable: bool) -> None:
        """Take an open archive."""
        self.tag: str | None = tag_of(file)
        self.stable = stable
        self._file, self._where = file, where
        self._index: Index | None = None
        # An archive in a bucket is read by one thread at a time.
        self._lock = Lock()

    async def read(self, rows: Sequence[ManifestRow], limit: int) -> Sequence[bytes | None]:
        """Return the documents of some rows; see the door.

        Raises:
            TooLarge: an entry is larger than it may be.
            DestinationChanged: the archive can't be read there.
        """
        async with self._lock:
            try:
                return await to_thread.run_sync(self._read, rows, limit)
            except (DamagedError, FileNotFoundError) as error:
                raise DestinationChanged(f"{self._where} can't be read: {error}", hint=REPAIR) from error

    def _read(self, rows: Sequence[ManifestRow], limit: int) -> list[bytes | None]:
        if self._index is None:
            self._index = Index(Directory.find(self._file))
        return [self._one(self._index, row, min(limit, row.size)) for row in rows]

    def _one(self, index: Index, row: ManifestRow, limit: int) -> bytes | None:
        record = index.find(self._file, row.path.encode("utf-8", "surrogatepass"))
        if record is None:
            return None
        if record.size > limit:
            message = f"{row.path} in {self._where} has {record.size:,} bytes instead of {row.size:,}"
            raise TooLarge(message)
        return read_entry(self._file, record)


class ArchiveDocumentReader:
    """The door `DocumentReader` for zip archives."""

    @asynccontextmanager
    async def open(self, blobs: Blobs, container: Container | None, *, scan: bool) -> AsyncIterator[ArchiveDocuments]:
        """Open an archive; see the door.

        Raises on entering:
            FileNotFoundError: there is none.
        """
        if container is None:
            message = "an archive has a name"
            raise ValueError(message)
        if blobs.folder is not None:
            try:
                file = await to_thread.run_sync(FolderStore(blobs, blobs.folder).open, container.name)
            except (IsADirectoryError, NotADirectoryError) as error:
                raise FileNotFoundError(container.name) from error
            try:
                # Whoever publishes replaces the name, not the file.
                yield ArchiveDocuments(file, container.name, stable=True)
            finally:
                file.close()
            return
        info = await blobs.stat(container.name)
        if info is None:
            raise FileNotFoundError(container.name)
        block = SEQUENTIAL if scan else RANDOM
        yield ArchiveDocuments(RemoteArchive(blobs, info, block=block), container.name, stable=False)


READER = ArchiveDocumentReader()
