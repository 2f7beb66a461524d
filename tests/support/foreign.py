"""Somebody else's web server: serves files, and remembers what it was shown."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Foreign:
    """A server on another origin than the platform."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    #: Status and JSON instead of files.
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    #: Requests that carried a credential or a cookie.
    leaked: int = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.asked[request.path] += 1
        self.leaked += any(name in request.headers for name in ("Authorization", "X-Api-Key", "Cookie"))
        if request.path in self.refused:
            status, text = self.refused[request.path]
            return web.Response(status=status, text=text, content_type="application/json")
        found = self.files.get(request.path)
        return web.Response(status=404) if found is None else web.Response(body=found)


@asynccontextmanager
async def foreign_server(**files: bytes) -> AsyncIterator[Foreign]:
    """Serve files by their names until the end."""
    server = Foreign(files={f"/{name}": data for name, data in files.items()})
    runner = web.ServerRunner(web.Server(server.answer, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
