"""Documents read back by their manifest rows: one reader for each kind of container, none of them ever writes."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from syncer.model.entries import Container
from syncer.model.rows import ManifestRow
from syncer.ports.blobs import Blobs


class DocumentReader(Protocol):
    """How the documents of one kind of container are found. Stateless; named in `sinks.reading.kinds`."""

    def open(
        self, blobs: Blobs, container: Container | None, *, scan: bool
    ) -> "AbstractAsyncContextManager[OpenDocuments]":
        """Open a container, or (None) the root itself, where items are objects of their own.

        With `scan`, many documents will be read, in about the order in which they were written; else single ones.

        Raises on entering:
            FileNotFoundError: there is no such container.
            DestinationChanged: it is damaged, or none of this kind.
        """


class OpenDocuments(Protocol):
    """One container, open for reading. May be asked by several tasks at once."""

    #: Tag of the very bytes that are read, to be compared with HEAD's; None where there is no container.
    tag: str | None
    #: What is open stays readable as it was, whoever replaces it meanwhile.
    stable: bool

    async def read(self, rows: Sequence[ManifestRow], limit: int) -> Sequence[bytes | None]:
        """Return the documents of some rows of this container, in their order; None where one is not there.

        What comes back is checked by the caller, against size and sha256 of its row. Names, offsets and sizes inside
        the container are checked here; nothing larger than `limit` or than the size in its row is ever in memory.

        Raises:
            TooLarge: a document is larger than it may be.
            DestinationChanged: the container can't be read there.
        """
