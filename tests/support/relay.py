"""A relay in front of a server: keeps its address while the server behind it stops and starts, and counts requests."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")


@dataclass
class Relay:
    """Where clients connect, what they asked for, and where it is passed on to."""

    url: str = ""
    #: Port of the server; None: nobody is there.
    backend: int | None = None
    #: Method and path with its query, in order.
    requests: list[str] = field(default_factory=list)
    #: Called with the number of requests so far, before the newest is passed on.
    seen: Callable[[int], None] = lambda _: None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def to(self, url: str) -> None:
        """Pass on to another server."""
        self.backend = int(url.rpartition(":")[2])

    def cut(self) -> None:
        """Let go of everybody, and of the server."""
        self.backend = None
        for writer in self._open:
            writer.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        if self.backend is None:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.backend)
        except ConnectionError:
            writer.transport.abort()
            return
        mine = {writer, there_writer}
        self._open |= mine
        try:
            await asyncio.gather(self._pump(reader, there_writer, note=True), self._pump(there_reader, writer))
        finally:
            self._open -= mine

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool = False) -> None:
        try:
            while data := await reader.read(65536):
                # A client sends each request in one piece, and its body never looks like another one.
                for method, path in _REQUEST.findall(data) if note else ():
                    self.requests.append(f"{method.decode()} {path.decode()}")
                    self.seen(len(self.requests))
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def relaying(url: str) -> AsyncIterator[Relay]:
    """Listen on a free port for a server."""
    relay = Relay()
    relay.to(url)
    server = await asyncio.start_server(relay.connected, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        relay.cut()
