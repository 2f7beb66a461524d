"""Credentials, redirects and limits around a request, against real servers."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from syncer.model.errors import (
    HttpError,
    Unauthorized,
    Unsafe,
)
from syncer.model.events import Retrying
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.servers import in_turn, serving
from tests.support.web import Opened, Token, opened

JSON = "application/json"


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
