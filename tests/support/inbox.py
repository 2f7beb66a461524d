"""Somebody who is told of runs: a server that keeps what it gets, and answers as told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from tests.support.servers import Served, serving


@dataclass
class Inbox:
    """What came, in order: headers and bytes of each attempt."""

    served: Served
    came: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    #: One entry an attempt, to be waited for.
    bell: "asyncio.Queue[None]" = field(default_factory=asyncio.Queue)

    @property
    def reports(self) -> list[Any]:
        """The reports of the attempts."""
        return [orjson.loads(body)["data"] for _, body in self.came]


@asynccontextmanager
async def inbox(*answers: int) -> AsyncIterator[Inbox]:
    """Answer with these statuses in order, the last one stays; 204 by default."""
    left = list(answers or (204,))

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        box.came.append((dict(request.headers), await request.read()))
        box.bell.put_nowait(None)
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0])

    async with serving(take) as served:
        box = Inbox(served)
        yield box
