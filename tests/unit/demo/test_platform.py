"""The embedded platform listens, answers with its own clock, and runs in a process of its own."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from syncer.demo.platform.process import platform_process
from syncer.demo.platform.server import LabelStudioPlatform
from tests.support.studio import Studio


async def test_the_date_is_that_of_its_clock() -> None:
    """The `Date` header and new times come from the clock that the platform was given."""
    moment = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    async with LabelStudioPlatform(3, now=lambda: moment) as platform, Studio(platform.url, platform.token) as studio:
        reply = await studio.send("GET", "/api/version/")
        assert parsedate_to_datetime(reply.headers["Date"]) == moment
        platform.store.annotate(1)
        row = (await studio.tasks(1, include="id,updated_at", page_size=1))["tasks"][0]
        assert row["updated_at"].startswith("2026-05-06T07:08:09")


async def test_a_whole_second_has_no_fraction() -> None:
    """A time on a whole second is written without any fraction, as the real server writes it."""
    moment = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    async with LabelStudioPlatform(3, now=lambda: moment) as platform, Studio(platform.url, platform.token) as studio:
        platform.store.import_tasks(platform.project, [{"data": {"image": "a.png"}}], at=moment)
        row = (await studio.tasks(1, include="updated_at", page="last"))["tasks"][-1]
        assert row["updated_at"] == "2026-05-06T07:08:09Z"


async def test_it_comes_back_on_the_same_port() -> None:
    """Entered again, it listens where its clients know it, with the data that it had; meanwhile it is away."""
    platform = LabelStudioPlatform(3)
    async with platform:
        url = platform.url
    async with Studio(url, platform.token) as studio:
        with pytest.raises(aiohttp.ClientConnectorError):
            await studio.send("GET", "/api/version/")
    async with platform, Studio(url, platform.token) as studio:
        assert platform.url == url
        assert (await studio.tasks(1))["total"] == 3


async def test_headers_are_those_of_the_real_server() -> None:
    """Every answer sets a session cookie; none is compressed, tagged or cacheable."""
    async with LabelStudioPlatform(3) as platform, Studio(platform.url, platform.token) as studio:
        headers = (await studio.send("GET", "/api/tasks?project=1")).headers
        assert headers["Set-Cookie"].startswith("sessionid=")
        assert int(headers["Content-Length"]) > 0
        assert not {"ETag", "Last-Modified", "Content-Encoding"} & headers.keys()


async def test_traffic_is_counted_by_route() -> None:
    """Requests are counted by route and logged with their parameters; writes stand out."""
    async with LabelStudioPlatform(3) as platform, Studio(platform.url, platform.token) as studio:
        await studio.tasks(1, page_size=2)
        await studio.patch_task(1, meta={"q": 1})
        assert platform.traffic.requests == {"tasks": 1, "task": 1}
        assert platform.traffic.log[0].params == {"project": "1", "page_size": "2"}
        assert [line.method for line in platform.traffic.writes] == ["PATCH"]
        platform.traffic.clear()
        assert not platform.traffic.log


async def test_it_runs_in_a_process_of_its_own() -> None:
    """Started by command, it says where it is, takes faults and edits over HTTP, counts, and ends with the block."""
    async with platform_process("--tasks", "30", "--edges") as remote:
        assert remote.projects == {"1": "Street scenes", "2": "Edges"}
        assert (await remote.ask("GET", "/api/tasks?project=1&include=id"))["total"] == 30
        await remote.fault("status", status=503, route="tasks")
        with pytest.raises(aiohttp.ClientResponseError, match="503"):
            await remote.ask("GET", "/api/tasks?project=1")
        await remote.heal()
        await remote.ask("DELETE", "/api/tasks/1/")
        stats = await remote.stats()
        assert stats["requests"] == {"tasks": 2, "task": 1}
        assert stats["statuses"] == {"200": 1, "503": 1, "204": 1}
        assert stats["projects"]["1"]["task_number"] == 29
        with pytest.raises(aiohttp.ClientResponseError, match="400"):
            await remote.fault("flood")
        assert (await remote.ask("POST", "/_auth", {"lifetime": 5}))["lifetime"] == 5
        assert len(await remote.ask("GET", "/_log")) == 3
    async with Studio(remote.url, remote.token) as studio:
        with pytest.raises(aiohttp.ClientConnectorError):
            await studio.send("GET", "/api/version/")
