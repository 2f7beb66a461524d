"""The listener of supervisors: probes of this process, and its metrics.

Answers come from what this process knows of itself: no platform, no destination and no database is asked for one, so
that one that is away neither restarts the daemon nor slows a scrape. Connections serve one request each and end soon,
whatever the other side does.
"""

import asyncio
import errno
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from syncer.model.errors import NotNow, PermissionRefused, SettingsError, SyncerError
from syncer.model.events import Emit, Warned
from syncer.net.redact import redact_text
from syncer.observe.exposition import Exposition
from syncer.observe.metrics import Metrics
from syncer.ports import Clock, Health, Overview
from syncer.serve.probes import alive, checked, looked, ready
from syncer.settings.daemon import OpsOptions

#: Connections at once; a supervisor and a few scrapers need a handful.
MOST = 64
#: Seconds from a connection to its end: Prometheus gives a scrape ten.
LONGEST = 15.0
#: Seconds to wait for the daemon's word on itself.
PATIENCE = 2.0
#: Seconds between two looks at jobs and platforms.
LOOK = 5.0
#: Seconds between two looks at the fleet, which each of its workers takes.
FLEET = 15.0

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": "syncer"}


@asynccontextmanager
async def open_ops(
    overview: Overview, metrics: Metrics, options: OpsOptions, *, clock: Clock, emit: Emit
) -> AsyncIterator[str | None]:
    """Listen while the block runs; gives the URL that it listens on, None if that is switched off.

    Metrics follow what the daemon says of its jobs and platforms.

    Raises on entering:
        NotNow: another process has the port.
        SettingsError, PermissionRefused: the address is not one of this machine, or the port not ours to take.
    """
    if not options.enabled:
        yield None
        return
    server = _Server(Ops(overview, metrics, emit))
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, options.address, options.port).start()
        except OSError as error:
            raise _refused(options, error) from error
        async with anyio.create_task_group() as group:
            group.start_soon(_follow, overview, metrics, clock, emit)
            group.start_soon(_follow_fleet, overview, metrics, clock, emit)
            yield _url(*runner.addresses[0][:2])
            group.cancel_scope.cancel()
    finally:
        await runner.cleanup()


class Ops:
    """Answers requests."""

    def __init__(self, overview: Overview, metrics: Metrics, emit: Emit) -> None:
        """Take what is shown."""
        self._overview = overview
        self._metrics = metrics
        self._emit = emit
        self._exposition = Exposition()
        self._started = False
        self._paths: Mapping[str, Callable[[web.BaseRequest], Awaitable[web.Response]]] = {
            "/livez": self._livez, "/readyz": self._readyz, "/startupz": self._startupz, "/metrics": self._scrape,
        }  # fmt: skip

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer one."""
        handler = self._paths.get(request.path)
        if handler is None:
            response = _text(404, "there is /livez, /readyz, /startupz and /metrics")
        elif request.method not in {"GET", "HEAD"}:
            response = _text(405, "read only")
            response.headers["Allow"] = "GET, HEAD"
        else:
            try:
                response = await handler(request)
            except Exception as error:  # noqa: BLE001  # a bug here is told, and ends one request, not the daemon
                self._emit(Warned(f"{request.path} could not be answered: {type(error).__name__}: {error}"))
                response = _text(500, "this is a bug in syncer; its log says more")
        response.force_close()
        return response

    async def _livez(self, _request: web.BaseRequest) -> web.Response:
        problems = alive(await self._health())
        return _text(503, "\n".join(problems)) if problems else _text(200, "alive")

    async def _readyz(self, request: web.BaseRequest) -> web.Response:
        health = await self._health()
        problems = ready(health)
        if "verbose" not in request.query:
            return _text(503, "\n".join(problems)) if problems else _text(200, "ready")
        lines = checked(health, problems)
        try:
            with anyio.fail_after(PATIENCE):
                lines += looked(await self._overview.jobs(), await self._overview.platforms())
        except (SyncerError, TimeoutError) as error:
            lines.append(f"[-] jobs and platforms could not be looked at: {str(error) or 'no answer in time'}")
        lines.append("readyz check failed" if problems else "readyz check passed")
        return _text(503 if problems else 200, "\n".join(lines))

    async def _startupz(self, _request: web.BaseRequest) -> web.Response:
        """Answer as `/readyz` until that was well once: draining is no reason to start over."""
        problems = () if self._started else ready(await self._health())
        self._started = not problems
        return _text(503, "\n".join(problems)) if problems else _text(200, "started")

    async def _scrape(self, request: web.BaseRequest) -> web.Response:
        families = list(self._metrics.collect())
        accept = ",".join(request.headers.getall("Accept", ()))
        packed = "gzip" in request.headers.get("Accept-Encoding", "")

        def written() -> tuple[bytes, str]:
            body, media_type = self._exposition.text(families, accept)
            return gzip.compress(body, 1) if packed else body, media_type

        body, media_type = await anyio.to_thread.run_sync(written)
        headers = {**_HEADERS, "Content-Type": media_type, "Vary": "Accept, Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def _health(self) -> Health | None:
        """Return how the daemon says that it is; None if it does not say so in time."""
        with anyio.move_on_after(PATIENCE):
            return await self._overview.health()
        return None


class _Server(web.Server):
    """Bounds connections in number and time; what a stranger sends is not worth a log line."""

    def __init__(self, handler: Ops) -> None:
        # A logger outside of the tree: malformed requests are the sender's business, bugs are told as events.
        quiet = logging.Logger("syncer.serve.ops", logging.CRITICAL + 1)  # noqa: LOG001
        super().__init__(
            handler, access_log=None, logger=quiet, keepalive_timeout=LONGEST, lingering_time=0.0,
            max_line_size=2048, max_headers=64, read_bufsize=16 * 1024,
        )  # fmt: skip
        self._ends: dict[RequestHandler, asyncio.TimerHandle] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Let one more in, for a while."""
        super().connection_made(handler, transport)
        if len(self._ends) >= MOST:
            transport.abort()
            return
        self._ends[handler] = asyncio.get_running_loop().call_later(LONGEST, transport.abort)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget one."""
        timer = self._ends.pop(handler, None)
        if timer is not None:
            timer.cancel()
        super().connection_lost(handler, exc)


async def _follow(overview: Overview, metrics: Metrics, clock: Clock, emit: Emit) -> None:
    """Show in metrics what the daemon says of its jobs and platforms, whenever that changes."""

    async def look() -> None:
        try:
            metrics.show(await overview.jobs(), await overview.platforms())
        except SyncerError as error:
            # The state is away: what was known stays, and ages.
            emit(Warned(f"metrics: jobs and platforms could not be looked at: {error}"))
        await clock.sleep(LOOK)

    await look()
    async for _ in overview.changes():
        await look()


async def _follow_fleet(overview: Overview, metrics: Metrics, clock: Clock, emit: Emit) -> None:
    """Show in metrics how the fleet stands. What others do rings no bell here, so it is looked at again and again."""
    told = False
    while True:
        try:
            view = await overview.fleet()
        except SyncerError as error:
            # Figures of others that age would be wrong: none are shown until the state is back.
            metrics.fleet.show(None)
            if not told:
                emit(Warned(f"metrics: the fleet could not be looked at: {error}"))
            told = True
        else:
            metrics.fleet.show(view)
            if view is None:
                return
            told = False
        await clock.sleep(FLEET)


def _text(status: int, text: str) -> web.Response:
    headers = {**_HEADERS, "Content-Type": "text/plain; charset=utf-8"}
    return web.Response(status=status, body=f"{redact_text(text)}\n".encode(), headers=headers)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(options: OpsOptions, error: OSError) -> SyncerError:
    where = f"serve.ops: {_url(options.address, options.port).removeprefix('http://')}"
    if error.errno == errno.EADDRINUSE:
        return NotNow(
            f"{where} is taken by another process",
            hint="is a daemon running already? Stop it, or choose another serve.ops.port",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return PermissionRefused(
            f"{where} may not be listened on by this user", hint="choose a serve.ops.port from 1024 on"
        )
    return SettingsError(
        f"{where} can't be listened on: {error.strerror or error}", hint="serve.ops.address has to be of this machine"
    )
