"""The page as it is visited: as a whole, live, and by its buttons."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus

import msgspec
from aiohttp import web

from syncer.model.refs import ItemKey
from syncer.ports import Control, Overview
from syncer.serve import words
from syncer.serve.board import Board, Snapshot
from syncer.serve.files import Assets
from syncer.serve.gate import HEADERS, STREAM, Gate
from syncer.serve.html import Markup
from syncer.serve.page import SAID, Drawn, draw, page
from syncer.serve.problems import Refused

#: Visitors who may follow at once, and seconds of silence after which a sign of life is sent.
FOLLOWERS, SILENCE = 200, 15.0

_STREAM = {
    **HEADERS, "Content-Type": "text/event-stream; charset=utf-8",
    # Asks proxies to pass on each event as it comes.
    "X-Accel-Buffering": "no",
}  # fmt: skip


class Visit:
    """Handlers of the page."""

    def __init__(self, overview: Overview, control: Control, board: Board, gate: Gate, assets: Assets) -> None:
        """Take what is shown, what may be asked, and who may."""
        self._overview = overview
        self._control = control
        self._board = board
        self._gate = gate
        self._assets = assets
        self._drawn: Drawn | None = None
        self._sent: tuple[tuple[str, str], bytes] = (("", ""), b"")

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Answer with the whole page."""
        drawn = self._draw(await self._board.current())
        body = page(
            drawn, self._assets, version=self._overview.version, started=words.moment(self._overview.started),
            said=_said(request.query, drawn.snapshot), signed_in=self._gate.signed_in(request),
        )  # fmt: skip
        return web.Response(text=body, content_type="text/html")

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """Answer with a file of the page."""
        found = self._assets.files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        kept = {"Cache-Control": "public, max-age=31536000, immutable"} if request.query_string == found.tag else {}
        return web.Response(body=found.body, content_type=found.media_type, charset="utf-8", headers=kept)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send what changes, as it changes, until the visitor leaves or the session ends."""
        if self._board.followers >= FOLLOWERS:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many visitors follow already", Retry_After="30")
        seen = request.headers.get("Last-Event-ID") or request.query.get("seen", "")
        response = web.StreamResponse(headers=_STREAM)
        await response.prepare(request)
        request[STREAM] = response
        try:
            await response.write(b"retry: 1000\n\n")
            async with aclosing(self._events(seen)) as events:
                async for event in events:
                    if not self._still(request):
                        break
                    await response.write(event)
        except ConnectionError:
            # The visitor left: that is how such streams end.
            return response
        return response

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Do what a button asks for; answer with a word about it, or lead back to the page."""
        job, action = request.match_info["job"], request.match_info["action"]
        form = await request.post()
        said = await self._do(job, action, form.get("key"))
        if request.headers.get("Accept", "").startswith("application/json"):
            body = msgspec.json.encode({"said": SAID[said].format(job=job)})
            return web.Response(body=body, content_type="application/json")
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": f"/?said={said}&job={job}#job-{job}"})

    async def _do(self, job: str, action: str, key: object) -> str:
        match action:
            case "trigger":
                return "trigger" if await self._control.trigger(job, "page") else "busy"
            case "pause":
                await self._control.pause(job)
            case "resume":
                await self._control.resume(job)
            case _:
                return "retry" if await self._control.retry(job, None if key is None else [_key(key)]) else "settled"
        return action

    async def _events(self, seen: str) -> AsyncGenerator[bytes, None]:
        before: Drawn | None = None
        async with aclosing(self._board.follow(SILENCE)) as snapshots:
            async for snapshot in snapshots:
                drawn = self._draw(snapshot) if snapshot is not None else None
                if drawn is None or drawn.version == (before.version if before else seen):
                    before = drawn or before
                    yield b": as before\n\n"
                    continue
                if before is not None and drawn.shape != before.shape:
                    yield b"event: shape\ndata: \n\n"
                    return
                yield self._payload(before, drawn)
                before = drawn

    def _payload(self, before: Drawn | None, drawn: Drawn) -> bytes:
        """Return the event that leads from one version to the next: written once for all who follow."""
        step = (before.version if before else "", drawn.version)
        if self._sent[0] != step:
            old: Mapping[str, Markup] = before.pieces if before else {}
            pieces = {name: str(piece) for name, piece in drawn.pieces.items() if old.get(name) != piece}
            now = f"{drawn.snapshot.taken:%Y-%m-%dT%H:%M:%SZ}"
            data = msgspec.json.encode({"now": now, "pieces": pieces})
            self._sent = (step, b"event: pieces\nid: %b\ndata: %b\n\n" % (drawn.version.encode(), data))
        return self._sent[1]

    def _draw(self, snapshot: Snapshot) -> Drawn:
        """Return a snapshot as HTML: drawn once for all."""
        if self._drawn is None or self._drawn.snapshot is not snapshot:
            self._drawn = draw(snapshot, self._drawn)
        return self._drawn

    def _still(self, request: web.Request) -> bool:
        """Tell whether a visitor may still look: a session can end while a stream is open."""
        return self._gate.token is None or "Authorization" in request.headers or self._gate.signed_in(request)


def _key(value: object) -> ItemKey:
    try:
        return ItemKey.parse(value if isinstance(value, str) else "")
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"key: {error}") from error


def _said(query: Mapping[str, str], snapshot: Snapshot) -> str | None:
    """Return what was done before the page was shown: words of ours, about a job that there is."""
    words_, job = SAID.get(query.get("said", "")), query.get("job")
    known = any(view.name == job for view in snapshot.jobs)
    return words_.format(job=job) if words_ is not None and known else None
