"""Objects that are items, read back by their manifest rows."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, create_task_group

from syncer.model.entries import Container
from syncer.model.errors import SyncerError
from syncer.ports import Blobs, ManifestRow

#: Objects read at a time.
_AT_ONCE = 16


class ObjectDocuments:
    """The door `OpenDocuments` for one root."""

    tag: str | None = None
    stable = False

    def __init__(self, blobs: Blobs) -> None:
        """Take the open store."""
        self._blobs = blobs
        self._limiter = CapacityLimiter(_AT_ONCE)

    async def read(self, rows: Sequence[ManifestRow], limit: int) -> Sequence[bytes | None]:
        """Return the objects of some rows, side by side; see the door.

        Raises:
            TooLarge: one is larger than it may be.
        """
        found: dict[int, bytes] = {}
        failed: list[Exception] = []

        async def fetch(number: int, row: ManifestRow) -> None:
            async with self._limiter:
                try:
                    whole = await self._blobs.get(row.path, min(limit, row.size))
                except (SyncerError, OSError) as error:
                    failed.append(error)
                    side_by_side.cancel_scope.cancel()
                else:
                    if whole is not None:
                        found[number] = whole[0]

        async with create_task_group() as side_by_side:
            for number, row in enumerate(rows):
                side_by_side.start_soon(fetch, number, row)
        if failed:
            raise failed[0]
        return [found.get(number) for number in range(len(rows))]


class ObjectReader:
    """The door `DocumentReader` where an item is an object of its own."""

    @asynccontextmanager
    async def open(self, blobs: Blobs, container: Container | None, *, scan: bool) -> AsyncIterator[ObjectDocuments]:
        """Open the root; see the door."""
        del container, scan
        yield ObjectDocuments(blobs)


READER = ObjectReader()
