"""Reads bodies within bounds: codings are undone step by step, so that a small answer can't become a huge one."""

import asyncio
import zlib
from collections.abc import Iterator, Mapping

import aiohttp
import anyio.to_thread

from syncer.model.errors import TooLarge
from syncer.model.running import beat
from syncer.net.answer import Answer, Content
from syncer.net.classify import KEPT_BODY, NETWORK_ERRORS, Label, Retryable, bad_body
from syncer.net.pace import Bandwidth

#: What we accept; others are not asked for.
ACCEPTED = "gzip, deflate"
#: Most bytes that one step of decompression yields.
STEP = 1024 * 1024
#: Compressed bodies above this are undone in a thread.
INLINE = 64 * 1024

_GZIP, _ZLIB, _RAW = 31, 15, -15


class Inflater:
    """Undoes one gzip or deflate coding of a body that arrives in pieces."""

    def __init__(self, coding: str, label: Label) -> None:
        """Take the coding's name.

        Raises:
            Retryable: it is none that we asked for.
        """
        if coding not in {"gzip", "x-gzip", "deflate"}:
            raise bad_body(label, f"the answer is encoded as {coding[:40]!r}, which was not asked for")
        self._gzip = coding != "deflate"
        self._label = label
        self._stream: zlib._Decompress | None = None
        self._fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what a piece decompresses to, at most `STEP` bytes at a time.

        Raises:
            Retryable: it is damaged.
        """
        while data:
            if self._stream is None:
                self._stream = zlib.decompressobj(self._window(data))
            self._fed = True
            try:
                out = self._stream.decompress(data, STEP)
                while out:
                    yield out
                    out = self._stream.decompress(self._stream.unconsumed_tail, STEP)
            except zlib.error:
                raise bad_body(self._label, "the compressed body is damaged") from None
            # RFC 1952 §2.2: members follow each other. Padding behind the last one is left out.
            data = self._stream.unused_data if self._gzip and self._stream.unused_data[:2] == b"\x1f\x8b" else b""
            if data:
                self._stream = None

    def finish(self) -> None:
        """Check that the coded stream has reached its end.

        Raises:
            Retryable: it was cut short.
        """
        if self._fed and (self._stream is None or not self._stream.eof):
            raise bad_body(self._label, "the compressed body was cut short")

    def _window(self, data: bytes) -> int:
        if self._gzip:
            return _GZIP
        # RFC 9110 §8.4.1.2 means zlib's wrapper; some servers send the bare stream.
        return _ZLIB if data[0] & 0x0F == 8 else _RAW  # noqa: PLR2004  # RFC 1950: method 8


def coding_of(headers: Mapping[str, str]) -> str | None:
    """Return the content coding of an answer, None where there is none."""
    coding = headers.get("Content-Encoding")
    if coding is None:
        return None
    coding = coding.strip().lower()
    return None if coding in {"", "identity"} else coding


def declared_size(headers: Mapping[str, str]) -> int | None:
    """Return `Content-Length`, None where it is absent or no number."""
    length = headers.get("Content-Length")
    return int(length) if length is not None and length.isdecimal() else None


async def next_chunk(content: Content, silence: float) -> bytes:
    """Return what has arrived of a body, waiting for it no longer than `silence` seconds; empty at its end.

    Raises:
        TimeoutError: nothing came.
        aiohttp.ClientError: the body broke.
    """
    if content.is_eof():
        return await content.readany()
    try:
        # A malformed chunk makes the library close the connection without waking, or failing, whoever reads.
        async with asyncio.timeout(silence):
            return await content.readany()
    except RuntimeError:
        message = "closed"
        raise aiohttp.ClientPayloadError(message) from None


async def read_body(
    response: Answer, limit: int, label: Label, *, silence: float, bandwidth: Bandwidth | None
) -> bytes:
    """Return the whole decoded body; `silence` is the longest wait for more of it, in seconds.

    Raises:
        TooLarge: it is, or would become, larger than `limit` bytes.
        Retryable: its coding is damaged or cut short.
    """
    headers, content = response.headers, response.content
    data = await next_chunk(content, silence)
    coding = coding_of(headers)
    if not content.at_eof() or bandwidth is not None or len(data) > limit:
        size = declared_size(headers)
        if size is not None and size > limit:
            raise too_large(label, limit)
        data = await _read_on(data, content, limit, label, silence, bandwidth)
    if coding is None:
        return data
    if len(data) <= INLINE:
        return inflate(data, coding, limit, label)
    return await anyio.to_thread.run_sync(inflate, data, coding, limit, label)


async def _read_on(
    data: bytes,
    content: Content,
    limit: int,
    label: Label,
    silence: float,
    bandwidth: Bandwidth | None,
) -> bytes:
    chunks, total = [], 0
    while data:
        beat()
        chunks.append(data)
        total += len(data)
        if total > limit:
            raise too_large(label, limit)
        if bandwidth is not None:
            await bandwidth.spend(len(data))
        data = await next_chunk(content, silence)
    return b"".join(chunks)


def inflate(data: bytes, coding: str, limit: int, label: Label) -> bytes:
    """Return a decoded body; raises as `read_body` does."""
    inflater = Inflater(coding, label)
    chunks: list[bytes] = []
    total = 0
    for chunk in inflater.feed(data):
        total += len(chunk)
        if total > limit:
            raise too_large(label, limit)
        chunks.append(chunk)
    inflater.finish()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def first_bytes(response: Answer, silence: float) -> bytes:
    """Return the beginning of an error's body, as far as it can be read; what is left of it is not waited for."""
    try:
        data = await next_chunk(response.content, silence)
        while len(data) < KEPT_BODY and (more := await next_chunk(response.content, silence)):
            data += more
    except NETWORK_ERRORS:
        return b""
    coding = coding_of(response.headers)
    if coding is None:
        return data[:KEPT_BODY]
    try:
        return next(Inflater(coding, Label("", "")).feed(data), b"")[:KEPT_BODY]
    except Retryable:
        return b""


def too_large(label: Label, limit: int) -> TooLarge:
    """Return the error for a body above a limit."""
    return TooLarge(
        f"{label}: the body is larger than {limit:,} bytes",
        hint="raise limits.max_body (API answers) or limits.max_item (content) if that size is meant",
    )
