"""Small servers on 127.0.0.1 that misbehave on purpose: aiohttp applications, and raw ones that write bytes as told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Served:
    """A running server: where it is, and what it was asked."""

    url: str
    requests: list[web.Request] = field(default_factory=list)

    @property
    def port(self) -> int:
        """The port that the system chose."""
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def serving(
    handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Served]:
    """Answer every request on a free port with one handler; requests are noted in order."""
    served = Served("")

    async def note(request: web.BaseRequest) -> web.StreamResponse:
        served.requests.append(request)  # type: ignore[arg-type]  # a low-level server has no web.Request
        return await handler(request)  # type: ignore[arg-type]  # same

    runner = web.ServerRunner(web.Server(note), shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    try:
        port = runner.addresses[0][1]
        served.url = f"{'https' if tls else 'http'}://{host}:{port}"
        yield served
    finally:
        await runner.cleanup()


def in_turn(*answers: web.Response | int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer requests in this order; a number is a status without a body; the last one stays."""
    left = list(answers)

    async def handler(_request: web.Request) -> web.StreamResponse:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    return handler


@dataclass
class Script:
    """A raw server: the head of each request it got, and what it does with the next."""

    url: str
    heads: list[str] = field(default_factory=list)

    def header(self, index: int, name: str) -> str | None:
        """Return one header of one request, None if it had none."""
        for line in self.heads[index].split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


Raw = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_serving(answer: Raw) -> AsyncIterator[Script]:
    """Give every request's head and the connection to `answer`, which writes and may cut; one request a connection."""
    script = Script("")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            script.heads.append(head)
            await answer(head, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield script


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection with a TCP reset instead of an orderly end."""
    writer.transport.abort()


@asynccontextmanager
async def proxying(seen: list[str]) -> AsyncIterator[str]:
    """Run an HTTP proxy (CONNECT and absolute URLs); yield its URL. `seen` gets request lines and proxy credentials."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *headers = head.decode("latin-1").split("\r\n")
        seen.append(line)
        seen.extend(text for text in headers if text.lower().startswith("proxy-authorization:"))
        method, target, _ = line.split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            host, _, port = target.split("/")[2].rpartition(":")
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
            there_writer.write(head)
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
