"""Answers that are cut, silent, compressed, too large or not what was asked for."""

import asyncio
import gzip
import zlib
from collections.abc import Callable

import pytest
from aiohttp import web

from syncer.model.errors import (
    BadBody,
    HttpError,
    NotFound,
    TooLarge,
    Unavailable,
)
from syncer.model.events import Retrying
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.servers import in_turn, raw_serving, reset, serving
from tests.support.web import opened

JSON = "application/json"


async def test_connections_that_break() -> None:
    """Resets, empty answers, cut bodies and nonsense are tried again."""
    tricks = ["reset", "empty", "cut", "chunked", "nonsense"]

    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        trick = tricks.pop(0) if tricks else "fine"
        if trick == "reset":
            reset(writer)
        elif trick == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}")
        elif trick == "chunked":
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\n"
            )
        elif trick == "nonsense":
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        elif trick == "fine":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")

    async with raw_serving(answer) as server, opened(Network(url=server.url, attempts=6)) as client:
        response = await client.http.fetch(Request(f"{server.url}/x", expect=JSON))
        # The library itself repeats a GET once on a connection that ends without an answer.
        assert client.heard(Retrying)
    assert response.body == b"{}"
    assert not tricks


async def test_silence_is_a_timeout() -> None:
    """A server that says nothing is given up after the read timeout, and one that crawls after the total."""
    release = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/crawls":
            response = web.StreamResponse()
            await response.prepare(request)
            while not release.is_set():
                await response.write(b"x")
                await asyncio.sleep(0.02)
            return response
        await release.wait()
        return web.Response()

    async with serving(handler) as server, opened(Network(url=server.url, read_timeout=0.1, attempts=2)) as client:
        with pytest.raises(Unavailable, match=r"no answer in time.*\(2 attempts\)"):
            await client.http.fetch(Request(f"{server.url}/silent"))
        with pytest.raises(Unavailable, match="no answer in time"):
            await client.http.fetch(Request(f"{server.url}/crawls", timeout=0.15, attempts=1))
        release.set()


@pytest.mark.parametrize("bad", [b"zz\r\nabc\r\n", b"5\r\nabcdefgh\r\n", b"\xff" * 10_000])
async def test_a_body_that_turns_into_nonsense_does_not_hang(bad: bytes) -> None:
    """Broken chunking in the middle of a body ends in an ordinary error, for pages and for downloads."""

    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(bad)

    network = Network(url="http://127.0.0.1", read_timeout=0.1, attempts=1)
    async with raw_serving(answer) as server, opened(network) as client, asyncio.timeout(60):
        with pytest.raises((BadBody, Unavailable)):
            await client.http.fetch(Request(f"{server.url}/x"))
        with pytest.raises((BadBody, Unavailable)):
            await client.http.download(Request(f"{server.url}/x"), "key")


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, b"HTTP/1.1 999999 OK", b"HTTP/1.1 200 OK\r\nContent-Length: abc",
    b"HTTP/1.1 200 OK\r\nno header", b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\nContent-Length: 0",
    b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe/\xe9\r\nContent-Length: 0",
])  # fmt: skip
async def test_malformed_heads_are_ordinary_errors(head: bytes) -> None:
    """Whatever a server says instead of HTTP, an `HttpError` comes out."""

    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"\r\n\r\n")

    async with raw_serving(answer) as server, opened(Network(url=server.url, attempts=1)) as client:
        with pytest.raises(HttpError):
            await client.http.fetch(Request(f"{server.url}/x"))


async def test_html_where_json_is_expected() -> None:
    """A proxy's page is tried again, and in the end is not taken for data."""
    page = web.Response(text="<html>please log in</html>", content_type="text/html")
    async with serving(in_turn(page, web.json_response([]))) as server, opened(Network(url=server.url)) as client:
        assert (await client.http.fetch(Request(f"{server.url}/x", expect=JSON))).body == b"[]"
    async with serving(in_turn(page)) as server, opened(Network(url=server.url)) as client:
        with pytest.raises(BadBody, match="text/html came") as caught:
            await client.http.fetch(Request(f"{server.url}/x", expect=JSON))
        assert caught.value.body == b"<html>please log in</html>"
        assert (await client.http.fetch(Request(f"{server.url}/x"))).body == caught.value.body


async def test_a_404_page_is_still_not_found() -> None:
    """HTML does not change what 404 means; its beginning is there to look at."""
    page = web.Response(status=404, text="<h1>nginx</h1>", content_type="text/html")
    async with serving(in_turn(page)) as server, opened(Network(url=server.url)) as client:
        with pytest.raises(NotFound) as caught:
            await client.http.fetch(Request(f"{server.url}/x", expect=JSON))
    assert b"nginx" in caught.value.body
    assert len(server.requests) == 1


@pytest.mark.parametrize(("coding", "compress"), [
    ("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda data: zlib.compress(data, wbits=-15)),
    ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
])  # fmt: skip
@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_compressed_answers(coding: str, compress: Callable[[bytes], bytes], size: int) -> None:
    """Gzip (also in several members) and deflate (with and without its wrapper) are undone, small and large."""
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    answer = web.Response(body=compress(data), headers={"Content-Encoding": coding})
    async with serving(in_turn(answer)) as server, opened(Network(url=server.url)) as client:
        assert (await client.http.fetch(Request(f"{server.url}/x"))).body == data
    assert server.requests[0].headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize("body", [gzip.compress(b"x" * 1000, mtime=0)[:-9], b"not gzip at all", b"\x1f\x8b"])
async def test_damaged_compression(body: bytes) -> None:
    """A stream that is damaged or cut short inside an intact answer is noticed, repeated, and refused."""
    answer = web.Response(body=body, headers={"Content-Encoding": "gzip"})
    async with serving(in_turn(answer)) as server, opened(Network(url=server.url, attempts=2)) as client:
        with pytest.raises(BadBody, match="compressed body"):
            await client.http.fetch(Request(f"{server.url}/x"))
    assert len(server.requests) == 2


async def test_rule_23_a_gzip_bomb_is_defused() -> None:
    """100 MB in 100 kB are refused at the limit, without being unpacked."""
    answer = web.Response(body=gzip.compress(b"\0" * 100_000_000), headers={"Content-Encoding": "gzip"})
    async with serving(in_turn(answer)) as server, opened(Network(url=server.url, max_body=1_000_000)) as client:
        with pytest.raises(TooLarge, match="1,000,000 bytes"):
            await client.http.fetch(Request(f"{server.url}/x"))
    assert len(server.requests) == 1


async def test_rule_23_large_answers_are_refused() -> None:
    """By the declared length, by what really comes, and by the request's own limit."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 100_000)
        return response

    async with serving(in_turn(web.Response(body=b"x" * 2000))) as server, opened(Network(url=server.url)) as client:
        with pytest.raises(TooLarge):
            await client.http.fetch(Request(f"{server.url}/x", max_bytes=1999))
        assert len((await client.http.fetch(Request(f"{server.url}/x", max_bytes=2000))).body) == 2000
    async with serving(endless) as server, opened(Network(url=server.url, max_body=500_000)) as client:
        with pytest.raises(TooLarge):
            await client.http.fetch(Request(f"{server.url}/x"))
