"""The listener of people and programs: the page, the API and hooks, put together in this one place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
from aiohttp import web

from syncer.model.errors import SettingsError
from syncer.model.events import Emit, Warned
from syncer.ports import Clock, Control, Overview
from syncer.serve.api import Api
from syncer.serve.attempts import Attempts
from syncer.serve.board import Board
from syncer.serve.files import load_assets
from syncer.serve.gate import Gate
from syncer.serve.hooks import Hooks
from syncer.serve.login import Login
from syncer.serve.openapi import describe
from syncer.serve.origins import Origins
from syncer.serve.routes import register
from syncer.serve.sessions import Sessions, cookie_name
from syncer.serve.visit import Visit
from syncer.settings.daemon import UiOptions

#: Largest body that is read, and longest line and header of a request.
MAX_BODY, MAX_LINE = 256 * 1024, 8 * 1024
#: Seconds that requests in flight get when the listener ends.
_FAREWELL = 1.0


@asynccontextmanager
async def open_ui(
    overview: Overview, control: Control, options: UiOptions, clock: Clock, emit: Emit
) -> AsyncIterator[str | None]:
    """Serve the page, the API and hooks while the block runs; yield where (None: it is switched off).

    Raises:
        SettingsError: the address can't be listened on.
    """
    if not options.enabled:
        yield None
        return
    origins = Origins((options.address, *options.hosts), loopback=options.loopback)
    gate = Gate(options.token, origins, Sessions(clock), Attempts(clock), emit)
    board = Board(overview, clock, emit)
    hooks = Hooks(overview, control, gate, options.hook_secret, clock, emit)
    app = web.Application(middlewares=[gate.pass_through], client_max_size=MAX_BODY)
    assets = await anyio.to_thread.run_sync(load_assets)
    visit, login = Visit(overview, control, board, gate, assets), Login(gate, assets)
    api = Api(overview, control).routes()
    register(app, api, describe(api, overview.version))
    app.router.add_get("/", visit.show)
    app.router.add_get("/events", visit.events, allow_head=False)
    app.router.add_get("/assets/{name}", visit.asset)
    app.router.add_post("/jobs/{job}/{action:trigger|pause|resume|retry}", visit.act)
    app.router.add_get("/login", login.show)
    app.router.add_post("/login", login.enter)
    app.router.add_post("/logout", login.leave)
    app.router.add_post("/hooks/{platform}", hooks.receive)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=_FAREWELL,
        max_line_size=MAX_LINE, max_field_size=MAX_LINE,
    )  # fmt: skip
    await runner.setup()
    tasks: list[asyncio.Task[None]] = []
    try:
        url = await _listen(runner, options, gate)
        # No task group: what goes wrong with looking never ends what is looked at.
        tasks += [asyncio.create_task(work) for work in (board.watch(), hooks.pass_on())]
        for task in tasks:
            task.add_done_callback(partial(_ended, emit))
        yield url
    finally:
        board.close()
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
            if tasks:
                await asyncio.wait(tasks)


def _ended(emit: Emit, task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        emit(Warned(f"the page is no longer kept up to date: {type(error).__name__}: {error}"))


async def _listen(runner: web.AppRunner, options: UiOptions, gate: Gate) -> str:
    site = web.TCPSite(runner, options.address, options.port)
    try:
        await site.start()
    except OSError as error:
        message = f"serve.ui: can't listen on {options.address}, port {options.port}: {error.strerror}"
        raise SettingsError(message, hint="free the port, choose another, or switch the page off") from error
    port = runner.addresses[0][1]
    gate.cookie = cookie_name(port)
    host = f"[{options.address}]" if ":" in options.address else options.address
    return f"http://{host}:{port}/"
