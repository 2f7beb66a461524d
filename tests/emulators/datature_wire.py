"""Paths and pages of the emulated Datature."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from aiohttp import web

_JSON = "application/json"

_ROUTES: tuple[tuple[str, str], ...] = (
    ("workspace", ""),
    ("datasets", "/(?:datasets|simpleDatasets)"),
    ("dataset", "/datasets/([^/]+)"),
    ("assets", "/datasets/([^/]+)/assets"),
    ("count", "/datasets/([^/]+)/assets:count"),
    ("asset", "/datasets/([^/]+)/assets/([^/]+)"),
    ("annotations", "/datasets/([^/]+)/assets/([^/]+)/annotations"),
    ("annotation", "/datasets/([^/]+)/assets/([^/]+)/annotations/([^/]+)"),
    ("with_objects", "/datasets/([^/]+)/assetsWithObjects"),
    ("folders", "/datasets/([^/]+)/folders"),
    ("children", "/datasets/([^/]+)/folders/([^/]+)/children"),
    ("sessions", "/datasets/([^/]+)/annotationImportSessions"),
    ("exports", "/datasets/([^/]+)/datasetExports"),
    ("export", "/datasets/([^/]+)/datasetExports/([^/]+)"),
)
_PATTERNS = tuple((name, re.compile(f"^/workspaces/([^/]+){path}$")) for name, path in _ROUTES)

T = TypeVar("T")


class Named(Protocol):
    """What has an id."""

    @property
    def id(self) -> str:
        """The id."""


def id_of(named: Named) -> str:
    """Return the id of anything that has one."""
    return named.id


def page_of(
    query: Mapping[str, str], most: int, rows: Iterable[T], name: Callable[[T], str], render: Callable[[T], bytes]
) -> bytes:
    """Return one page; the token names the last row that was served, as a search by keys does it."""
    size = min(int(query.get("s", 10)), most)
    every, start = list(rows), 0
    if token := query.get("p"):
        last = base64.urlsafe_b64decode(token).decode()
        start = next((place for place, row in enumerate(every) if name(row) > last), len(every))
    chosen = every[start : start + size]
    body = b'{"items":[%b]' % b",".join(render(row) for row in chosen)
    if start + size < len(every):
        body += b',"nextPage":"%b"' % base64.urlsafe_b64encode(name(chosen[-1]).encode())
    return body + b"}"


def route_of(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of a path's route and the names in it."""
    for name, pattern in _PATTERNS:
        if match := pattern.match(path):
            return name, tuple(match.groups())
    return "", ()


async def cut(request: web.BaseRequest, part: bytes, whole: int) -> web.StreamResponse:
    """Promise a whole body, send a part of it, and drop the connection."""
    response = web.StreamResponse(headers={"Content-Type": _JSON, "Content-Length": str(whole)})
    await response.prepare(request)
    await response.write(part)
    assert request.transport is not None
    request.transport.abort()
    return response
