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

BATCHES, BATCH, TASKS = 60, 100, 16
SERVER = """
import asyncio, uvloop
from aiohttp import web
async def main():
    body = b'{"a": "' + b"x" * 8180 + b'"}'
    async def page(request): return web.Response(body=body, content_type="application/json")
    runner = web.ServerRunner(web.Server(page), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    before, after = statistics.median(bare), statistics.median(fetch)
    print(f"\nbare {min(bare):.0f}..{before:.0f} us, fetch {min(fetch):.0f}..{after:.0f} us, x{ratio:.2f}")
    assert ratio < 1.35
