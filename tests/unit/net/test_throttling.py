"""Against a real server that enforces a rate, on real time."""

import asyncio
import time

from aiohttp import web

from syncer.model.events import Throttled
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.clock import RealClock
from tests.support.servers import serving
from tests.support.web import opened

ALLOWED = 60
TOTAL = 300

#: Seconds between two looks at how late the loop is, and how late is nothing to speak of.
LOOK, USUAL = 0.1, 0.02


async def withheld(lost: list[float]) -> None:
    """Note the time that a machine which does much else kept from this loop."""
    while True:
        due = time.monotonic() + LOOK
        await asyncio.sleep(LOOK)
        late = time.monotonic() - due
        lost.append(late if late > USUAL else 0.0)


async def test_rule_22_a_server_that_allows_60_requests_a_second() -> None:
    """300 items are all fetched; at most one request in twenty is refused, and most of the allowance is used."""
    window, used, refused = 0, 0, 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal window, used, refused
        second = int(time.monotonic())
        if second != window:
            window, used = second, 0
        used += 1
        if used > ALLOWED:
            refused += 1
            return web.json_response({}, status=429, headers={"Retry-After": "1"})
        return web.json_response({"id": request.path})

    async with serving(handler) as server, opened(Network(url=server.url), clock=RealClock()) as client:
        work, bodies = iter(range(TOTAL)), set()

        async def worker() -> None:
            for number in work:
                bodies.add((await client.http.fetch(Request(f"{server.url}/{number}", expect="application/json"))).body)

        lost = list[float]()
        looks = asyncio.create_task(withheld(lost))
        began = time.monotonic()
        await asyncio.gather(*[worker() for _ in range(48)])
        seconds = time.monotonic() - began - sum(lost)
        looks.cancel()
        assert client.heard(Throttled)
    assert len(bodies) == TOTAL
    assert refused / (TOTAL + refused) <= 0.05
    assert seconds <= 1.6 * TOTAL / ALLOWED
