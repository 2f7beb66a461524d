"""A very small HTTP/1.1 server on raw protocols: a request costs it microseconds, so that clients are the limit.

It knows just enough for test platforms: GET, JSON bodies of POST and DELETE, keep-alive, late and torn answers.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast
from urllib.parse import parse_qsl

_REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request",
            401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 416: "Range Not Satisfiable",
            429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


class Asked(NamedTuple):
    """One request. Header names are lower case; nothing is decoded before somebody asks."""

    method: str
    path: str
    query: str
    head: bytes
    body: bytes

    def header(self, name: bytes) -> str | None:
        """Return one header, None if it was not sent."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip().decode("latin-1")
        return None

    def params(self) -> dict[str, str]:
        """Return the decoded query."""
        return dict(parse_qsl(self.query))


@dataclass(slots=True)
class Reply:
    """One answer, complete with its head."""

    data: bytes
    #: Seconds to wait before it is sent.
    delay: float = 0.0
    #: Send only so many bytes, then close the connection; 0: reset it without an answer.
    keep: int | None = None


Handler = Callable[[Asked], Reply]


def reply(
    status: int, body: bytes = b"", media: str = "application/json", headers: Mapping[str, str] | None = None
) -> Reply:
    """Return an answer with a length."""
    head = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Type: {media}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return Reply("\r\n".join([*head, "", ""]).encode() + body)


class LeanHttp(asyncio.Protocol):
    """One connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are no asyncio.Transport, but behave like one.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop an answer that is late."""
        self._transport = None
        if self._waiting is not None:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer every complete request, one after the other."""
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while self._waiting is None and self._transport is not None:
            asked = self._next()
            if asked is None:
                return
            answer = self._handler(asked)
            if answer.delay:
                loop = asyncio.get_running_loop()
                self._waiting = loop.call_later(answer.delay, self._late, answer)
            else:
                self._send(answer)

    def _next(self) -> Asked | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head, length = self._buffer[:end], 0
        if not head.startswith(b"GET"):
            place = head.lower().find(b"content-length:")
            length = int(head[place + 15 :].partition(b"\r\n")[0]) if place >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return None
        body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
        method, target, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ")
        path, _, query = target.partition("?")
        return Asked(method, path, query, head, body)

    def _late(self, answer: Reply) -> None:
        self._waiting = None
        self._send(answer)
        self._work()

    def _send(self, answer: Reply) -> None:
        transport = self._transport
        if transport is None:
            return
        if answer.keep is None:
            transport.write(answer.data)
        elif answer.keep:
            transport.write(answer.data[: answer.keep])
            transport.close()
        else:
            raw: socket.socket = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()


async def listen(handler: Handler, port: int = 0, *, shared: bool = False) -> asyncio.Server:
    """Listen on 127.0.0.1; `shared` lets several processes listen on one port."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: LeanHttp(handler), "127.0.0.1", port, backlog=1024, reuse_port=shared or None
    )


def port_of(server: asyncio.Server) -> int:
    """Return the port that a server listens on."""
    port: int = server.sockets[0].getsockname()[1]
    return port
