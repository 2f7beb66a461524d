"""One HTTP/1.1 connection for plain GETs, parsed by llhttp (httptools).

It fails with aiohttp's exceptions, so that one table says what they mean. See `net/direct.py` for when it is used.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import aiohttp
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from syncer.net.reply import MOST_WAITING, Reply

#: Bytes of a head, at most.
MOST_HEAD = 128 * 1024
#: Bodies up to this are waited for together with their head: whoever asked wakes up once. One that made the connection
#: wait for its reader would never be whole.
SMALL = MOST_WAITING


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
        self._fields: list[tuple[bytes, bytes]] = []
        self._head = 0
        self._until_close = False
        self._usable = True
        self._paused = False

    @property
    def usable(self) -> bool:
        """Whether it can take a request."""
        return self._usable and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, silence: float) -> Reply:
        """Send a request, and return its answer, which is awaited no longer than `silence` seconds.

        Of a small one everything is there, unless the server dawdles or breaks it off; else the head is.

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
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        fields, self._fields, self._head = self._fields, [], 0
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004  # RFC 9110 §15.2: interim answers precede the one that counts
            return
        named = {name.lower(): value for name, value in fields}
        length = named.get(b"content-length")
        self._until_close = length is None and b"transfer-encoding" not in named
        asked = self._asked
        if asked is None or asked.done() or self._reply is not None:
            self.close()
            return
        self._reply = Reply(self, status, fields, coded=b"content-encoding" in named)
        # The parser took it, so it is a number.
        if length is None or int(length) > SMALL:
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
            if self._asked is not None and not self._asked.done():
                self._asked.set_result(reply)

    def _silent(self) -> None:
        self._fail(aiohttp.SocketTimeoutError("no answer"))

    def _garbled(self) -> None:
        if self._reply is not None and not self._reply.complete:
            self._reply.end(aiohttp.ClientPayloadError("the body is no HTTP"))
        self._fail(NotHttp("the answer is no HTTP"))
        self.close()

    def _fail(self, error: Exception) -> None:
        if self._asked is not None and not self._asked.done():
            if self._reply is None:
                self._asked.set_exception(error)
            else:
                # Its head is there; whoever reads the body finds out what became of that.
                self._asked.set_result(self._reply)


def _forget(connection: Connection) -> None:
    connection.close()


class NotHttp(aiohttp.ClientPayloadError):
    """What came is no answer of HTTP/1.1."""
