"""What `syncer` is compared with, each a process of its own: `python -m tests.bench.contestants NAME URL TOKEN ITEMS`.

Every one prints a line of JSON with the items that it handled and the seconds from its first request to its end.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

#: Requests in flight.
IN_FLIGHT = 64


def pages(url: str, token: str, items: int) -> Iterator[list[tuple[str, str]]]:
    """Yield id and link of the first items, a listing of a thousand at a time."""
    start = 0
    while start < items:
        asked = Request(f"{url}/items?limit=1000&cursor={start}", headers={"Authorization": f"Bearer {token}"})  # noqa: S310  # our own server
        with urlopen(asked) as answer:  # noqa: S310  # same
            page = json.load(answer)
        assert page["items"], f"the platform has only {start} items"
        yield [(row["id"], row["url"]) for row in page["items"][: items - start]]
        start += len(page["items"])


def bare(url: str, token: str, items: int) -> tuple[int, float]:
    """Fetch everything with aiohttp on uvloop and keep nothing: the ceiling of any client built on them."""
    import aiohttp  # noqa: PLC0415  # each contestant pays for its own imports only
    import uvloop  # noqa: PLC0415

    async def work() -> tuple[int, float]:
        links: asyncio.Queue[str] = asyncio.Queue(1000)
        done, begun = 0, time.perf_counter()
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

            async def fetch() -> None:
                nonlocal done
                while link := await links.get():
                    async with session.get(link) as answer:
                        assert answer.status == 200
                        assert await answer.read()
                    done += 1

            async with asyncio.TaskGroup() as tasks:
                for _ in range(IN_FLIGHT):
                    tasks.create_task(fetch())
                start = 0
                while start < items:
                    asked = f"{url}/items?limit=1000&cursor={start}"
                    async with session.get(asked, headers={"Authorization": f"Bearer {token}"}) as answer:
                        page = json.loads(await answer.read())
                    assert page["items"], f"the platform has only {start} items"
                    for row in page["items"][: items - start]:
                        await links.put(row["url"])
                    start += len(page["items"])
                for _ in range(IN_FLIGHT):
                    await links.put("")
        return done, time.perf_counter() - begun

    return uvloop.run(work())


def serial(url: str, token: str, items: int) -> tuple[int, float]:
    """Fetch one after the other over one connection into a `zipfile`: what a first script does."""
    import zipfile  # noqa: PLC0415

    import httpx  # noqa: PLC0415

    begun = time.perf_counter()
    with (
        zipfile.ZipFile(Path("serial.zip"), "w", zipfile.ZIP_DEFLATED) as archive,
        httpx.Client(trust_env=False) as client,
    ):
        for page in pages(url, token, items):
            for name, link in page:
                archive.writestr(f"{name}.json", client.get(link).raise_for_status().content)
    return items, time.perf_counter() - begun


def hammer(url: str, token: str, items: int) -> tuple[int, float]:
    """Ask for the same documents with a client that does next to nothing: how fast the server is alone."""
    import uvloop  # noqa: PLC0415

    links = [link for page in pages(url, token, min(items, 1000)) for _, link in page]
    origin, _, _ = links[0].rpartition("/c/")
    host, _, port = origin.removeprefix("http://").partition(":")
    asked = [f"GET {link.removeprefix(origin)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for link in links]

    class Client(asyncio.Protocol):
        """One connection: asks again as soon as an answer is complete."""

        def __init__(self, share: int, done: asyncio.Future[None]) -> None:
            self.left, self.done = share, done
            self.missing = self.turn = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is none by name
            self.transport.write(asked[0])

        def data_received(self, data: bytes) -> None:
            if self.missing == 0:
                assert data.startswith(b"HTTP/1.1 200")
                end = data.index(b"\r\n\r\n") + 4
                place = data.index(b"Content-Length: ") + 16
                self.missing = int(data[place : data.index(b"\r", place)]) + end
            self.missing -= len(data)
            if self.missing == 0:
                self.left -= 1
                self.turn += 1
                if self.left:
                    self.transport.write(asked[self.turn % len(asked)])
                else:
                    self.transport.close()
                    self.done.set_result(None)

    async def work() -> tuple[int, float]:
        loop, share = asyncio.get_running_loop(), items // IN_FLIGHT
        finished = [loop.create_future() for _ in range(IN_FLIGHT)]
        begun = time.perf_counter()
        for done in finished:
            await loop.create_connection(lambda done=done: Client(share, done), host, int(port))  # type: ignore[misc]  # bound now
        await asyncio.gather(*finished)
        return share * IN_FLIGHT, time.perf_counter() - begun

    return uvloop.run(work())


def vendor(url: str, token: str, items: int) -> tuple[int, float]:
    """Read a Label Studio project with the vendor's own SDK, and keep nothing."""
    from label_studio_sdk import LabelStudio  # noqa: PLC0415

    client = LabelStudio(base_url=url, api_key=token)
    begun, seen = time.perf_counter(), 0
    for task in client.tasks.list(project=1, fields="all", page_size=100):
        assert task.id
        seen += 1
        if seen == items:
            break
    return seen, time.perf_counter() - begun


def raw(url: str, token: str, items: int) -> tuple[int, float]:
    """Ask a Label Studio for the same pages and look at nothing: how fast the server is alone."""
    begun, seen = time.perf_counter(), 0
    while seen < items:
        query = f"project=1&fields=all&page_size=100&page={seen // 100 + 1}"
        asked = Request(f"{url}/api/tasks?{query}", headers={"Authorization": f"Token {token}"})  # noqa: S310  # our own server
        with urlopen(asked) as answer:  # noqa: S310  # same
            assert answer.read()
        seen += 100
    return items, time.perf_counter() - begun


CONTESTANTS: Mapping[str, Callable[[str, str, int], tuple[int, float]]] = {
    each.__name__: each for each in (bare, serial, hammer, vendor, raw)
}

if __name__ == "__main__":
    handled, seconds = CONTESTANTS[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))
    print(json.dumps({"items": handled, "seconds": seconds}))
