"""The ceiling of any client that is built on aiohttp and uvloop: everything is fetched, nothing is kept."""

import asyncio
import json
import time

#: Requests in flight.
IN_FLIGHT = 64


async def fetch_all(url: str, token: str, items: int) -> tuple[int, float]:
    """Fetch everything in this loop; return the items and the seconds."""
    import aiohttp  # noqa: PLC0415  # each contestant pays for its own imports only

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


def bare(url: str, token: str, items: str) -> tuple[int, float]:
    """Fetch everything on uvloop."""
    import uvloop  # noqa: PLC0415  # each contestant pays for its own imports only

    return uvloop.run(fetch_all(url, token, int(items)))
