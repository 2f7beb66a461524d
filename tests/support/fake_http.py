"""An `Http` without a network: routes answer with JSON, bytes or errors, and every request is noted."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from syncer.model.entries import SpooledFile
from syncer.model.errors import Forbidden, HttpError, NotFound, Rejected, Unauthorized, Unavailable
from syncer.ports import Request, Response

#: What a route may answer with: a JSON value, bytes, a whole response, or an error to raise.
Reply = object
Route = Callable[[Request], Reply]

_ERRORS: Mapping[int, type[HttpError]] = {401: Unauthorized, 403: Forbidden, 404: NotFound}


def refusal(status: int, body: object = b"") -> HttpError:
    """Return the error that the real client raises for a status."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = _ERRORS.get(status, Unavailable if status >= 500 else Rejected)
    return kind(f"the server answered {status}", status=status, body=content)


@dataclass
class FakeHttp:
    """Answers by method and path; credentials are attached and renewed as the real client does it."""

    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    date: datetime | None = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    #: Requests in order, and the credential of each.
    requests: list[Request] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)

    def on(self, path: str, reply: Reply, method: str = "GET") -> None:
        """Answer a path with a value, or with what a function makes of the request."""
        self.routes[method, path] = reply if callable(reply) else lambda _: reply

    async def fetch(self, request: Request) -> Response:
        """Return the whole answer."""
        headers = dict(await request.auth.headers()) if request.auth else {}
        try:
            return self._answer(request, headers)
        except Unauthorized:
            if request.auth is None or not await request.auth.renew(headers):
                raise
        return self._answer(request, dict(await request.auth.headers()))

    async def download(self, request: Request, key: str) -> bytes | SpooledFile:
        """Return a body; a link of the moment is asked for as the real client does it."""
        if request.link is not None:
            request = replace(request, url=await request.link())
        return (await self.fetch(request)).body

    async def download_parts(
        self, request: Request, key: str, renew: Callable[[], Awaitable[str]],
        check: Callable[[Path], str | None] | None = None,
    ) -> bytes | SpooledFile:  # fmt: skip
        """Return a body in one piece; links do not lapse here, and nothing is checked in memory."""
        return await self.download(request, key)

    def paths(self) -> list[str]:
        """Return method and path of each request so far."""
        return [f"{request.method} {urlsplit(request.url).path}" for request in self.requests]

    def _answer(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.requests.append(request)
        self.credentials.append(headers.get("Authorization", ""))
        route = self.routes.get((request.method, urlsplit(request.url).path))
        reply = refusal(404, {"detail": "Not found."}) if route is None else route(request)
        if isinstance(reply, HttpError):
            raise reply
        if isinstance(reply, Response):
            return reply
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        return Response(200, {}, body, request.url, self.date)
