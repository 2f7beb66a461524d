"""The hot path: GETs of content, without credentials, codings and proxy, on connections of our own.

aiohttp spends some 85 µs of CPU on a request whose answer is 8 kB; most of it serves cookies, redirects, traces and
codings, none of which such a request has. This way takes a fifth of that. Everything that decides stays where it is
for all requests: addresses are settled by the same guarded resolver and used as it returned them, TLS by the same
context, limits, retries, redirects and bounds above.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping

import aiohappyeyeballs
import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict
from yarl import URL

from syncer.net import addresses
from syncer.net.conversation import Connection
from syncer.net.guard import host_of
from syncer.net.reply import Reply

#: Seconds after which a second address is tried beside the first (RFC 8305 §5).
_HEAD_START = 0.25


class Direct:
    """Connections to one origin, used again as long as both sides keep them."""

    def __init__(
        self, url: URL, tls: ssl.SSLContext | None, resolver: AbstractResolver, head: Mapping[str, str],
        *, connect_timeout: float, keep: float,
    ) -> None:  # fmt: skip
        """Take the origin (of any URL of it), what every request says, and how long idle connections are kept.

        `tls` None: plain http. `keep` is in seconds, and also how long addresses are remembered.
        """
        self._host = host_of(url)
        self._port = url.port or 0
        self._tls = tls
        self._resolver = resolver
        self._connect_timeout = connect_timeout
        self._keep = keep
        self._first = {"Host": url.host_port_subcomponent or "", **head}
        #: The last request's own headers, which are the same for nearly all, and the lines that came of them.
        self._own: Mapping[str, str] | None = None
        self._lines = _fields(self._first, {})
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._found: list[ResolveResult] = []
        self._stale = 0.0
        self._looking = asyncio.Lock()

    async def get(self, target: str, headers: Mapping[str, str] | None, silence: float) -> Reply:
        """Return the head of an answer to a GET of a path with its query; whoever takes it releases it.

        `headers` are beside, or instead of, those that every request has. `silence`: seconds without any answer.

        Raises:
            aiohttp.ClientError: there is none, in the terms of the HTTP library.
            Unsafe: the host's address may not be connected to.
        """
        if headers is not self._own:
            self._lines = _fields(self._first, headers or {})
            self._own = headers
        request = f"GET {target} HTTP/1.1\r\n{self._lines}".encode("latin-1")
        while True:
            connection = self._take()
            used = connection is not None
            if connection is None:
                connection = await self._connect()
            try:
                return await connection.ask(request, silence)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # Closed by the server while it was idle: nobody's failure, and a GET can be sent again.
                if not used or connection.heard:
                    raise

    async def close(self) -> None:
        """Close all connections, and wait until they are gone."""
        lost = [connection.lost for connection in self._open]
        for connection in list(self._open):
            connection.close()
        if lost:
            await asyncio.wait(lost)

    def _take(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            # The one used last is the likeliest to be alive.
            connection = self._idle.pop()
            if connection.usable and now - connection.since < self._keep:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        key = ConnectionKey(self._host, self._port, self._tls is not None, ssl=True, proxy=None, proxy_auth=None,
                            proxy_headers_hash=None)  # fmt: skip
        name = self._host if self._tls is not None else None
        try:
            async with asyncio.timeout(self._connect_timeout):
                found = await self._addresses(key)
                plain = await aiohappyeyeballs.start_connection(
                    [_address(each) for each in found], happy_eyeballs_delay=_HEAD_START, interleave=1, loop=loop
                )
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                try:
                    _, connection = await loop.create_connection(Connection, sock=plain, ssl=self._tls,
                                                                 server_hostname=name)  # fmt: skip
                except BaseException:
                    plain.close()
                    raise
        except aiohttp.ClientConnectorDNSError:
            raise
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        except ssl.CertificateError as error:
            raise aiohttp.ClientConnectorCertificateError(key, error) from None
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(key, error) from None
        except OSError as error:
            raise aiohttp.ClientConnectorError(key, error) from None
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._open.discard(connection))
        connection.release = self._idle.append
        return connection

    async def _addresses(self, key: ConnectionKey) -> list[ResolveResult]:
        if addresses.parse(self._host) is not None:
            # Its guard was the check of the URL.
            return [_literal(self._host.strip("[]"), self._port)]
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if not self._found or now >= self._stale:
                try:
                    self._found = await self._resolver.resolve(self._host, self._port, socket.AF_UNSPEC)
                except OSError as error:
                    raise aiohttp.ClientConnectorDNSError(key, error) from None
                self._stale = now + self._keep
            return self._found


def _literal(host: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return ResolveResult(
        hostname=host, host=host, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )


def _address(found: ResolveResult) -> aiohappyeyeballs.AddrInfoType:
    host, port = found["host"], found["port"]
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


def _fields(first: Mapping[str, str], own: Mapping[str, str]) -> str:
    """Return the lines of a head, with the empty one behind them.

    Raises:
        ValueError: a line break stands in one.
    """
    headers = CIMultiDict(first)
    headers.update(own)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        message = "a line break in a header"
        raise ValueError(message)
    return "\r\n".join([*lines, "", ""])
