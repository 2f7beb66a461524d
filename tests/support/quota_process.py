"""A process that asks a server as fast as its limits let it.

    python -m tests.support.quota_process STATE URL RATE CONCURRENCY

It shares its limits by way of the state, as a worker does, and adds to each request when it was sent (`?at=`, by the
clock that all processes of a machine share). It goes on until its standard input ends.
"""

import asyncio
import sys
import time
from pathlib import Path

import uvloop

from syncer.model.errors import HttpError
from syncer.model.events import Event, Warned
from syncer.net.client import open_http
from syncer.net.network import Network
from syncer.ports import Request
from syncer.state import open_quotas, open_state
from tests.support.clock import RealClock
from tests.support.scratch import MemorySpool

#: Requests that it would like to have in flight.
TASKS = 20


async def ask(state: str, network: Network) -> None:
    """Ask until standard input ends."""

    def said(event: Event) -> None:
        if isinstance(event, Warned):
            print(event.message, file=sys.stderr)

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def closed() -> None:
        loop.remove_reader(sys.stdin.fileno())
        ended.set()

    async def link() -> str:
        return f"{network.url}/?at={time.monotonic()}"

    loop.add_reader(sys.stdin.fileno(), closed)
    async with (
        open_state(state, Path()),
        open_quotas(state, said) as quotas,
        open_http(network, RealClock(), said, MemorySpool(), quotas=quotas) as http,
    ):

        async def one() -> None:
            while not ended.is_set():
                try:
                    # The time is written when the request is sent, not when it begins to wait.
                    await http.fetch(Request(f"{network.url}/", link=link))
                except HttpError as error:
                    print(error, file=sys.stderr)

        print("ready", flush=True)
        await asyncio.gather(*[one() for _ in range(TASKS)])


def main() -> None:
    """Read the command line."""
    state, url, rate, concurrency = sys.argv[1:]
    most = float(rate) or None
    uvloop.run(ask(state, Network(url, requests_per_second=most, concurrency=int(concurrency), account="account")))


if __name__ == "__main__":
    main()
