"""The live stream: what changed goes out, once, to everybody who follows."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from syncer.serve import visit
from tests.support.desk import NOW, idle, ran
from tests.support.visitor import TOKEN, Visitor, visiting


async def _event(stream: aiohttp.ClientResponse) -> Mapping[str, str]:
    """Return the next event, signs of life left out."""
    fields: dict[str, str] = {}
    while True:
        line = (await stream.content.readline()).decode().rstrip("\n")
        if not line:
            if "event" in fields:
                return fields
            fields.clear()
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value


async def _alive(stream: aiohttp.ClientResponse) -> bool:
    """Tell whether a sign of life comes first, and no event."""
    while not (line := await stream.content.readline()).startswith((b":", b"event")):
        pass
    return line == b": as before\n"


def _pieces(event: Mapping[str, str]) -> dict[str, Any]:
    return dict(json.loads(event["data"])["pieces"])


async def _version(visitor: Visitor) -> str:
    return (await visitor.get("/")).text.partition('data-version="')[2].partition('"')[0]


async def test_only_what_changed_is_sent() -> None:
    """A visitor who has the page gets the pieces that differ from it, as they change, and nothing else."""
    async with visiting() as visitor:
        seen = await _version(visitor)
        async with visitor.session.get(f"{visitor.origin}/events?seen={seen}") as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            assert await _alive(stream)
            visitor.desk.progress("highway", stored=4_000)
            event = await _event(stream)
            assert (event["event"], list(_pieces(event))) == ("pieces", ["job-highway"])
            assert "4,613" in _pieces(event)["job-highway"]
            assert event["id"] == await _version(visitor)
            row = ran("street", NOW, stored=5)
            visitor.desk.history.append(row)
            visitor.desk.change("street", last=row)
            assert list(_pieces(await _event(stream))) == ["job-street", "runs"]


async def test_who_comes_back_gets_what_was_missed() -> None:
    """After a break the browser names what it saw last: it gets all that there is now, or nothing if that is it."""
    async with visiting() as visitor:
        async with visitor.session.get(f"{visitor.origin}/events", headers={"Last-Event-ID": "older"}) as stream:
            event = await _event(stream)
            assert list(_pieces(event)) == [
                "summary", "job-highway", "job-street", "job-clinic", "job-parts", "job-archive", "owed", "platforms",
                "runs",
            ]  # fmt: skip
        headers = {"Last-Event-ID": event["id"]}
        async with visitor.session.get(f"{visitor.origin}/events?seen=older", headers=headers) as stream:
            assert await _alive(stream)


async def test_another_set_of_jobs_needs_another_page() -> None:
    """When jobs come or go, as after a change of the configuration, visitors are told to load the page anew."""
    async with visiting() as visitor, visitor.session.get(f"{visitor.origin}/events") as stream:
        await _event(stream)
        visitor.desk.views["more"] = idle("more")
        visitor.desk.moved()
        assert (await _event(stream))["event"] == "shape"
        assert await stream.content.read() == b""


async def test_many_visitors_cost_one_look() -> None:
    """Fifty followers get the same bytes, written once, for one look at the daemon a change."""
    async with visiting() as visitor, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        streams = [await session.get(f"{visitor.origin}/events") for _ in range(50)]
        first = [await _event(stream) for stream in streams]
        looks = visitor.desk.looks
        visitor.desk.progress("highway", stored=5_000)
        second = await asyncio.gather(*(_event(stream) for stream in streams))
        assert len({event["data"] for event in first}) == len({event["data"] for event in second}) == 1
        assert visitor.desk.looks == looks + 1
        for stream in streams:
            stream.close()


async def test_followers_are_bounded(monkeypatch: object) -> None:
    """Beyond a number of followers the stream is refused for now; the page can still be read."""
    async with visiting() as visitor:
        monkeypatch.setattr(visit, "FOLLOWERS", 1)  # type: ignore[attr-defined]
        async with visitor.session.get(f"{visitor.origin}/events") as stream:
            await _event(stream)
            refused = await visitor.get("/events")
            assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
            assert (await visitor.get("/")).status == 200


async def test_a_session_that_ends_ends_its_streams() -> None:
    """Who signed out sees nothing more, also not on a stream that was open."""
    async with visiting(token=TOKEN) as visitor:
        await visitor.post("/login", {"token": TOKEN})
        async with visitor.session.get(f"{visitor.origin}/events") as stream:
            await _event(stream)
            await visitor.post("/logout")
            visitor.desk.progress("highway", stored=4_000)
            visitor.desk.moved()
            rest = await stream.content.read()
            assert b"4,613" not in rest


async def test_a_daemon_that_ends_lets_its_visitors_go() -> None:
    """Streams end with the listener, at once and in order."""
    async with aiohttp.ClientSession() as session:
        async with visiting() as visitor:
            stream = await session.get(f"{visitor.origin}/events")
            await _event(stream)
        assert await stream.content.read() == b""
        stream.close()
