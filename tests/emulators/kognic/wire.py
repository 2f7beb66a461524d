"""One request in, one answer out: counting, faults, credentials, handlers, and how an answer reaches the socket."""

import asyncio
import socket
import struct
import zlib
from collections.abc import Callable

from aiohttp import web

from tests.emulators.kognic import storage
from tests.emulators.kognic.answers import Answer, Call, Refused, refusal
from tests.emulators.kognic.control import control
from tests.emulators.kognic.faults import Fault
from tests.emulators.kognic.routes import Table
from tests.emulators.kognic.site import Logged, Site

#: Bodies from this size are compressed.
_WORTH = 1024

_PIECES = 10

#: Faults that are about how an answer is sent.
_MANNERS = frozenset({"reset", "cut", "slow"})


class Wire:
    """The dispatcher of both origins."""

    def __init__(self, site: Site, table: Table) -> None:
        self._site = site
        self._table = table

    async def api(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer on the origin of all services."""
        path = request.rel_url.raw_path
        if path.startswith("/_"):
            return _whole(control(self._site, request.method, path, await request.read()))
        route, names = self._table.find(request.method, path)
        call = await _call(request, route.name if route else "unknown", dict(names))

        def answer() -> Answer:
            if route is None:
                raise refusal(404, "Not Found")
            if route.name != "token":
                self._site.auth.check(call.headers)
                if self._site.habits.forbidden:
                    raise refusal(403, "You are not a member of this organisation")
            return route.handler(self._site, call)

        return await self._serve(request, call, call.identity, answer)

    async def storage(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer on the origin of documents."""
        call = await _call(request, "storage", {})
        _, annotation = storage.named(self._site, call.path)
        identity = f"{call.identity} {annotation.uuid if annotation else ''}"
        return await self._serve(request, call, identity, lambda: storage.serve(self._site, call))

    async def _serve(
        self, request: web.BaseRequest, call: Call, identity: str, handler: Callable[[], Answer]
    ) -> web.StreamResponse:
        traffic, auth = self._site.traffic, self._site.auth
        traffic.inflight += 1
        traffic.peak = max(traffic.peak, traffic.inflight)
        if call.route == "token":
            auth.inflight += 1
            auth.peak = max(auth.peak, auth.inflight)
        try:
            answer, manner = await self._decide(call, identity, handler)
            dropped = manner is not None and manner.kind == "reset"
            status = 0 if dropped else answer.status
            traffic.requests[call.route] += 1
            traffic.statuses[status] += 1
            traffic.log.append(
                Logged(call.method, call.route, call.path, call.query, status, call.headers, call.body)
            )  # fmt: skip
            return await self._send(request, call, answer, manner)
        finally:
            traffic.inflight -= 1
            if call.route == "token":
                auth.inflight -= 1

    async def _decide(self, call: Call, identity: str, handler: Callable[[], Answer]) -> tuple[Answer, Fault | None]:
        """Return the answer, and the fault that decides how it is sent. What is late was decided when it was asked."""
        striking = self._site.faults.striking(call.route, identity)
        instead = next((made for fault in striking if (made := fault.replacement()) is not None), None)
        manner = next((fault for fault in striking if fault.kind in _MANNERS), None) if instead is None else None
        if instead is not None:
            answer = instead
        elif manner is not None and manner.kind == "reset":
            answer = Answer()
        else:
            answer = self._answer(call, handler)
        await asyncio.sleep(sum(fault.seconds for fault in striking if fault.kind == "latency"))
        return answer, manner

    def _answer(self, call: Call, handler: Callable[[], Answer]) -> Answer:
        try:
            answer = handler()
        except Refused as refused:
            answer = refused.answer
        sunset = self._site.habits.sunsets.get(call.route)
        if sunset:
            answer.headers["sunset-date"] = sunset
        return answer

    async def _send(
        self, request: web.BaseRequest, call: Call, answer: Answer, manner: Fault | None
    ) -> web.StreamResponse:  # fmt: skip
        habits = self._site.habits
        if (
            habits.gzip
            and len(answer.body) >= _WORTH
            and answer.status == 200  # a range is cut from what was compressed already
            and "Content-Encoding" not in answer.headers
            and "gzip" in call.headers.get("Accept-Encoding", "")
        ):
            packer = zlib.compressobj(1, wbits=31)
            answer.body = packer.compress(answer.body) + packer.flush()
            answer.headers["Content-Encoding"] = "gzip"
        if manner is None:
            return _whole(answer)
        if manner.kind == "reset":
            _drop(request)
            return web.Response()
        response = web.StreamResponse(status=answer.status, headers={**answer.headers, "Content-Type": answer.media})
        response.content_length = len(answer.body)
        await response.prepare(request)
        if manner.kind == "cut":
            await response.write(answer.body[: manner.keep])
            if request.transport is not None:
                request.transport.close()
        else:
            step = len(answer.body) // _PIECES + 1
            for start in range(0, len(answer.body), step):
                await asyncio.sleep(manner.seconds / _PIECES)
                await response.write(answer.body[start : start + step])
        return response


async def _call(request: web.BaseRequest, route: str, names: dict[str, str]) -> Call:
    body = await request.read() if request.can_read_body else b""
    url = request.rel_url
    return Call(
        request.method, route, url.raw_path, url.raw_query_string, names, dict(request.query), request.headers, body
    )  # fmt: skip


def _whole(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body, status=answer.status, headers={**answer.headers, "Content-Type": answer.media}
    )


def _drop(request: web.BaseRequest) -> None:
    """Reset the connection: the peer sees ECONNRESET, not an end of file."""
    transport = request.transport
    if transport is not None:
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
