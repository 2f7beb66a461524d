"""The emulated Clarifai without a network: for proofs that need thousands of requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from syncer.model.entries import SpooledFile
from syncer.model.errors import Forbidden, HttpError, NotFound, Rejected, Unauthorized, Unavailable
from syncer.model.events import Event
from syncer.ports import Meaning, Request, Response, Selection, Tools
from syncer.sources.clarifai import PLUGIN
from tests.emulators.clarifai import Asked, ClarifaiPlatform
from tests.support.clock import InstantClock
from tests.support.mirror import Mirror

_ERRORS: Mapping[Meaning, type[HttpError]] = {
    Meaning.UNAUTHORIZED: Unauthorized,
    Meaning.FORBIDDEN: Forbidden,
    Meaning.MISSING: NotFound,
    Meaning.REJECTED: Rejected,
}


class Ticking:
    """A clock of the platform that moves on a little whenever it is looked at."""

    def __init__(self, step: float = 0.05) -> None:
        """Take the seconds from one look to the next."""
        self.moment = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self._step = timedelta(seconds=step)

    def __call__(self) -> datetime:
        """Return the time."""
        self.moment += self._step
        return self.moment


class DirectHttp:
    """Hands requests to the platform; what it refuses becomes the error that the real client would raise."""

    def __init__(self, platform: ClarifaiPlatform) -> None:
        """Take the platform, which need not listen."""
        self._platform = platform

    async def fetch(self, request: Request) -> Response:
        """Return the whole answer."""
        headers = dict(await request.auth.headers()) if request.auth else {}
        path = unquote(urlsplit(request.url).path)
        answer = self._platform.answer(
            Asked(request.method, path, list(request.params), request.json), headers.get("Authorization", "")
        )
        await asyncio.sleep(0)
        assert answer is not None
        judgement = request.judge(answer.status, answer.body) if request.judge else None
        if judgement is not None or answer.status >= 300:
            kind = _ERRORS.get(judgement.meaning, Unavailable) if judgement is not None else Unavailable
            raise kind(f"answered {answer.status}", status=answer.status, body=answer.body)
        return Response(answer.status, {}, answer.body, request.url, parsedate_to_datetime(answer.headers["Date"]))

    async def download(self, request: Request, key: str) -> bytes | SpooledFile:
        """Return a body."""
        return (await self.fetch(request)).body

    async def download_parts(
        self, request: Request, key: str, renew: Callable[[], Awaitable[str]],
        check: Callable[[Path], str | None] | None = None,
    ) -> bytes | SpooledFile:  # fmt: skip
        """Return a body in one piece: this platform has none that is larger."""
        return await self.download(request, key)


@asynccontextmanager
async def direct(
    platform: ClarifaiPlatform, batches: tuple[str, ...] = (), *, events: list[Event] | None = None, **options: Any
) -> AsyncIterator[Mirror]:
    """Yield an empty mirror of the app `cars`, or of one batch of it."""
    settings = PLUGIN.options(url="https://clarifai.example", token=platform.key, **{"user": "acme", **options})
    said = [] if events is None else events
    source = PLUGIN.create(settings, DirectHttp(platform), Tools("clarifai", InstantClock(), said.append))
    select = Selection(projects=("cars",), batches=batches)
    (partition,) = [found async for found in source.partitions(select)]
    platform.log.clear()
    yield Mirror(source, partition)
