"""Downloads: memory and spool, broken bodies with and without ranges, limits."""

import asyncio
import gzip
import hashlib

import pytest
from aiohttp import web

from syncer.model.entries import SpooledFile
from syncer.model.errors import BadBody, Forbidden, TooLarge, Unavailable
from syncer.model.events import Retrying
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.objects import DATA, TAG, Store
from tests.support.scratch import MemorySpool
from tests.support.servers import Script, raw_serving, serving
from tests.support.web import opened


async def downloaded(
    store: Store, *, spool: MemorySpool | None = None, network: dict[str, object] | None = None
) -> tuple[bytes, Script, int]:
    """Download from a store; return the bytes, what the server saw, and how many retries there were."""
    async with raw_serving(store) as server:
        wanted = Network(url=server.url, **(network or {}))  # type: ignore[arg-type]  # a table of options
        async with opened(wanted, spool=spool) as client:
            body = await client.http.download(Request(f"{server.url}/o?sig=1", content=True), "key")
            retries = len(client.heard(Retrying))
            if isinstance(body, SpooledFile):
                data = client.spool.files[body.path]
                assert (body.size, body.sha256) == (len(data), hashlib.sha256(data).hexdigest())
                return data, server, retries
            return body, server, retries


async def test_small_bodies_stay_in_memory() -> None:
    """Up to the threshold nothing is spooled."""
    spool = MemorySpool(threshold=len(DATA))
    data, server, _ = await downloaded(Store(), spool=spool)
    assert data == DATA
    assert not spool.files
    assert server.header(0, "Accept-Encoding") == "identity"
    assert server.header(0, "Range") is None


async def test_large_bodies_are_spooled() -> None:
    """Above the threshold the body lies in the spool, with its size and digest."""
    spool = MemorySpool(threshold=1000)
    data, _, _ = await downloaded(Store(), spool=spool)
    assert data == DATA
    assert len(spool.files) == 1


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("threshold", [1000, 10_000_000])
async def test_a_cut_body_is_resumed(resets: bool, threshold: int) -> None:
    """Each next attempt asks for the rest, on the condition that the object is still the same."""
    store = Store(cuts=[300_000, 300_000, 300_000], resets=resets)
    data, server, retries = await downloaded(store, spool=MemorySpool(threshold=threshold))
    assert data == DATA
    assert retries == 3
    assert server.header(1, "Range") is not None
    assert server.header(1, "If-Range") == TAG


async def test_a_server_that_always_cuts_is_outlasted() -> None:
    """Progress starts the count of attempts anew: many more cuts than attempts are no failure."""
    store = Store(cuts=[100_000] * 9)
    data, _, retries = await downloaded(store, network={"attempts": 2})
    assert data == DATA
    assert retries >= 9


async def test_last_modified_will_do() -> None:
    """Where there is no ETag, the date is the validator."""
    date = "Sun, 22 Nov 2026 10:00:00 GMT"
    data, server, _ = await downloaded(Store(cuts=[300_000], etag=None, modified=date))
    assert data == DATA
    assert server.header(1, "If-Range") == date


@pytest.mark.parametrize("store", [
    Store(cuts=[300_000], ranges=False), Store(cuts=[300_000], etag=None), Store(cuts=[300_000], etag='W/"v1"'),
    Store(cuts=[300_000], etag=None, modified=None, chunked=True),
])  # fmt: skip
async def test_without_ranges_a_cut_body_is_read_again(store: Store) -> None:
    """No ranges, no validator or only a weak one: the body starts over and is complete."""
    spool = MemorySpool(threshold=1000)
    data, server, _ = await downloaded(store, spool=spool)
    assert data == DATA
    assert server.header(1, "Range") is None
    assert spool.abandoned == 1


async def test_a_chunked_body_is_resumed_too() -> None:
    """A body without a declared length is known to be cut by its missing end."""
    data, server, _ = await downloaded(Store(cuts=[300_000], chunked=True))
    assert data == DATA
    assert server.header(1, "Range") is not None


async def test_an_object_that_changed_meanwhile_starts_over() -> None:
    """Two versions are never glued together: the whole new one is taken from the same answer."""
    store = Store(cuts=[300_000])

    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        if store.answers == 1:
            store.data, store.etag = DATA[::-1] + b"more", '"v2"'
        await store(head, writer)

    spool = MemorySpool(threshold=10_000_000)
    async with raw_serving(answer) as server, opened(Network(url=server.url), spool=spool) as client:
        body = await client.http.download(Request(f"{server.url}/o", content=True), "key")
    assert body == store.data
    assert store.answers == 2


async def test_an_object_that_shrank_meanwhile_starts_over() -> None:
    """416 on the rest means that there is something else now."""
    store = Store(cuts=[300_000])

    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        if store.answers == 1:
            store.data = DATA[:1000]
        await store(head, writer)

    async with raw_serving(answer) as server, opened(Network(url=server.url)) as client:
        body = await client.http.download(Request(f"{server.url}/o", content=True), "key")
    assert body == DATA[:1000]
    assert store.answers == 3


async def test_a_part_that_lies_about_its_start_is_refused() -> None:
    """A 206 must begin where we asked; else everything is read again."""
    store = Store(cuts=[300_000, 300_000], lie=1)
    with pytest.raises(BadBody, match="another part"):
        await downloaded(store, network={"attempts": 2})
    store = Store(cuts=[300_000], lie=1)
    data, _, _ = await downloaded(store, network={"attempts": 3})
    assert data == DATA


async def test_shortened_parts_are_put_together() -> None:
    """A server that serves at most so much of a range is asked on, without that being a failure."""
    data, _, retries = await downloaded(Store(cuts=[300_000], part=200_000))
    assert data == DATA
    assert retries == 1


async def test_encoded_content_is_undone_and_not_resumed() -> None:
    """An object stored with Content-Encoding gzip arrives decoded; a cut one starts over."""
    packed = gzip.compress(DATA)
    cuts = [len(packed) // 2]

    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nETag: {TAG}\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        writer.write(head.encode())
        writer.write(packed[: cuts.pop()] if cuts else packed)

    async with raw_serving(answer) as server, opened(Network(url=server.url)) as client:
        body = await client.http.download(Request(f"{server.url}/o", content=True), "key")
    assert body == DATA
    assert server.header(1, "Range") is None


async def test_rule_23_content_is_bounded() -> None:
    """By the declared length, by what comes, and after decompression."""
    with pytest.raises(TooLarge):
        await downloaded(Store(), network={"max_item": len(DATA) - 1})
    spool = MemorySpool(threshold=1000)
    with pytest.raises(TooLarge):
        await downloaded(Store(chunked=True), spool=spool, network={"max_item": len(DATA) - 1})
    assert not spool.files

    async def bomb(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "gzip"})

    async with serving(bomb) as server, opened(Network(url=server.url, max_item=1_000_000)) as client:
        with pytest.raises(TooLarge):
            await client.http.download(Request(f"{server.url}/o", content=True), "key")


async def test_an_expired_link_in_the_middle_is_final() -> None:
    """403 on the rest is for the source to answer with a fresh link; nothing is left in the spool."""
    store, spool = Store(cuts=[300_000]), MemorySpool(threshold=1000)

    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        if store.answers == 0:
            await store(head, writer)
        else:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async with raw_serving(answer) as server, opened(Network(url=server.url), spool=spool) as client:
        with pytest.raises(Forbidden):
            await client.http.download(Request(f"{server.url}/o", content=True), "key")
    assert not spool.files
    assert spool.abandoned == 1


async def test_silence_in_the_middle_of_a_body_is_resumed() -> None:
    """A body that stops coming is given up after the read timeout, and goes on from there."""
    release = asyncio.Event()
    store = Store(cuts=[300_000])

    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        await store(head, writer)
        if store.answers == 1:
            await release.wait()

    async with raw_serving(answer) as server, opened(Network(url=server.url, read_timeout=0.5)) as client:
        body = await client.http.download(Request(f"{server.url}/o", content=True), "key")
        release.set()
    assert body == DATA
    assert server.header(1, "Range") is not None


async def test_a_crawling_body_is_given_up() -> None:
    """A server that sends a byte now and then keeps no download open for ever."""
    release = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not release.is_set():
            client.clock.seconds += 30
            await response.write(b"x")
            await asyncio.sleep(0.001)
        return response

    async with serving(handler) as server, opened(Network(url=server.url, attempts=1)) as client:
        with pytest.raises(BadBody, match="crawls"):
            await client.http.download(Request(f"{server.url}/o", content=True), "key")
        release.set()


async def test_a_full_disk_is_not_a_network_failure() -> None:
    """What the spool raises goes to the caller as it is, without another attempt."""

    class Full(MemorySpool):
        def writer(self, key: str) -> object:  # type: ignore[override]  # it never opens
            raise OSError(28, "No space left on device")

    async with raw_serving(Store()) as server, opened(Network(url=server.url), spool=Full(threshold=10)) as client:
        with pytest.raises(OSError, match="No space left"):
            await client.http.download(Request(f"{server.url}/o", content=True), "key")
        assert not client.heard(Retrying)


async def test_a_cancelled_download_leaves_nothing() -> None:
    """The spool's file is removed when the task is cancelled in the middle."""
    release, spool, began = asyncio.Event(), MemorySpool(threshold=1000), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 100_000)
        began.set()
        await release.wait()
        return response

    async with serving(handler) as server, opened(Network(url=server.url), spool=spool) as client:
        task = asyncio.create_task(client.http.download(Request(f"{server.url}/o", content=True), "key"))
        await began.wait()
        await spool.opened.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
    assert spool.abandoned == 1


async def test_a_download_may_be_of_the_platform_itself() -> None:
    """An API file (an export) is downloaded with the same care; without content rules, and bounded by attempts."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    async with serving(handler) as server, opened(Network(url=server.url, attempts=3)) as client:
        with pytest.raises(Unavailable, match="3 attempts"):
            await client.http.download(Request(f"{server.url}/export"), "key")
    assert server.requests[0].headers["Accept-Encoding"] == "identity"
