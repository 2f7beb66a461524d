"""Files of tasks, opened: by their addresses where a listing told them, else through the data of their tasks."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import anyio
import msgspec
from msgspec.structs import replace

from syncer.model.entries import Body, SpooledFile
from syncer.model.errors import (
    BadBody,
    Forbidden,
    HttpError,
    ItemFailed,
    PartitionGone,
    TooLarge,
    Unauthorized,
)
from syncer.model.refs import AnnotationRef
from syncer.net.ahead import in_order
from syncer.net.classify import OUT_OF_RANGE
from syncer.net.resume import CONTENT_RANGE
from syncer.ports import Request
from syncer.sources.label_studio.files import request_for, task_of
from syncer.sources.label_studio.server import Server

#: References of one call of `open` where files are among them: each may be some megabytes.
BATCH = 8
#: Answers whoever has a token that is good.
WHOAMI = "/api/current-user/whoami"
#: Bytes of an answer to a question for one byte: more is the whole file.
PROBE = 64 << 10


class Media(msgspec.Struct, frozen=True):
    """The files of one server's tasks."""

    server: Server
    #: For messages.
    origin: str

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Yield one file or failure for each reference, a few side by side."""
        jobs = (partial(self._open, ref) for ref in refs)
        async with aclosing(in_order(jobs, self.server.options.read_ahead)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _open(self, ref: AnnotationRef) -> Body | ItemFailed:
        try:
            found = ref if ref.hint else await self._found(ref)
            return await self._fetched(found) if isinstance(found, AnnotationRef) else found
        except (HttpError, PartitionGone) as error:
            return ItemFailed(ref.key, str(error), origin=self.origin)

    async def _found(self, ref: AnnotationRef) -> AnnotationRef | ItemFailed:
        """Return a file as its task names it today."""
        reader = await self.server.reader(ref.key.project, "task")
        reader = replace(reader, files=self.server.files())
        rows = await self.server.lean(reader).among([int(task_of(ref.key.item))])
        for row in rows:
            if row.broken is not None:
                return ItemFailed(ref.key, row.broken, origin=self.origin)
            for file in row.files:
                if file.key == ref.key:
                    return file
            if any(item.key == ref.key for item in row.lost):
                return ItemFailed(ref.key, "its task is not finished any more", origin=self.origin, gone=True)
        return ItemFailed(ref.key, "its task does not name it any more", origin=self.origin, gone=True)

    async def _fetched(self, ref: AnnotationRef) -> Body | ItemFailed:
        api, key = self.server.api, ref.key
        request = request_for(ref.hint or "", task_of(key.item), api.url, api.auth)
        try:
            data = await api.http.download(request, key.canonical())
        except (Unauthorized, Forbidden) as error:
            if isinstance(error, Unauthorized) and request.auth is not None:
                # Said by the server of the token, or by a storage behind it of this file: the server itself knows.
                await api.get(WHOAMI)
            return ItemFailed(key, str(error), origin=self.origin)
        size, told = len(data) if isinstance(data, bytes) else data.size, await self._told(request)
        if told is not None and size != told:
            if isinstance(data, SpooledFile):
                await anyio.Path(data.path).unlink(missing_ok=True)
            return ItemFailed(key, f"it broke off: {size:,} bytes came of {told:,}", origin=self.origin)
        return Body(replace(ref, inline=None, hint=None), data, ref.media_type, ref.version)

    async def _told(self, request: Request) -> int | None:
        """Return the size of a file that the server serves itself; None if it does not say.

        It sends such a file without a length: one that breaks off looks like a shorter one. A part of it, of one
        byte, says how long the whole is.
        """
        if request.auth is None or request.params:
            return None
        try:
            part = await self.server.api.http.fetch(
                replace(request, headers={"Range": "bytes=0-0", "Accept-Encoding": "identity"}, max_bytes=PROBE)
            )
        except TooLarge:
            # A server without ranges sends all of it.
            return None
        except BadBody as error:
            if error.status != OUT_OF_RANGE:
                raise
            # Only an empty file has no first byte.
            return 0
        found = CONTENT_RANGE.match(next((v for k, v in part.headers.items() if k.lower() == "content-range"), ""))
        return int(found[3]) if found is not None and found[3] != "*" else None
