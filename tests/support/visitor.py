"""A visitor of the daemon's page and API: the real listener on a free port, before a desk that runs nothing."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from multidict import CIMultiDict

from syncer.model.events import Event, Warned
from syncer.serve.ui import open_ui
from syncer.settings.daemon import UiOptions
from tests.support.clock import RealClock
from tests.support.desk import NOW, Desk, lively

#: What visitors have to show, where anything is to be shown.
TOKEN = "correct horse battery staple"
SECRET = "a secret of hooks"


class DeskClock(RealClock):
    """Steady seconds as they are and can be moved; the wall clock stands where the desk's does."""

    def __init__(self) -> None:
        """Begin now."""
        self.ahead = 0.0

    def now(self) -> Any:
        """Return the moment of the desk."""
        return NOW

    def monotonic(self) -> float:
        """Return real seconds, and those that a test let pass."""
        return super().monotonic() + self.ahead


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.text)


@dataclass
class Visitor:
    """Somebody with an HTTP client."""

    url: str
    desk: Desk
    clock: DeskClock
    session: aiohttp.ClientSession
    events: list[Event] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """The origin of the page."""
        return self.url.rstrip("/")

    @property
    def warnings(self) -> list[str]:
        """What the daemon's log was told."""
        return [event.message for event in self.events if isinstance(event, Warned)]

    async def get(self, path: str, **headers: str) -> Answer:
        """Ask for something."""
        return await self.send("GET", path, **headers)

    async def post(self, path: str, data: Any = None, **headers: str) -> Answer:
        """Send something, as a page of ours would."""
        return await self.send("POST", path, data, **{"Origin": self.origin, **headers})

    async def send(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        """Send one request; names of headers with `_` for `-`, an empty one is left out."""
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value}
        async with self.session.request(
            method, self.origin + path, data=data, headers=sent, allow_redirects=False
        ) as answer:
            return Answer(answer.status, CIMultiDict(answer.headers), await answer.text())


@asynccontextmanager
async def visiting(
    desk: Desk | None = None, *, token: str | None = None, hook_secret: str | None = None, **options: Any
) -> AsyncIterator[Visitor]:
    """Open the listener before a desk, `lively` by default, and visit it."""
    desk, clock, events = desk or lively(), DeskClock(), list[Event]()
    chosen = UiOptions.model_validate({"port": 0, "token": token, "hook_secret": hook_secret, **options})
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        open_ui(desk, desk, chosen, clock, events.append) as url,
        aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(30)) as session,
    ):
        assert url is not None
        yield Visitor(url, desk, clock, session, events)
