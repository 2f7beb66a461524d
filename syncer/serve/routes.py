"""A row of the API's table, and how a request becomes a call and a value an answer."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from syncer.serve.problems import Refused
from syncer.serve.shapes import Nothing

#: Where the API lies.
ROOT = "/api/v1"
JSON = "application/json"

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True):
    """A request as a handler sees it: checked."""

    #: Name of the job in the path, if there is one.
    name: str | None
    query: object
    body: object

    @property
    def job(self) -> str:
        """The job in the path of a route that has one."""
        assert self.name is not None  # noqa: S101  # a route without one would be a bug of the table
        return self.name

    def asked(self, kind: type[T]) -> T:
        """Return the parameters of the query."""
        assert isinstance(self.query, kind)  # noqa: S101  # the table says which kind it is
        return self.query

    def sent(self, kind: type[T]) -> T:
        """Return the body."""
        assert isinstance(self.body, kind)  # noqa: S101  # the table says which kind it is
        return self.body


class Route(msgspec.Struct, frozen=True):
    """One operation."""

    method: str
    #: Below `ROOT`; `{job}` is the only variable.
    path: str
    #: Unique name, for clients that are made from the document.
    operation: str
    summary: str
    handler: Callable[[Call], Awaitable[object]]
    answer: Any
    status: HTTPStatus = HTTPStatus.OK
    query: type = Nothing
    #: What is sent, as JSON; None: nothing. An empty body is the same as `{}`.
    body: type | None = None

    @property
    def changing(self) -> bool:
        """Tell whether it changes anything."""
        return self.method != "GET"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        query: object = _query(request.query.items(), self.query)
        body: object = None
        if self.body is not None:
            body = await _body(request, self.body)
        value = await self.handler(Call(request.match_info.get("job"), query, body))
        encoded = msgspec.json.encode(value)
        if self.changing:
            return web.Response(status=self.status, body=encoded, content_type=JSON)
        tag = f'"{blake2b(encoded, digest_size=12).hexdigest()}"'
        if tag in [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]:
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
        return web.Response(status=self.status, body=encoded, content_type=JSON, headers={"ETag": tag})


def _query(pairs: Iterable[tuple[str, str]], kind: type[T]) -> T:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name[:80]} is given twice")
        found[name] = value
    return _checked(lambda: msgspec.convert(found, kind, strict=False))


async def _body(request: web.Request, kind: type[T]) -> T:
    data = await request.read()
    if not data:
        return _checked(lambda: msgspec.convert({}, kind))
    if request.content_type != JSON:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a body is sent as {JSON}")
    return _checked(lambda: msgspec.json.decode(data, type=kind))


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def register(app: web.Application, routes: tuple[Route, ...], document: Mapping[str, Any]) -> None:
    """Add the routes to an application, and the document that describes them."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=1)

    async def describe(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=text, content_type=JSON)

    for route in routes:
        app.router.add_route(route.method, ROOT + route.path, route.serve)
    app.router.add_get(f"{ROOT}/openapi.json", describe)
