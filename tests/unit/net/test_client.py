"""Fetching through the whole stack: JSON pages, faults of real servers, credentials and redirects."""

import pytest
from aiohttp import web

from syncer.model.errors import (
    Forbidden,
    HttpError,
    NotFound,
    Rejected,
    Unavailable,
    Unsafe,
)
from syncer.model.events import RequestEnded, Retrying, Throttled
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.aiohttp_mock import mocked
from tests.support.servers import in_turn, serving
from tests.support.web import opened

JSON = "application/json"


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


async def test_a_form_is_sent_as_one() -> None:
    """A token grant goes out as a form, values encoded, on every attempt."""
    seen: list[tuple[str, bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.headers["Content-Type"], await request.read()))
        return web.json_response({}) if len(seen) > 1 else web.Response(status=503)

    async with serving(handler) as server, opened(Network(url=server.url)) as client:
        form = [("grant_type", "client_credentials"), ("scope", "api:read a&b")]
        await client.http.fetch(Request(f"{server.url}/token", method="POST", form=form, expect=JSON))
    body = b"grant_type=client_credentials&scope=api%3Aread+a%26b"
    assert seen == [("application/x-www-form-urlencoded", body)] * 2


async def test_a_link_of_the_moment_is_chosen_when_it_is_sent() -> None:
    """Each attempt asks for its own, after its turn has come; one that does not exist ends the request."""
    given: list[str] = []
    busy = 0

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"{}") if request.query_string == "2" else web.Response(status=503)

    async with serving(handler) as server, opened(Network(url=server.url, concurrency=1)) as client:

        async def link() -> str:
            nonlocal busy
            busy += 1
            assert busy == 1, "another request had the only slot"
            given.append(f"{server.url}/d?{len(given)}")
            busy -= 1
            return given[-1]

        request = Request(f"{server.url}/d?stale", content=True, link=link)
        assert await client.http.download(request, "key") == b"{}"
        assert [url.rpartition("?")[2] for url in given] == ["0", "1", "2"]

        async def none() -> str:
            message = "not listed any more"
            raise NotFound(message)

        with pytest.raises(NotFound, match="not listed"):
            await client.http.download(Request(f"{server.url}/d", content=True, link=none), "key")
        # Its slot is free again.
        assert (await client.http.fetch(Request(f"{server.url}/d?2"))).status == 200


async def test_downloads_are_compressed_where_that_is_wanted() -> None:
    """By default bytes come as they are stored, so that a part can be gone on from; a caller may want to save bytes."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        response = web.Response(body=b"{}" * 1000)
        response.enable_compression()
        return response

    async with serving(handler) as server, opened(Network(url=server.url)) as client:
        for compressed in (False, True):
            request = Request(f"{server.url}/d", content=True, compressed=compressed)
            assert await client.http.download(request, "key") == b"{}" * 1000
    assert asked == ["identity", "gzip, deflate"]


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
