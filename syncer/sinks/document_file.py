"""One document in a destination: read with distrust, decoded once while its bytes stay the same, replaced by tag."""

from typing import Generic

from anyio import to_thread

from syncer.model.errors import DestinationChanged, TooLarge
from syncer.ports import Blobs
from syncer.sinks.documents import D, decode, encode


class DocumentFile(Generic[D]):
    """Where a document of one kind lies. Every unit of a run reads those of the whole job."""

    def __init__(self, blobs: Blobs, name: str, kind: type[D], most: int) -> None:
        """Take the store, the name, and how many bytes are read at most; nothing is touched before the first call."""
        self._blobs = blobs
        self._name = name
        self._kind = kind
        self._most = most
        self._last: tuple[bytes, D] | None = None

    async def read(self) -> tuple[D | None, str | None]:
        """Return the document and its tag; None where there is none.

        Nobody changes what is in it: as long as its bytes are the same, all who read get the same one.

        Raises:
            SettingsError: a newer version wrote it.
            DestinationChanged: it can't be read.
        """
        try:
            found = await self._blobs.get(self._name, self._most)
        except TooLarge as error:
            raise DestinationChanged(str(error), hint="restore it from a copy") from error
        if found is None:
            return None, None
        data, tag = found
        last = self._last
        if last is None or last[0] != data:
            where = f"{self._blobs.url}/{self._name}"
            last = self._last = data, await to_thread.run_sync(decode, data, self._kind, where)
        return last[1], tag

    async def write(self, document: D, tag: str | None) -> None:
        """Replace the document that has this tag; None: there is none yet. Reading it back is then no work.

        It has to be what its bytes decode to.

        Raises:
            Conflict: another one stands there.
        """
        data = await to_thread.run_sync(encode, document)
        await self._blobs.put(self._name, data, create=tag is None, match=tag)
        self._last = data, document
