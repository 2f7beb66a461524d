"""Downloads content: in memory while it is small, into the spool beyond; a broken body goes on where it broke.

A range is asked for only with `If-Range` and a strong validator (RFC 9110 §13.1.5), so that two versions of an object
are never glued together; without one, or where the body is encoded, a broken download starts over.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import aiohttp

from syncer.model.entries import SpooledFile
from syncer.model.running import beat
from syncer.net.answer import Answer
from syncer.net.classify import OUT_OF_RANGE, Label, Retryable, bad_body
from syncer.net.decode import ACCEPTED, Inflater, coding_of, declared_size, next_chunk, too_large
from syncer.net.pace import Bandwidth
from syncer.net.reply import Reply
from syncer.ports import Clock, Spool, SpoolWriter

#: Bytes that are gathered for one write to the spool.
GATHER = 512 * 1024
#: An attempt that brought this much counts as progress, so the next one is not its retry.
PROGRESS = 64 * 1024
#: Slowest body that is waited for, bytes per second over `limits.timeout`.
LEAST_SPEED = 1024.0
_AS_STORED = {"Accept-Encoding": "identity"}
#: What a partial answer says of itself: first byte, last byte, bytes in all.
CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)$")


class _Abandoned(Exception):
    """Tells a spool writer to remove its file; never leaves this one."""


class GrowingBody:
    """A body in the making: bytes in memory up to the spool's threshold, a spooled file beyond it."""

    __slots__ = ("_chunks", "_file", "_gathered", "_key", "_spool", "_writer", "size")

    def __init__(self, spool: Spool, key: str) -> None:
        """Take the spool and the name under which a large body lies there."""
        self._spool = spool
        self._key = key
        #: Bytes so far.
        self.size = 0
        self._chunks: list[bytes] = []
        self._gathered = 0
        self._file: AbstractAsyncContextManager[SpoolWriter] | None = None
        self._writer: SpoolWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave(kind, error, trace)

    async def append(self, chunk: bytes) -> None:
        """Add bytes."""
        self._chunks.append(chunk)
        self._gathered += len(chunk)
        self.size += len(chunk)
        if self._writer is None:
            if self.size <= self._spool.threshold:
                return
            self._file = self._spool.writer(self._key)
            self._writer = await self._file.__aenter__()
        if self._gathered >= GATHER:
            await self._flush(self._writer)

    def fill(self, reply: Reply) -> bool:
        """Take a whole body that stays in memory; tell whether it was taken."""
        if self.size or reply.size > self._spool.threshold:
            return False
        self.size = reply.size
        self._chunks.append(reply.taken())
        return True

    async def reset(self) -> None:
        """Start over."""
        if self._writer is None and not self.size:
            return
        self._chunks.clear()
        self._gathered = self.size = 0
        abandoned = _Abandoned()
        await self._leave(_Abandoned, abandoned, None)

    async def finish(self) -> bytes | SpooledFile:
        """Return the complete body."""
        if self._writer is None:
            return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        await self._flush(self._writer)
        return await self._writer.finish()

    async def _flush(self, writer: SpoolWriter) -> None:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._gathered = 0
        if data:
            await writer.write(data)

    async def _leave(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file, self._file, self._writer = self._file, None, None
        if file is None:
            return
        try:
            await file.__aexit__(kind, error, trace)
        except _Abandoned:
            return


class Download:
    """The receiver of one content body; `receive` tells whether the body is complete."""

    def __init__(
        self, body: GrowingBody, limit: int, timeout: aiohttp.ClientTimeout, *, silence: float, patience: float,
        clock: Clock, bandwidth: Bandwidth | None, compressed: bool = False,
    ) -> None:  # fmt: skip
        """Take the largest accepted size, and how many seconds a silent and a crawling body are waited for."""
        self.size = 0
        self.timeout = timeout
        self._body = body
        self._limit = limit
        self._silence, self._patience = silence, patience
        self._clock = clock
        self._bandwidth = bandwidth
        #: What is asked for while nothing is kept.
        self._wish = {"Accept-Encoding": ACCEPTED} if compressed else _AS_STORED
        self._validator: str | None = None
        self._total: int | None = None
        self._kept = 0

    def headers(self) -> Mapping[str, str] | None:
        """Ask for the bytes as they are stored, and only for the rest where a first part is kept."""
        self._kept = self._body.size
        if not self._kept or self._validator is None:
            return self._wish
        return {**_AS_STORED, "Range": f"bytes={self._kept}-", "If-Range": self._validator}

    def whole(self, response: Reply) -> bool | None:
        """Take a small document of which all is here, as nearly all are; None: look at it more closely."""
        if response.coded or self._validator is not None or self._bandwidth is not None:
            return None
        size = response.size
        if size > self._limit or not self._body.fill(response):
            return None
        self.size = size
        return True

    async def receive(self, response: Answer, _url: str, label: Label) -> bool:
        """Read an answer to its end. False: it was a part, and the rest has to be asked for.

        Raises:
            TooLarge: the body is larger than the limit.
            Retryable: it broke, or is not what was asked for.
        """
        if response.status == 206:  # noqa: PLR2004  # RFC 9110 §15.3.7: partial content
            await self._continue(response, label)
        else:
            await self._begin(response)
        if self._total is not None and self._total > self._limit:
            raise too_large(label, self._limit)
        coding = coding_of(response.headers)
        await self._read(response, Inflater(coding, label) if coding is not None else None, label)
        if coding is not None or self._total is None:
            return True
        if self._body.size > self._total:
            await self._start_over()
            raise bad_body(label, f"{self._body.size:,} bytes came where {self._total:,} were declared")
        if self._body.size == self._kept and self._kept < self._total:
            raise bad_body(label, "the server sends empty parts")
        return self._body.size == self._total

    def failed(self, failure: Retryable) -> None:
        """Keep what arrived; it counts as progress if a range can go on from it."""
        if failure.status == OUT_OF_RANGE:
            self._validator = None
        failure.progress = self._validator is not None and self._body.size - self._kept >= PROGRESS

    async def _begin(self, response: Answer) -> None:
        await self._start_over()
        headers = response.headers
        if coding_of(headers) is not None:
            return
        self._total = declared_size(headers)
        if headers.get("Accept-Ranges", "bytes").strip().lower() != "none":
            self._validator = strong_validator(headers)

    async def _continue(self, response: Answer, label: Label) -> None:
        found = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        start = int(found[1]) if found else -1
        total = int(found[3]) if found and found[3] != "*" else self._total
        fits = self._validator is not None and start == self._kept > 0 and (self._total is None or total == self._total)
        if not fits or coding_of(response.headers) is not None:
            await self._start_over()
            raise bad_body(label, "the server sent another part than the one asked for", status=response.status)
        self._total = total

    async def _start_over(self) -> None:
        self._kept = 0
        self._validator = self._total = None
        await self._body.reset()

    async def _read(self, response: Answer, inflater: Inflater | None, label: Label) -> None:
        content, body = response.content, self._body
        started, held = self._clock.monotonic(), 0.0
        while chunk := await next_chunk(content, self._silence):
            beat()
            self.size += len(chunk)
            waits = self._clock.monotonic()
            for piece in (chunk,) if inflater is None else inflater.feed(chunk):
                if body.size + len(piece) > self._limit:
                    raise too_large(label, self._limit)
                await body.append(piece)
            if self._bandwidth is not None:
                await self._bandwidth.spend(len(chunk))
            now = self._clock.monotonic()
            # Time that we spent ourselves, on the disk or for the bandwidth limit, is not the server's.
            held += now - waits
            spent = now - started - held
            if spent > self._patience and self.size < spent * LEAST_SPEED:
                raise bad_body(label, f"the body crawls: {self.size:,} bytes in {spent:.0f} s")
        if inflater is not None:
            inflater.finish()


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """Return what tells one version of an object from every other; None if nothing does."""
    tag = headers.get("ETag")
    if tag is not None and tag.startswith('"'):
        return tag
    return headers.get("Last-Modified") if tag is None else None
