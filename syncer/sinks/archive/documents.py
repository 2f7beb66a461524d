"""Entries of archives, and rows of tables, read back by their manifest rows."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from anyio import Lock, to_thread

from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged
from syncer.ports import Blobs, ManifestRow
from syncer.sinks.archive.form import Form, Index
from syncer.sinks.archive.remote import RANDOM, SEQUENTIAL, RemoteArchive
from syncer.sinks.archive.store import REPAIR, FolderStore
from syncer.sinks.archive.zipped import ZipForm
from syncer.sinks.zip64.deflate import DamagedError
from syncer.sinks.zip64.readable import Readable, tag_of


class ArchiveDocuments:
    """The door `OpenDocuments` for one archive."""

    def __init__(self, file: Readable, where: str, form: Form, *, stable: bool) -> None:
        """Take an open archive, and what kind of file it is."""
        self.tag: str | None = tag_of(file)
        self.stable = stable
        self._file, self._where, self._form = file, where, form
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
            self._index = self._form.index(self._file, self._where)
        return [self._index.read(self._file, row.path, min(limit, row.size)) for row in rows]


class ArchiveDocumentReader:
    """The door `DocumentReader` for archives of any kind."""

    def __init__(self, form_of: Callable[[str], Form]) -> None:
        """Take what tells a file's kind by its name."""
        self._form_of = form_of

    @asynccontextmanager
    async def open(self, blobs: Blobs, container: Container | None, *, scan: bool) -> AsyncIterator[ArchiveDocuments]:
        """Open an archive; see the door.

        Raises on entering:
            FileNotFoundError: there is none.
        """
        if container is None:
            message = "an archive has a name"
            raise ValueError(message)
        form = self._form_of(container.name)
        if blobs.folder is not None:
            try:
                file = await to_thread.run_sync(FolderStore(blobs, blobs.folder).open, container.name)
            except (IsADirectoryError, NotADirectoryError) as error:
                raise FileNotFoundError(container.name) from error
            try:
                # Whoever publishes replaces the name, not the file.
                yield ArchiveDocuments(file, container.name, form, stable=True)
            finally:
                file.close()
            return
        info = await blobs.stat(container.name)
        if info is None:
            raise FileNotFoundError(container.name)
        block = SEQUENTIAL if scan else RANDOM
        yield ArchiveDocuments(RemoteArchive(blobs, info, block=block), container.name, form, stable=False)


READER = ArchiveDocumentReader(lambda _: ZipForm())
