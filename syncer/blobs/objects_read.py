"""The reading side of a bucket, and the client that both sides share."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import obstore
from anyio import to_thread

from syncer.blobs.access import BucketAccess
from syncer.blobs.bandwidth import Bandwidth
from syncer.blobs.clouds import Store, open_store
from syncer.blobs.farewell import refuse_after_fork, rest_at_exit
from syncer.blobs.places import Place, is_key
from syncer.blobs.refusals import Absent, Refusal, missing_bucket, past_the_end, store_failed
from syncer.blobs.uploads import tag_of
from syncer.model.errors import SettingsError, TooLarge
from syncer.ports import BlobInfo

if TYPE_CHECKING:
    from obstore import ObjectMeta, OffsetRange

_CHUNK = 1 << 20
#: Names listed by one request.
_NAMES = 1000


class ObjectReader:
    """Objects below one prefix of a bucket. The client is made by the first use; nothing needs to be closed."""

    def __init__(self, place: Place, access: BucketAccess) -> None:
        """Take a place and how it is reached; nothing is sent."""
        self.url = place.url
        self.folder: Path | None = None
        self._place = place
        self._access = access
        self._bandwidth = Bandwidth(access.bandwidth)
        self._opening = anyio.Lock()
        self._stores: dict[bool, Store] = {}

    async def get(self, name: str, limit: int) -> tuple[bytes, str] | None:
        """Return content and tag, None if absent.

        Raises:
            TooLarge: it is larger than `limit` bytes.
        """
        store = await self._opened()
        try:
            found = await obstore.get_async(store, guarded(name))
            if found.meta["size"] > limit:
                message = f"{name} is larger than {limit:,} bytes"
                raise TooLarge(message)
            await self._bandwidth.take(found.meta["size"])
            return bytes(await found.bytes_async()), tag_of(found.meta)
        except Absent as error:
            if missing_bucket(error):
                raise store_failed(error, self.url) from None
            return None
        except Refusal as error:
            raise store_failed(error, self.url) from None

    async def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Stream bytes of one version: if it is replaced meanwhile, either its old bytes go on, or the read fails.

        Raises:
            FileNotFoundError: there is no such object.
        """
        store = await self._opened()
        guarded(name)
        if stop is not None and start >= stop:
            if await self._head(store, name) is None:
                raise FileNotFoundError(name)
            return
        # The client knows no open range with an end of its own.
        part: tuple[int, int] | OffsetRange = (start, stop) if stop is not None else {"offset": start}
        try:
            found = await obstore.get_async(store, name, options={"range": part} if start or stop is not None else {})
            async for chunk in found.stream(_CHUNK):
                await self._bandwidth.take(len(chunk))
                yield bytes(chunk)
        except Absent as error:
            if missing_bucket(error):
                raise store_failed(error, self.url) from None
            raise FileNotFoundError(name) from None
        except Refusal as error:
            if past_the_end(error):
                return
            raise store_failed(error, self.url) from None

    async def stat(self, name: str) -> BlobInfo | None:
        """Return size, tag and metadata (content headers among it), None if absent."""
        store = await self._opened()
        try:
            found = await obstore.get_async(store, guarded(name), options={"head": True})
        except Absent as error:
            if missing_bucket(error):
                raise store_failed(error, self.url) from None
            return None
        except Refusal as error:
            raise store_failed(error, self.url) from None
        said = {str(name).lower(): str(value) for name, value in found.attributes.items()}
        return BlobInfo(name, found.meta["size"], tag_of(found.meta), said)

    async def list(self, prefix: str = "") -> AsyncGenerator[BlobInfo, None]:
        """Yield all objects below a prefix; private names are left out."""
        if prefix:
            guarded(f"{prefix}x")
        store = await self._opened()
        # The client lists whole folders only.
        folder = prefix.rpartition("/")[0]
        try:
            async for chunk in obstore.list(store, folder or None, chunk_size=_NAMES):
                for found in chunk:
                    name = found["path"]
                    if name.startswith(prefix) and not any(part.startswith(".") for part in name.split("/")):
                        yield BlobInfo(name, found["size"], tag_of(found))
        except Refusal as error:
            raise store_failed(error, self.url) from None

    async def folders(self, folder: str = "") -> Sequence[str]:
        """Return the folders right below a folder, sorted: one request for a thousand; private ones are left out."""
        if folder:
            guarded(folder)
        start = f"{folder}/" if folder else ""
        store = await self._opened()
        try:
            found = await obstore.list_with_delimiter_async(store, folder or None)
        except Refusal as error:
            raise store_failed(error, self.url) from None
        return sorted(name for name in found["common_prefixes"] if not name.removeprefix(start).startswith("."))

    async def _head(self, store: Store, name: str) -> "ObjectMeta | None":
        try:
            return await obstore.head_async(store, name)
        except Absent as error:
            if missing_bucket(error):
                raise store_failed(error, self.url) from None
            return None
        except Refusal as error:
            raise store_failed(error, self.url) from None

    async def _opened(self, *, once: bool = False) -> Store:
        """Return the client; with `once`, the one that repeats nothing."""
        refuse_after_fork()
        store = self._stores.get(once)
        if store is None:
            async with self._opening:
                store = self._stores.get(once)
                if store is None:
                    made = partial(open_store, self._place, self._access, **({"retries": 0} if once else {}))
                    store = self._stores[once] = await to_thread.run_sync(made)
                    rest_at_exit()
        return store


def guarded(name: str) -> str:
    """Return a name that is inside the root.

    Raises:
        SettingsError: it is none.
    """
    if not is_key(name):
        message = f"{name[:200]!r} is no name inside the store"
        raise SettingsError(message)
    return name
