"""One HTTP/1.1 connection for plain GETs, and the answers on it; parsed by llhttp (httptools).

An answer has just the face of aiohttp's that the rest of this room looks at (`net/answer.py`), and fails with aiohttp's
exceptions, so that one table says what they mean. See `net/direct.py` for when it is used.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import aiohttp
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

#: Bytes of an answer that wait to be read before the connection is told to wait, and of a head.
MOST_WAITING, MOST_HEAD = 256 * 1024, 128 * 1024


class Reply:
    """An answer: its head, and its body as it arrives."""

    __slots__ = ("_chunks", "_connection", "_error", "_waiter", "_waiting", "complete", "headers", "status")

    def __init__(self, connection: "Connection", status: int, headers: CIMultiDict[str]) -> None:
        """Take the head."""
        self.status = status
        self.headers = headers
        #: The whole body is here, read or not.
        self.complete = False
        self._connection: Connection | None = connection
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def content(self) -> "Reply":
        """The body; it is read here."""
        return self

    @property
    def closed(self) -> bool:
        """Whether the connection was given back."""
        return self._connection is None

    def is_eof(self) -> bool:
        """Tell whether nothing more will arrive."""
        return self.complete

    def at_eof(self) -> bool:
        """Tell whether everything was read."""
        return self.complete and not self._chunks

    async def readany(self) -> bytes:
        """Return what has arrived, waiting if that is nothing; empty at the end.

        Raises:
            aiohttp.ClientError: the connection broke.
        """
        while not self._chunks:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        chunks = self._chunks
        data = chunks.popleft() if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._waiting = 0
        if self._connection is not None and not self.complete:
            self._connection.resume()
        return data

    def release(self) -> None:
        """Give the connection back; it is closed if something of the answer is still to come."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finished(whole=self.complete)

    def feed(self, data: bytes) -> bool:
        """Take a piece of the body; tell whether the sender should wait."""
        self._chunks.append(data)
        self._waiting += len(data)
        self._wake()
        return self._waiting > MOST_WAITING

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes: all is here, or the connection broke."""
        if error is None:
            self.complete = True
        else:
            self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """One connection: a request at a time. `idle` says whether it can take one."""

    def __init__(self) -> None:
        """Begin unconnected."""
        loop = asyncio.get_running_loop()
        #: Set when the connection is gone.
        self.lost: asyncio.Future[None] = loop.create_future()
        #: Something came back for the present request.
        self.heard = False
        #: Since when it waits for a request, by the loop's clock.
        self.since = loop.time()
        #: Takes the connection back when an answer was taken whole.
        self.release: Callable[[Connection], object] = _forget
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._asked: asyncio.Future[Reply] | None = None
        self._reply: Reply | None = None
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._head = 0
        self._until_close = False
        self._usable = True
        self._paused = False

    @property
    def usable(self) -> bool:
        """Whether it can take a request."""
        return self._usable and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, silence: float) -> Reply:
        """Send a request, and return the head of its answer, which is awaited no longer than `silence` seconds.

        Raises:
            aiohttp.ClientError: the connection broke, or the answer is no HTTP.
        """
        transport = self._transport
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        self.heard = False
        asked: asyncio.Future[Reply] = self._loop.create_future()
        self._asked = asked
        transport.write(request)
        timer = self._loop.call_later(silence, self._silent)
        try:
            return await asked
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._asked = None

    def resume(self) -> None:
        """Let more of the body come."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def finished(self, *, whole: bool) -> None:
        """The answer was taken. Only a connection on which nothing is left can be used again."""
        self._reply = None
        if whole and self.usable:
            # The last piece of a body may have been one too many at once: the next answer has to be heard all the same.
            self.resume()
            self.since = self._loop.time()
            self.release(self)
        else:
            self.close()

    def close(self) -> None:
        """Close it at once: nobody waits for what is still to come."""
        self._usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are no asyncio.Transport, but behave like one.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits. A body without a length ends here."""
        self._transport = None
        self._usable = False
        if not self.lost.done():
            self.lost.set_result(None)
        reply = self._reply
        if reply is not None and not reply.complete:
            if self._until_close and exc is None:
                reply.end()
            else:
                reply.end(aiohttp.ClientPayloadError("the connection was closed within the body"))
        if isinstance(exc, OSError):
            self._fail(aiohttp.ClientOSError(exc.errno, exc.strerror))
        else:
            self._fail(aiohttp.ServerDisconnectedError())

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._asked is None and (self._reply is None or self._reply.complete):
            # Nobody asked for it: the connection can't be trusted any more.
            self.close()
            return
        self.heard = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._garbled()
            return
        if self._reply is None:
            self._head += len(data)
            if self._head > MOST_HEAD:
                self._garbled()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; or of a trailer, which nobody asked for."""
        if self._reply is None:
            self._headers.add(name.decode("latin-1"), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        headers, self._headers, self._head = self._headers, CIMultiDict(), 0
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004  # RFC 9110 §15.2: interim answers precede the one that counts
            return
        self._until_close = "Content-Length" not in headers and "Transfer-Encoding" not in headers
        asked = self._asked
        if asked is None or asked.done() or self._reply is not None:
            self.close()
            return
        self._reply = Reply(self, status, headers)
        asked.set_result(self._reply)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        reply = self._reply
        # What follows a whole answer is no part of it.
        if reply is None or reply.complete:
            return
        if reply.feed(body) and self.usable and not self._paused:
            self._paused = True
            cast("asyncio.Transport", self._transport).pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        reply = self._reply
        if reply is not None:
            self._usable = self._usable and self._parser.should_keep_alive()
            reply.end()

    def _silent(self) -> None:
        self._fail(aiohttp.SocketTimeoutError("no answer"))

    def _garbled(self) -> None:
        if self._reply is not None and not self._reply.complete:
            self._reply.end(aiohttp.ClientPayloadError("the body is no HTTP"))
        self._fail(NotHttp("the answer is no HTTP"))
        self.close()

    def _fail(self, error: Exception) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(error)


def _forget(connection: Connection) -> None:
    connection.close()


class NotHttp(aiohttp.ClientPayloadError):
    """What came is no answer of HTTP/1.1."""
