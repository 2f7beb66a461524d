"""What platforms send: a hint that something changed, never the truth. Polling finds out what it was."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from syncer.model.errors import SyncerError
from syncer.model.events import Emit, Warned
from syncer.model.secret import Secret
from syncer.ports import Clock, Control, Overview
from syncer.serve.gate import Gate
from syncer.serve.problems import Refused
from syncer.serve.sessions import bearer

#: Seconds between two hints about the same: an import of thousands of labels sends thousands of webhooks.
REST = 1.0
#: Projects of which hints wait at once; beyond that a hint is about the platform as a whole.
WAITING = 256
#: Longest name of a project that is passed on.
_LONGEST = 200


class Hooks:
    """Handlers of `/hooks/…`. A webhook is answered at once; its hint is passed on by `pass_on`."""

    def __init__(
        self, overview: Overview, control: Control, gate: Gate, secret: Secret | None, clock: Clock, emit: Emit
    ) -> None:
        """Take whom to ask; without a secret there are no hooks."""
        self._overview = overview
        self._control = control
        self._gate = gate
        self._secret = secret
        self._clock = clock
        self._emit = emit
        self._waiting: dict[tuple[str, str | None], None] = {}
        self._came = asyncio.Event()

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Take a webhook of a platform: of the one with this name, else of all of this type."""
        if self._secret is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no hooks: serve.ui.hook_secret is not set")
        said = bearer(request) or request.headers.get("X-Secret") or ""
        if not await self._gate.shows(self._secret, request, said):
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "the hook's secret is needed, as `Authorization: Bearer` or `X-Secret`",
                WWW_Authenticate='Bearer realm="syncer hooks"',
            )  # fmt: skip
        names = await self._platforms(request.match_info["platform"])
        project = await _project(request)
        for name in names:
            full = len(self._waiting) >= WAITING
            self._waiting[name, None if full else project] = None
        self._came.set()
        return web.Response(status=HTTPStatus.ACCEPTED)

    async def pass_on(self) -> None:
        """Pass hints on until cancelled: at once, then what came meanwhile, with a rest in between."""
        while True:
            await self._came.wait()
            self._came.clear()
            waiting, self._waiting = self._waiting, {}
            for platform, project in waiting:
                if project is None or (platform, None) not in waiting:
                    await self._hint(platform, project)
            await self._clock.sleep(REST)

    async def _hint(self, platform: str, project: str | None) -> None:
        try:
            await self._control.hint(platform, project)
        except SyncerError as error:
            # Nothing is lost: the schedule finds what the hint was about.
            self._emit(Warned(f"a webhook of {platform} came to nothing: {error}"))

    async def _platforms(self, word: str) -> list[str]:
        platforms = await self._overview.platforms()
        named = [each.name for each in platforms if each.name == word]
        found = named or [each.name for each in platforms if each.type == word]
        if not found:
            raise Refused(HTTPStatus.NOT_FOUND, "no platform of this name or type is configured")
        return found


async def _project(request: web.Request) -> str | None:
    """Return the project that a body names, if it is small enough to be read and says so."""
    try:
        body = msgspec.json.decode(await request.read() or b"null")
    except (web.HTTPRequestEntityTooLarge, msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(body, Mapping):
        return None
    # Label Studio sends the project as an object, others its id.
    for name in ("project", "project_id", "projectId"):
        found: Any = body.get(name)
        if isinstance(found, Mapping):
            found = found.get("id")
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            return str(found)[:_LONGEST]
    return None
