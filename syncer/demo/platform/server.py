"""An embedded Label Studio on a free port of this machine, in this process or (`python -m`) in one of its own.

What it answers was compared with Label Studio 1.23.2 (tests/integration/test_emulator_faithful.py).
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from types import TracebackType
from typing import Self

import anyio
from aiohttp import web

from syncer.demo.platform.auth import ACCESS_LIFETIME, Auth
from syncer.demo.platform.edges import seed_edges
from syncer.demo.platform.faults import Faults
from syncer.demo.platform.projects import Project
from syncer.demo.platform.seeds import Mix
from syncer.demo.platform.site import Site, Traffic
from syncer.demo.platform.store import Store
from syncer.demo.platform.wire import Wire

#: Seconds that open requests get when the server is stopped.
_GRACE = 0.5

#: Title of the project that is made where the caller only says how many tasks there are.
TITLE = "Street scenes"


class LabelStudioPlatform:
    """The server. Enter it to listen; its parts may be used before, while and after it does.

    `store` holds the data and changes it, `faults` makes trouble, `traffic` counts requests, `auth` gives tokens.
    """

    def __init__(
        self,
        tasks: int = 0,
        *,
        mix: Mix | None = None,
        boxes: int = 4,
        token: str | None = None,
        lifetime: float = ACCESS_LIFETIME,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Take how many tasks the first project has (0: no project), what they are like, and what time it is."""
        self.store = Store(now)
        self.auth = Auth(token=token, lifetime=lifetime)
        self.site = Site(self.store, self.auth)
        self._address = (host, port)
        self._runner: web.ServerRunner | None = None
        self.url = ""
        if tasks:
            self.store.generate(self.store.create_project(TITLE), tasks, mix=mix, boxes=boxes)

    @property
    def faults(self) -> Faults:
        """Trouble to switch on and off."""
        return self.site.faults

    @property
    def traffic(self) -> Traffic:
        """What was asked so far."""
        return self.site.traffic

    @property
    def token(self) -> str:
        """The legacy token."""
        return self.auth.token

    @property
    def project(self) -> Project:
        """The first project."""
        return next(iter(self.store.projects.values()))

    def pat(self) -> str:
        """Give a personal access token."""
        return self.auth.create_pat(self.store.now())

    async def __aenter__(self) -> Self:
        server = web.Server(Wire(self.site).serve, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_GRACE)
        await self._runner.setup()
        host, port = self._address
        await web.TCPSite(self._runner, host, port, backlog=1024).start()
        bound = self._runner.addresses[0]
        # A server that is entered again listens where its clients know it.
        self._address = (host, bound[1])
        self.url = f"http://{host}:{bound[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


async def serve(platform: LabelStudioPlatform, *, with_parent: bool = False) -> None:
    """Listen, print one JSON line with `url`, `token`, `pat` and `projects`, and go on until SIGTERM, SIGINT.

    `with_parent`: also until standard input closes, so that the server never outlives who started it.
    """
    async with platform, anyio.create_task_group() as tasks:
        tasks.start_soon(until_signal, tasks.cancel_scope)
        if with_parent:
            tasks.start_soon(until_end_of_input, tasks.cancel_scope)
        line = {
            "url": platform.url,
            "token": platform.token,
            "pat": platform.pat(),
            "projects": {str(number): project.title for number, project in platform.store.projects.items()},
            "pid": os.getpid(),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


async def until_signal(scope: anyio.CancelScope) -> None:
    """Cancel a scope at SIGTERM and SIGINT."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()


async def until_end_of_input(scope: anyio.CancelScope) -> None:
    """Cancel a scope when standard input closes: whoever started this process ended."""
    end = sys.stdin.fileno()
    while True:
        await anyio.wait_readable(end)
        if not os.read(end, 4096):
            scope.cancel()
            return


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a server in this process."""
    parser = argparse.ArgumentParser(prog="python -m syncer.demo.platform", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--tasks", type=int, default=0, help="tasks of each project, made from their numbers")
    parser.add_argument("--projects", type=int, default=1, help="how many projects have them")
    parser.add_argument("--boxes", type=int, default=4, help="boxes of an annotation, about 230 bytes each")
    parser.add_argument("--finished", action="store_true", help="every task has exactly one finished annotation")
    parser.add_argument("--edges", action="store_true", help="one more project with every odd document")
    parser.add_argument("--token", help="the legacy token")
    parser.add_argument("--lifetime", type=float, default=ACCESS_LIFETIME, help="seconds that access tokens live")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to wait before every answer")
    parser.add_argument("--rate", type=float, default=0.0, help="429 above so many requests a second")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input closes")
    options = parser.parse_args(arguments)
    platform = LabelStudioPlatform(token=options.token, lifetime=options.lifetime, port=options.port)
    for number in range(options.projects if options.tasks else 0):
        project = platform.store.create_project(f"{TITLE} {number + 1}" if options.projects > 1 else TITLE)
        mix = Mix.finished() if options.finished else None
        platform.store.generate(project, options.tasks, mix=mix, boxes=options.boxes)
    if options.edges:
        seed_edges(platform.store, platform.store.create_project("Edges"))
    if options.latency:
        platform.faults.latency(options.latency)
    if options.rate:
        platform.faults.rate(options.rate)
    backend = {"use_uvloop": _uvloop_installed()}

    async def run() -> None:
        await serve(platform, with_parent=options.with_parent)

    anyio.run(run, backend_options=backend)


def _uvloop_installed() -> bool:
    return find_spec("uvloop") is not None
