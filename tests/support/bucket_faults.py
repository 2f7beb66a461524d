"""A gateway in front of an object store that fails on purpose: refusals, resets, writes that are done unanswered."""

import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

#: Headers that belong to one connection.
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})


@dataclass
class Fault:
    """What happens to requests that match, so many times; None: until it is taken away."""

    #: Status of the answer; 0: the connection is reset.
    status: int = 503
    code: str = "SlowDown"
    times: int | None = None
    methods: str = "GET PUT POST DELETE HEAD"
    #: Searched in the path with its query.
    path: str = ""
    #: Matching requests that go through first.
    after: int = 0
    #: The store does what it was asked before the answer is lost.
    done: bool = False
    struck: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Tell whether it happens to this request, and count."""
        if method not in self.methods.split() or re.search(self.path, path) is None:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True


@dataclass
class Gateway:
    """Where clients connect; what they asked; what goes wrong."""

    backend: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    #: Method and path with its query, in order.
    requests: list[str] = field(default_factory=list)
    #: The headers of each.
    headers: list[Mapping[str, str]] = field(default_factory=list)
    #: The most requests that were under way at a time.
    most: int = 0
    #: Called with each request before it is passed on.
    seen: Callable[[str], None] = lambda _: None
    #: Waited for with each request before it is passed on.
    held: Callable[[str], Awaitable[None]] | None = None
    _now: int = 0
    _session: aiohttp.ClientSession | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Pass one request on, or let it fail."""
        self.requests.append(f"{request.method} {request.path_qs}")
        self.headers.append(request.headers)
        self.seen(self.requests[-1])
        if self.held is not None:
            await self.held(self.requests[-1])
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            return await self._answered(request)
        finally:
            self._now -= 1

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()  # without the limit of `request.read`
        for fault in self.faults:
            if fault.strikes(request.method, request.path_qs):
                if fault.done:
                    await self._passed_on(request, body)
                return self._failed(request, fault)
        return await self._passed_on(request, body)

    def _failed(self, request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
        if not fault.status:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # nobody is there to get it
        text = f'<?xml version="1.0"?><Error><Code>{fault.code}</Code><Message>as told</Message></Error>'
        whole = "" if request.method == "HEAD" else text
        return web.Response(status=fault.status, text=whole, content_type="application/xml")

    async def _passed_on(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        assert self._session is not None
        # The Host header is part of what was signed: it stays as the client wrote it.
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = URL(f"{self.backend}{request.raw_path}", encoded=True)
        async with self._session.request(
            request.method, url, headers=headers, data=io.BytesIO(body) if body else None, allow_redirects=False
        ) as found:
            data = await found.read()
            kept = {name: value for name, value in found.headers.items() if name.lower() not in _HOP}
            if request.method == "HEAD":
                kept["Content-Length"] = found.headers.get("Content-Length", "0")
                return web.Response(status=found.status, headers=kept)
            return web.Response(status=found.status, headers=kept, body=data)


@asynccontextmanager
async def gateway(backend: str) -> AsyncIterator[Gateway]:
    """Listen on a free port for an object store."""
    made = Gateway(backend)
    runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1, access_log=None)
    async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        made._session = session
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield made
        finally:
            await runner.cleanup()
