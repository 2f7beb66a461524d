"""Events of the network say which platform of the configuration they are about, and what a request was for."""

import pytest
from aiohttp import web

from syncer.model.errors import HttpError
from syncer.model.events import LimitChanged, RequestEnded, Retrying, Throttled
from syncer.net.network import Network
from syncer.ports import Request
from tests.support.servers import in_turn, serving
from tests.support.web import Token, opened

THROTTLED = web.Response(status=429, headers={"Retry-After": "3"})


async def test_events_name_the_platform() -> None:
    """Two accounts that share an origin are told apart in every event of their requests."""
    async with serving(in_turn(THROTTLED, 200)) as server:
        for name in ("studio-a", "studio-b"):
            async with opened(Network(url=server.url, platform=name)) as client:
                await client.http.fetch(Request(f"{server.url}/x", auth=Token(server.url)))
                heard = client.heard(RequestEnded) + client.heard(LimitChanged)
                assert {event.platform for event in heard} == {name}
                if name == "studio-a":
                    assert [event.platform for event in client.heard(Retrying)] == [name]
                    assert [event.platform for event in client.heard(Throttled)] == [name]


async def test_events_name_the_purpose() -> None:
    """A request without a credential asks for one; a link in the data is content; all else is the interface."""
    async with serving(in_turn(200)) as server, opened(Network(url=server.url)) as client:
        await client.http.fetch(Request(f"{server.url}/token", method="POST", form=[("grant_type", "x")]))
        await client.http.fetch(Request(f"{server.url}/tasks", auth=Token(server.url)))
        await client.http.download(Request(f"{server.url}/image", content=True), "k")
        assert [event.purpose for event in client.heard(RequestEnded)] == ["auth", "api", "content"]


async def test_the_purpose_is_that_of_the_attempt() -> None:
    """After a redirect to a store, the attempt there is still one of the interface that was asked."""
    async with (
        serving(in_turn(500)) as store,
        serving(in_turn(web.Response(status=302, headers={"Location": f"{store.url}/x"}))) as server,
        opened(Network(url=server.url, attempts=1)) as client,
    ):
        with pytest.raises(HttpError):
            await client.http.fetch(Request(f"{server.url}/x", auth=Token(server.url)))
        assert [(event.origin, event.status, event.purpose) for event in client.heard(RequestEnded)] == [
            (server.url, 302, "api"), (store.url, 500, "api"),
        ]  # fmt: skip


async def test_the_first_limit_is_told() -> None:
    """Whoever shows the requests allowed in flight knows them before they change for the first time."""
    async with serving(in_turn(200)) as server, opened(Network(url=server.url, platform="studio")) as client:
        await client.http.fetch(Request(f"{server.url}/x", auth=Token(server.url)))
        await client.http.fetch(Request(f"{server.url}/y", auth=Token(server.url)))
        assert client.heard(LimitChanged)[0] == LimitChanged(server.url, 4, "studio")
