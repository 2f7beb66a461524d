"""Fetching through the whole stack: JSON pages, faults of real servers, credentials and redirects."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from syncer.model.errors import (
    BadBody,
    Forbidden,
    HttpError,
    NotFound,
    Rejected,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unsafe,
)
from syncer.model.events import RequestEnded, Retrying, Throttled
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.aiohttp_mock import mocked
from tests.support.servers import raw_serving, reset, serving
from tests.support.web import Opened, Token, opened

JSON = "application/json"


def in_turn(*answers: web.Response | int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer requests in this order; a number is a status without a body; the last one stays."""
    left = list(answers)

    async def handler(_request: web.Request) -> web.StreamResponse:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    return handler


async def test_a_page_of_json() -> None:
    """Status, headers, exact bytes, final URL and the server's clock come back; parameters go out encoded, in order."""
    url = "https://api.example.com/api/tasks?a=1&ids%5B%5D=1%2F2&b=x%20y"
    with mocked() as mock:
        mock.get(url, payload={"ok": 1.10}, headers={"Date": "Sun, 22 Nov 2026 12:00:30 GMT"})
        async with opened(Network(url="https://api.example.com")) as client:
            request = Request(
                "https://api.example.com/api/tasks?a=1", params=[("ids[]", "1/2"), ("b", "x y")], expect=JSON
            )
            response = await client.http.fetch(request)
    assert (response.status, response.body, response.url) == (200, b'{"ok": 1.1}', url)
    assert response.headers["content-type"] == JSON
    assert response.date is not None
    assert response.date.isoformat() == "2026-11-22T12:00:30+00:00"
    assert [(event.origin, event.status, event.size) for event in client.heard(RequestEnded)] == [
        ("https://api.example.com", 200, 11)
    ]


async def test_reads_only() -> None:
    """Anything but GET and POST is refused before it is sent."""
    async with opened(Network(url="https://api.example.com")) as client:
        with pytest.raises(Unsafe, match="GET and listed POST"):
            await client.http.fetch(Request("https://api.example.com/x", method="DELETE"))


async def test_a_post_sends_its_body_and_is_repeated_with_it() -> None:
    """A read call by POST carries JSON, on every attempt."""
    seen: list[object] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response({}) if len(seen) > 1 else web.Response(status=503)

    async with serving(handler) as server, opened(Network(url=server.url)) as client:
        await client.http.fetch(Request(f"{server.url}/search", method="POST", json={"q": [1]}, expect=JSON))
    assert seen == [{"q": [1]}, {"q": [1]}]


@pytest.mark.parametrize(("status", "error"), [(400, Rejected), (403, Forbidden), (404, NotFound), (410, NotFound)])
async def test_final_statuses_are_not_repeated(status: int, error: type[HttpError]) -> None:
    """A client error is raised at once, with the beginning of its body."""
    answer = web.Response(status=status, text='{"detail": "no"}', content_type=JSON)
    async with serving(in_turn(answer)) as server, opened(Network(url=server.url)) as client:
        with pytest.raises(error) as caught:
            await client.http.fetch(Request(f"{server.url}/x?secret=SECRET", expect=JSON))
    assert len(server.requests) == 1
    assert caught.value.status == status
    assert caught.value.body == b'{"detail": "no"}'
    assert str(caught.value) == f"GET {server.url}/x answered {status}"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_passing_failures_are_healed(status: int) -> None:
    """One failure and then an answer is an answer."""
    async with serving(in_turn(status, web.json_response({}))) as server, opened(Network(url=server.url)) as client:
        assert (await client.http.fetch(Request(f"{server.url}/x", expect=JSON))).status == 200
        assert [event.attempt for event in client.heard(Retrying)] == [1]
        assert [event.status for event in client.heard(RequestEnded)] == [status, 200]


async def test_rule_22_retry_after_as_a_date() -> None:
    """The pause until an HTTP date is kept, counted on the server's clock, and shown."""
    headers = {"Date": "Sun, 22 Nov 2026 18:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 18:01:00 GMT"}
    answers = in_turn(web.Response(status=429, headers=headers), web.json_response({}))
    async with serving(answers) as server, opened(Network(url=server.url)) as client:
        await client.http.fetch(Request(f"{server.url}/x"))
        assert 60 <= client.clock.seconds <= 67
        assert [event.pause for event in client.heard(Throttled)] == [60]


async def test_a_server_that_stays_down() -> None:
    """After the last attempt the error has the status and the number of attempts."""
    async with serving(in_turn(503)) as server, opened(Network(url=server.url)) as client:
        with pytest.raises(Unavailable, match=r"answered 503 \(5 attempts\)"):
            await client.http.fetch(Request(f"{server.url}/x"))
        with pytest.raises(Unavailable):
            await client.http.fetch(Request(f"{server.url}/x", attempts=1))
    assert len(server.requests) == 6


async def test_nobody_listens() -> None:
    """A refused connection says so, with a hint."""
    async with serving(in_turn(200)) as server:
        url = server.url
    async with opened(Network(url=url)) as client:
        with pytest.raises(Unavailable, match=r"no connection .*\(5 attempts\)") as caught:
            await client.http.fetch(Request(f"{url}/x"))
    assert caught.value.hint is not None


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


@pytest.mark.parametrize("body", [gzip.compress(b"x" * 1000)[:-9], b"not gzip at all", b"\x1f\x8b"])
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


async def test_an_unmodified_answer_is_an_answer_to_a_conditional_request() -> None:
    """304 comes back only where the caller asked for it."""
    async with serving(in_turn(304)) as server, opened(Network(url=server.url)) as client:
        assert (await client.http.fetch(Request(f"{server.url}/x", headers={"If-None-Match": '"1"'}))).status == 304
        with pytest.raises(Rejected):
            await client.http.fetch(Request(f"{server.url}/x"))


async def test_cookies_are_not_kept() -> None:
    """What a server sets is not sent back: two requests have nothing in common."""
    answer = web.Response(headers={"Set-Cookie": "sessionid=1; Path=/"})
    async with serving(in_turn(answer)) as server, opened(Network(url=server.url)) as client:
        await client.http.fetch(Request(f"{server.url}/a"))
        await client.http.fetch(Request(f"{server.url}/b"))
    assert "Cookie" not in server.requests[1].headers


def demanding(token: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer 401 unless the token is this one."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=200 if request.headers.get("Authorization") == f"Token {token}" else 401)

    return handler


async def test_a_401_renews_once() -> None:
    """A rejected credential is renewed and the request repeated, without a retry being counted."""
    async with serving(demanding("second-token")) as server, opened(Network(url=server.url)) as client:
        auth = Token(server.url, tokens=("first-token", "second-token", "third-token"))
        assert (await client.http.fetch(Request(f"{server.url}/x", auth=auth))).status == 200
        assert auth.renewals == 1
        assert not client.heard(Retrying)


async def test_a_401_after_a_renewal_is_final() -> None:
    """Two rejections are an answer; a credential with nothing newer is not even tried again."""
    async with serving(demanding("other-token")) as server, opened(Network(url=server.url)) as client:
        with pytest.raises(Unauthorized, match="answered 401") as caught:
            await client.http.fetch(
                Request(f"{server.url}/x", auth=Token(server.url, tokens=("a-token", "b-token", "c-token")))
            )
        assert len(server.requests) == 2
        with pytest.raises(Unauthorized):
            await client.http.fetch(Request(f"{server.url}/x", auth=Token(server.url)))
        assert len(server.requests) == 3
    assert caught.value.hint is not None


async def test_renewal_through_a_full_client_does_not_lock_up() -> None:
    """A credential that is fetched through the same client, by one request for all, finds a slot."""
    good = {"token": ""}

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            good["token"] = "fresh-token"
            return web.json_response({})
        return web.json_response(
            {}, status=200 if request.headers["Authorization"] == f"Token {good['token']}" else 401
        )

    class Service(Token):
        lock = asyncio.Lock()

        async def renew(self, rejected: object) -> bool:
            async with self.lock:
                if self._tokens[0] != good["token"]:
                    await client.http.fetch(Request(f"{server.url}/token", method="POST"))
                    self._tokens[0] = good["token"]
            return True

    async with serving(handler) as server, opened(Network(url=server.url, concurrency=1)) as client:
        auth = Service(server.url, tokens=("stale-token",))
        async with asyncio.timeout(5):
            await asyncio.gather(*[client.http.fetch(Request(f"{server.url}/{i}", auth=auth)) for i in range(20)])


async def test_rule_23_a_credential_goes_to_its_origins_only() -> None:
    """Not to another origin, not on a redirect to one, not with content; redirects on its own origin keep it."""

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return web.json_response({"auth": request.headers.get("Authorization")})

    async with serving(elsewhere) as other, serving(elsewhere) as tokens:

        async def platform(request: web.Request) -> web.StreamResponse:
            if request.path == "/away":
                raise web.HTTPFound(f"{other.url}/landed")
            if request.path == "/moved":
                raise web.HTTPPermanentRedirect("/here")
            return web.json_response({"auth": request.headers.get("Authorization")})

        async with serving(platform) as server, opened(Network(url=server.url)) as client:
            auth = Token(server.url, tokens.url)
            seen = {
                name: (await client.http.fetch(Request(url, auth=auth, content=content))).body
                for name, url, content in [
                    ("own", f"{server.url}/x", False), ("service", f"{tokens.url}/x", False),
                    ("moved", f"{server.url}/moved", False), ("away", f"{server.url}/away", False),
                    ("other", f"{other.url}/x", False), ("content", f"{server.url}/x", True),
                ]
            }  # fmt: skip
    assert {name for name, body in seen.items() if b"first-token" in body} == {"own", "service", "moved"}
    assert all(b"null" in seen[name] for name in ("away", "other", "content"))


async def test_rule_23_headers_of_the_caller_stay_on_the_first_origin() -> None:
    """A header that a source adds itself may be a credential too: it is not carried to another origin."""
    async with serving(in_turn(web.json_response({}))) as other:

        async def platform(request: web.Request) -> web.StreamResponse:
            if request.path == "/start":
                raise web.HTTPFound("/next")
            raise web.HTTPFound(f"{other.url}/x")

        async with serving(platform) as server, opened(Network(url=server.url)) as client:
            await client.http.fetch(Request(f"{server.url}/start", headers={"X-Api-Key": "key"}))
    assert [request.headers.get("X-Api-Key") for request in server.requests] == ["key", "key"]
    assert "X-Api-Key" not in other.requests[0].headers


async def test_a_401_where_the_credential_was_not_sent_says_why() -> None:
    """Someone whose platform redirects to another origin learns what to configure."""
    async with serving(in_turn(401)) as other:

        async def platform(_request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(f"{other.url}/x")

        async with serving(platform) as server, opened(Network(url=server.url)) as client:
            with pytest.raises(Unauthorized) as caught:
                await client.http.fetch(Request(f"{server.url}/x", auth=Token(server.url)))
    assert caught.value.hint is not None
    assert other.url in caught.value.hint


async def test_rule_23_redirects_are_checked_at_each_hop() -> None:
    """A redirect may not lead to a special or unlisted private address, and five hops are enough."""

    async def handler(request: web.Request) -> web.StreamResponse:
        targets = {
            "/metadata": "http://169.254.169.254/latest/meta-data", "/private": "https://10.0.0.1/x",
            "/circle": "/circle",
            "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/5", "/5": "/6",
        }  # fmt: skip
        if request.path in targets:
            raise web.HTTPFound(targets[request.path])
        return web.json_response({})

    async with serving(handler) as server, opened(Network(url=server.url)) as client:
        for path in ("/metadata", "/private"):
            with pytest.raises(Unsafe):
                await client.http.fetch(Request(server.url + path))
        with pytest.raises(Unsafe, match="5 redirects"):
            await client.http.fetch(Request(f"{server.url}/circle"))
        assert (await client.http.fetch(Request(f"{server.url}/1"))).url == f"{server.url}/6"


async def test_rule_23_a_post_stays_on_its_origin() -> None:
    """A POST is not carried to another server."""
    async with serving(in_turn(200)) as other:

        async def platform(_request: web.Request) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(f"{other.url}/x")

        async with serving(platform) as server, opened(Network(url=server.url)) as client:
            with pytest.raises(Unsafe, match="POST to another origin"):
                await client.http.fetch(Request(f"{server.url}/x", method="POST", json={}))
    assert not other.requests


async def test_rule_23_a_name_is_refused_on_the_address_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A harmless name whose address is private is not connected to as content, and is as the platform's own."""
    connected: list[str] = []

    async def lookup(_self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        connected.append(host)
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", lookup)
    async with serving(in_turn(web.json_response({}))) as server:
        network = Network(url=f"http://studio.example:{server.port}", allow_http=True)
        async with opened(network) as client:
            assert (await client.http.fetch(Request(f"http://studio.example:{server.port}/x"))).status == 200
            with pytest.raises(Unsafe, match=r"cdn\.example is an address"):
                await client.http.fetch(Request(f"http://cdn.example:{server.port}/x", content=True))
    assert connected == ["studio.example", "cdn.example"]
    assert len(server.requests) == 1


async def test_rule_24_no_credential_in_any_error() -> None:
    """Whatever fails, neither message, body, cause nor context shows a token or a query."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=int(request.path[1:]), text=f"your header was {request.headers['Authorization']}")

    async with serving(handler) as server, opened(Network(url=server.url, attempts=1)) as client:
        auth = Token(server.url, tokens=("SECRET-4711-SECRET",))
        for status in (400, 401, 403, 404, 500, 503):
            with pytest.raises(HttpError) as caught:
                await client.http.fetch(Request(f"{server.url}/{status}?sig=SECRET", auth=auth))
            error: BaseException | None = caught.value
            assert b"SECRET" not in caught.value.body
            while error is not None:
                assert "SECRET" not in f"{error!r} {error}"
                error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def fetch_many(client: Opened, url: str, count: int, workers: int) -> None:
    """Fetch so many pages with so many tasks."""
    work = iter(range(count))

    async def worker() -> None:
        for number in work:
            await client.http.fetch(Request(f"{url}/{number}", expect=JSON))

    await asyncio.gather(*[worker() for _ in range(workers)])


async def test_cancelled_requests_leave_the_client_usable() -> None:
    """Requests that are cancelled in flight or in the queue give their slots back."""
    release, arrived = asyncio.Event(), asyncio.Event()

    async def handler(_request: web.Request) -> web.StreamResponse:
        arrived.set()
        await release.wait()
        return web.json_response({})

    async with serving(handler) as server, opened(Network(url=server.url, concurrency=2)) as client:
        task = asyncio.create_task(fetch_many(client, server.url, 20, 20))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        async with asyncio.timeout(5):
            await fetch_many(client, server.url, 20, 20)
