"""What the stack costs: CPU time of `fetch` beside a bare session of the same library, in alternating batches."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
import uvloop

from syncer.net.client import open_http
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.clock import RealClock
from tests.support.scratch import MemorySpool
from tests.support.web import Token

#: 3,000 requests of each kind.
BATCHES, ROUNDS, TASKS = 30, 10, 10
SERVER = """
import asyncio, uvloop
from aiohttp import web
async def main():
    body = b'{"a": "' + b"x" * 8180 + b'"}'
    async def page(request): return web.Response(body=body, content_type="application/json")
    runner = web.ServerRunner(web.Server(page), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""


async def spent(work: Callable[[], Awaitable[object]]) -> float:
    """Return the CPU microseconds that one request of a batch takes."""

    async def worker() -> None:
        for _ in range(ROUNDS):
            await work()

    began = time.process_time()
    await asyncio.gather(*[worker() for _ in range(TASKS)])
    return (time.process_time() - began) * 1e6 / (ROUNDS * TASKS)


async def measured(url: str) -> tuple[list[float], list[float]]:
    """Return what bare requests and fetches cost, batch by batch."""
    auth = Token(url)
    headers = dict(await auth.headers())
    async with (
        aiohttp.ClientSession() as session,
        open_http(Network(url=url), RealClock(), lambda _event: None, MemorySpool()) as http,
    ):

        async def bare() -> None:
            async with session.get(f"{url}/x", headers=headers) as response:
                await response.read()

        async def fetch() -> None:
            await http.fetch(Request(f"{url}/x", auth=auth, expect="application/json"))

        for work in (bare, fetch):
            await spent(work)
        pairs = [(await spent(bare), await spent(fetch)) for _ in range(BATCHES)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@pytest.mark.bench
def test_fetch_costs_little_more_than_the_bare_library() -> None:
    """8 kB from loopback under uvloop: limits, retries, checks and events together add less than a third."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            bare, fetch = uvloop.run(measured(url))
        finally:
            server.terminate()
    ratio = statistics.median(stack / library for library, stack in zip(bare, fetch, strict=True))
    before, after = statistics.median(bare), statistics.median(fetch)
    print(f"\nbare {min(bare):.0f}..{before:.0f} us, fetch {min(fetch):.0f}..{after:.0f} us, x{ratio:.2f}")
    assert ratio < 1.35
