"""Both origins on free ports of this machine."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.emulators.kognic.auth import Auth
from tests.emulators.kognic.documents import openlabel
from tests.emulators.kognic.faults import Faults
from tests.emulators.kognic.routes import KOGNIC, Route, Table
from tests.emulators.kognic.site import Habits, Site, Traffic
from tests.emulators.kognic.wire import Wire
from tests.emulators.kognic.world import Annotation, Batch, Input, World

PROJECT, BATCH, TYPE = "highway", "batch-1", "object-detection"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

#: Seconds that open requests get when the server is stopped.
_GRACE = 0.2


class _Counted(web.Server):
    """A server that counts its connections."""

    def __init__(self, handler: Handler, origin: str, traffic: Traffic) -> None:
        super().__init__(handler, access_log=None)
        self._origin = origin
        self._traffic = traffic

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count one more."""
        self._traffic.connections[self._origin] += 1
        super().connection_made(handler, transport)


class KognicPlatform:
    """The platform: all services on `url`, documents on `storage_url`. Enter it to listen.

    `world` holds the data and changes it, `habits` says how the server behaves, `auth` gives tokens, `faults` makes
    trouble, `traffic` counts; all may be used before, while and after it listens.
    """

    routes: tuple[Route, ...] = KOGNIC

    def __init__(
        self, annotations: int = 0, *, world: World | None = None, lifetime: float = 3600.0, **habits: Any
    ) -> None:
        """Take how many annotations one batch has, seconds that tokens live, and fields of `Habits`."""
        self.world = world or World()
        self.auth = Auth(lifetime=lifetime)
        self.habits = Habits(**habits)
        self.site = Site(self.world, self.auth, self.habits)
        self.url = self.storage_url = ""
        self._ports = [0, 0]
        self._runners: list[web.ServerRunner] = []
        if annotations:
            self.seed(annotations)

    @property
    def faults(self) -> Faults:
        """Trouble to switch on and off."""
        return self.site.faults

    @property
    def traffic(self) -> Traffic:
        """What was asked so far."""
        return self.site.traffic

    # --------------------------------------------------------------------------------------- the world, in short

    def seed(self, annotations: int, project: str = PROJECT, batch: str = BATCH, kind: str = TYPE) -> list[Input]:
        """Make a request with so many finished inputs; return them."""
        request = self.world.request(project, batch, kind)
        made = [self.world.add(request) for _ in range(annotations)]
        for each in made:
            self.world.finish(each)
        return made

    def vary(self) -> None:
        """Give every delivered annotation cuboids of its own, as real ones have: they compress as real ones do."""
        for row in self.world.delivered.values():
            row.body = openlabel(row, self.habits.size, seed=row.number)

    @property
    def inputs(self) -> list[Input]:
        """All inputs, in order."""
        return list(self.world.inputs.values())

    def batch(self, name: str = BATCH, project: str = PROJECT) -> Batch:
        """Return a batch."""
        return self.world.projects[project].batches[name]

    def document(self, annotation: Annotation | None, *, iso: bool = False) -> bytes:
        """Return the bytes that an annotation's link serves."""
        assert annotation is not None, "there is no annotation"
        return openlabel(annotation, self.habits.size, iso=iso)

    def documents(self, *, iso: bool = False) -> dict[str, bytes]:
        """Return the document of every delivered annotation by UUID of its scene."""
        return {row.input.scene.uuid: self.document(row, iso=iso) for row in self.world.delivered.values()}

    def credentials(self, path: Path, **more: object) -> Path:
        """Write a credentials file; `more` replaces or (None) leaves out keys."""
        path.write_text(self.auth.credentials(**more))
        return path

    # --------------------------------------------------------------------------------------- listening

    async def __aenter__(self) -> Self:
        wire = Wire(self.site, Table(self.routes))
        bound = []
        for place, (origin, handler) in enumerate((("api", wire.api), ("storage", wire.storage))):
            runner = web.ServerRunner(_Counted(handler, origin, self.traffic), shutdown_timeout=_GRACE)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._ports[place], backlog=1024).start()
            self._runners.append(runner)
            # A platform that is entered again listens where its clients know it.
            self._ports[place] = runner.addresses[0][1]
            bound.append(f"http://127.0.0.1:{self._ports[place]}")
        self.url, self.storage_url = bound
        self.site.storage_url = self.storage_url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
