"""The emulated Clarifai at the far end of a simulated network: the real limits and retries, on virtual time."""

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from yarl import URL

from syncer.model.events import Event
from syncer.net.client import Client
from syncer.net.guard import Guard
from syncer.net.policy import Policy
from syncer.ports import Selection, Tools
from syncer.sources.clarifai import PLUGIN
from tests.emulators.clarifai import Asked, ClarifaiPlatform
from tests.support.clock import SimulatedClock
from tests.support.mirror import Mirror
from tests.support.scratch import MemorySpool

URL_OF_IT = "https://clarifai.example"


class _Content:
    """A body that has arrived."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def is_eof(self) -> bool:
        return True

    def at_eof(self) -> bool:
        return True

    async def readany(self) -> bytes:
        body, self._body = self._body, b""
        return body


@dataclass(slots=True)
class _Answered:
    """An answer, as far as the stack looks at it."""

    status: int
    headers: Mapping[str, str]
    content: _Content
    closed: bool = True


@dataclass(slots=True)
class Network:
    """A session, and what holds it; half of the latency passes on each way."""

    platform: ClarifaiPlatform
    clock: SimulatedClock
    latency: float
    #: Each way takes up to so much longer.
    jitter: float
    dice: random.Random

    @property
    def own(self) -> "Network":
        """The session."""
        return self

    content = own

    def proxy_for(self, url: URL) -> URL | None:
        """Return no proxy."""
        return None

    async def request(self, method: str, url: URL, *, headers: Mapping[str, str], **more: Any) -> _Answered:
        """Send a request."""
        await self.clock.sleep(self.latency / 2 + self.dice.uniform(0, self.jitter))
        body = json.loads(json.dumps(more.get("json")))
        asked = Asked(method, url.path, list(url.query.items()), body)
        answer = self.platform.answer(asked, headers.get("Authorization", ""))
        await self.clock.sleep(self.latency / 2 + self.dice.uniform(0, self.jitter))
        assert answer is not None
        said = {**answer.headers, "Content-Type": answer.media_type}
        return _Answered(answer.status, said, _Content(answer.body))


@asynccontextmanager
async def simulated(
    platform: ClarifaiPlatform,
    clock: SimulatedClock,
    *,
    latency: float = 0.1,
    jitter: float = 0.0,
    events: list[Event],
    **options: Any,
) -> AsyncIterator[Mirror]:
    """Yield an empty mirror of the app `cars`; whoever uses it lets the clock run."""
    settings = PLUGIN.options(url=URL_OF_IT, token=platform.key, user="acme", **options)
    network = settings.network()
    far: Any = Network(platform, clock, latency, jitter, random.Random(7))
    http = Client(network, Policy(network, Guard(network), far, clock, events.append), clock, MemorySpool())
    source = PLUGIN.create(settings, http, Tools("clarifai", clock, events.append))
    # The key is read in a thread, of which virtual time knows nothing.
    await source._api.auth.headers()  # type: ignore[attr-defined]
    found = []

    async def select() -> None:
        found.extend([each async for each in source.partitions(Selection(projects=("cars",)))])

    await clock.run(select())
    platform.log.clear()
    yield Mirror(source, found[0])
