"""Bodies on their way into a bucket: whole, or in parts that are given up in an orderly way."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import obstore
from anyio import CancelScope, to_thread

from syncer.blobs.bandwidth import Bandwidth
from syncer.blobs.clouds import Store
from syncer.blobs.sizes import SINGLE
from syncer.model.entries import SpooledFile
from syncer.model.errors import SyncerError
from syncer.model.running import running

#: Larger bodies under way at a time, of one store: each holds some parts in memory.
LARGE = 2
#: Bytes of a part; ten thousand parts are the most that S3 takes, so larger files have larger parts.
_PART = 8 << 20
_MOST_PARTS = 9000
#: Parts in flight of one body.
_PARTS = 4
#: Bytes read from a file by one hop.
_CHUNK = 1 << 20


class _GivenUp(Exception):  # named by what happened
    """The upload is not wanted any more; the client library aborts it when its body ends in an error."""


async def upload(
    store: Store, name: str, body: bytes | SpooledFile, attributes: dict[str, str], bandwidth: Bandwidth,
    still: Callable[[], Awaitable[None]] | None = None,
) -> str:  # fmt: skip
    """Write one object, however large; return its tag. `still` is asked before the last bytes of parts are sent.

    A cancelled upload in parts is aborted before the cancellation goes on: its parts would stay, invisible and paid
    for.

    Raises:
        OSError: a spooled file is not as long as it was.
    """
    size = len(body) if isinstance(body, bytes) else body.size
    if size <= SINGLE:
        await bandwidth.take(size)
        data = body if isinstance(body, bytes) else await to_thread.run_sync(_whole, body)
        return tag_of(await obstore.put_async(store, name, data, attributes=attributes, use_multipart=False))
    chunks = _Chunks(body, bandwidth, still)
    part = max(_PART, -(-size // _MOST_PARTS))
    sending = asyncio.ensure_future(
        obstore.put_async(
            store, name, chunks.read(), attributes=attributes, use_multipart=True, chunk_size=part,
            max_concurrency=_PARTS,
        )
    )  # fmt: skip
    try:
        return tag_of(await asyncio.shield(sending))
    except asyncio.CancelledError:
        chunks.wanted = False
        with CancelScope(shield=True):
            await asyncio.wait([sending])
        # Whatever came of it, nobody waits for it any more.
        if not sending.cancelled():
            sending.exception()
        raise
    except Exception:
        if chunks.refused is not None:
            raise chunks.refused from None
        raise


def tag_of(found: Any) -> str:  # noqa: ANN401  # the library's typed dictionaries of results and of listings
    """Return the evidence that an object was not replaced; an ETag is the same in every answer that names one."""
    tag = found["e_tag"] or found["version"]
    return str(tag).strip('"').removeprefix('W/"')


class _Chunks:
    """The bytes of a body in pieces, until nobody wants them."""

    def __init__(
        self, body: bytes | SpooledFile, bandwidth: Bandwidth, still: Callable[[], Awaitable[None]] | None
    ) -> None:
        self.wanted = True
        #: Why it was given up in the end.
        self.refused: SyncerError | None = None
        self._still = still
        self._body, self._bandwidth = body, bandwidth
        # The client library reads from wherever it likes: whose upload it is, is known here.
        self._run = running()

    async def read(self) -> AsyncIterator[bytes]:
        if isinstance(self._body, bytes):
            for start in range(0, len(self._body), _CHUNK):
                yield await self._checked(self._body[start : start + _CHUNK])
            await self._end()
            return
        sent = 0
        file = await to_thread.run_sync(self._body.path.open, "rb")
        try:
            while chunk := await to_thread.run_sync(file.read, _CHUNK):
                sent += len(chunk)
                yield await self._checked(chunk)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(file.close)
        if sent != self._body.size:
            raise _short(self._body.path, sent, self._body.size)
        await self._end()

    async def _end(self) -> None:
        try:
            if self._still is not None:
                await self._still()
        except SyncerError as error:
            self.refused = error
            raise

    async def _checked(self, chunk: bytes) -> bytes:
        await self._bandwidth.take(len(chunk))
        if not self.wanted:
            raise _GivenUp
        if self._run is not None:
            self._run.pulse.beats += 1
        return chunk


def _whole(file: SpooledFile) -> bytes:
    data = file.path.read_bytes()
    if len(data) != file.size:
        raise _short(file.path, len(data), file.size)
    return data


def _short(path: Path, found: int, size: int) -> OSError:
    return OSError(errno.EIO, f"{path.name} was cut short: {found:,} of {size:,} bytes")
