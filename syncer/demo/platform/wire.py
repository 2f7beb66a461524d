"""One request in, one answer out: counting, faults, credentials, handlers, and how an answer reaches the socket."""

import asyncio
import re
import socket
import struct
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from syncer.demo.platform.answers import Answer, Refused, page, problem
from syncer.demo.platform.control import control
from syncer.demo.platform.faults import Fault, Subject
from syncer.demo.platform.routes import OPEN, Route, find
from syncer.demo.platform.site import Call, Site

#: Pieces of a slow body.
_PIECES = 10

_HEADERS = {
    "Server": "WSGIServer/0.2 CPython/3.11.7",
    "Vary": "Accept-Language, Cookie, origin",
    "Content-Language": "en-us",
    "Content-Security-Policy-Report-Only": "default-src 'self' 'report-sample'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

#: Half of a surrogate pair in what should be UTF-8.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")

_COOKIE = "sessionid=embedded; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax"


class _UntilClose(web.StreamResponse):
    """A body without a length: it ends where the connection ends."""

    _length_check = False


class Wire:
    """The dispatcher of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site
        #: Last answer of each route, for the fault that repeats it.
        self._previous: dict[str, Answer] = {}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        found = find(request.path)
        call = await self._call(request, found)
        if call.path.startswith("/_"):
            return self._whole(_guarded(control, self._site, call))
        traffic = self._site.traffic
        traffic.inflight += 1
        traffic.peak = max(traffic.peak, traffic.inflight)
        try:
            answer, manner = await self._decide(call, found[0] if found else None)
            traffic.add(call, 0 if manner is not None and manner.kind == "reset" else answer.status)
            return await self._send(request, answer, manner)
        finally:
            traffic.inflight -= 1

    async def _call(self, request: web.BaseRequest, found: tuple[Route, tuple[int, ...]] | None) -> Call:
        route, ids = (found[0].name, found[1]) if found else ("unknown", ())
        return Call(
            request.method,
            route,
            request.path,
            ids,
            dict(request.query),
            request.headers,
            await request.read() if request.can_read_body else b"",
            f"{request.scheme}://{request.host}",
            request.query_string,
        )

    async def _decide(self, call: Call, route: Route | None) -> tuple[Answer, Fault | None]:
        """Return the answer, and the fault that decides how it is sent."""
        if not len(self._site.faults):
            return self._answer(call, route), None
        subject = Subject(call.route, f"{call.method} {call.path}?{call.query}", call.params)
        struck = await self._before(subject)
        if struck is not None:
            return _struck(struck)
        answer = self._answer(call, route)
        decided = self._after(replace(subject, tasks=answer.tasks), answer)
        self._previous[call.route] = answer
        return decided

    async def _before(self, subject: Subject) -> Fault | None:
        """Return the fault that takes the place of the answer, if one does."""
        struck: Fault | None = None
        for fault in self._site.faults.before(subject):
            if fault.kind == "latency":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "expire":
                self._site.auth.expire_access()
            else:
                struck = struck or fault
        return struck

    def _after(self, subject: Subject, answer: Answer) -> tuple[Answer, Fault | None]:
        manner: Fault | None = None
        for fault in self._site.faults.after(subject):
            if fault.kind == "vanish":
                self._site.store.delete_tasks(fault.delete)
            elif fault.kind == "repeat":
                answer = self._previous.get(subject.route, answer)
            elif fault.kind in {"cut", "slow"}:
                manner = fault
            else:
                return _struck(fault)
        return answer, manner

    def _answer(self, call: Call, route: Route | None) -> Answer:
        if route is None:
            return page(404)
        try:
            if route.name not in OPEN:
                self._site.auth.check(call.headers, self._site.store.now())
            handler = route.methods.get("GET" if call.method == "HEAD" else call.method)
            if handler is None:
                return problem(405, f'Method "{call.method}" not allowed.')
            answer = handler(self._site, call)
        except Refused as refused:
            answer = refused.answer
        if b"\xed" in answer.body and _SURROGATE.search(answer.body):
            # One such row breaks every page that carries it, for ever: text that can't be encoded.
            return page(500)
        answer.headers.setdefault("Allow", ", ".join([*route.methods, "HEAD", "OPTIONS"]))
        return answer

    async def _send(self, request: web.BaseRequest, answer: Answer, manner: Fault | None) -> web.StreamResponse:
        if manner is None and not answer.streamed:
            return self._whole(answer)
        if manner is not None and manner.kind == "reset":
            _drop(request)
            return web.Response()
        kind = _UntilClose if answer.streamed else web.StreamResponse
        response = kind(status=answer.status, headers=self._headers(answer))
        if answer.streamed:
            response.force_close()
        else:
            response.content_length = len(answer.body)
        await response.prepare(request)
        if manner is not None and manner.kind == "cut":
            await response.write(answer.body[: manner.keep])
            if request.transport is not None:
                request.transport.close()
        elif manner is not None and manner.kind == "slow":
            step = len(answer.body) // _PIECES + 1
            for start in range(0, len(answer.body), step):
                await asyncio.sleep(manner.seconds / _PIECES)
                await response.write(answer.body[start : start + step])
        else:
            await response.write(answer.body)
        return response

    def _whole(self, answer: Answer) -> web.Response:
        return web.Response(body=answer.body, status=answer.status, headers=self._headers(answer))

    def _headers(self, answer: Answer) -> dict[str, str]:
        headers = {**_HEADERS, "Date": format_datetime(self._site.store.now(), usegmt=True), **answer.headers}
        if answer.status != 204:  # noqa: PLR2004  # No Content
            headers["Content-Type"] = answer.media
        if answer.status != 500:  # noqa: PLR2004  # the real server sets none where a view broke down
            headers["Set-Cookie"] = _COOKIE
        return headers


def _struck(fault: Fault) -> tuple[Answer, Fault | None]:
    replacement = fault.replacement()
    return (Answer(), fault) if replacement is None else (replacement, None)


def _guarded(handler: Any, site: Site, call: Call) -> Answer:
    try:
        answer: Answer = handler(site, call)
    except Refused as refused:
        answer = refused.answer
    return answer


def _drop(request: web.BaseRequest) -> None:
    """Reset the connection: the peer sees ECONNRESET, not an end of file."""
    transport = request.transport
    if transport is not None:
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
