"""Each kind of trouble reaches the client in the form in which a network, a proxy or a server makes it."""

import json
import time
from typing import Any

import aiohttp
import pytest

from syncer.demo.platform.faults import CORRUPTIONS, Fault, Subject
from syncer.demo.platform.server import LabelStudioPlatform
from tests.support.studio import Studio

LISTING = "/api/tasks?project=1&fields=all&include=id,annotations,result&page_size=5"


async def asked(platform: LabelStudioPlatform, *paths: str) -> list[Any]:
    """Send GET requests one after the other; return status, or the name of what the client raised."""
    told: list[Any] = []
    async with Studio(platform.url, platform.token) as studio:
        for path in paths:
            try:
                told.append((await studio.send("GET", path)).status)
            except aiohttp.ClientError as error:
                told.append(type(error).__name__)
    return told


async def test_a_storm_refuses_so_many_requests_and_ends() -> None:
    """The next requests get 429 with Retry-After, the one after them is answered, and all are counted."""
    async with LabelStudioPlatform(10) as platform, Studio(platform.url, platform.token) as studio:
        platform.faults.storm(2, retry_after=7)
        refused = await studio.send("GET", LISTING)
        assert (refused.status, refused.headers["Retry-After"], refused.media) == (429, "7", "application/json")
        assert await asked(platform, LISTING, LISTING) == [429, 200]
        assert platform.traffic.statuses == {429: 2, 200: 1}
        assert platform.traffic.requests == {"tasks": 3}


async def test_errors_come_as_json_or_html() -> None:
    """A 502 comes as HTML or as JSON, on the chosen route only, after the chosen number of requests."""
    async with LabelStudioPlatform(10) as platform, Studio(platform.url, platform.token) as studio:
        platform.faults.add("status", status=502, html=True, route="task", after=1)
        assert await asked(platform, "/api/tasks/1/", LISTING) == [200, 200]
        broken = await studio.send("GET", "/api/tasks/1/")
        assert (broken.status, broken.media) == (502, "text/html")
        assert await asked(platform, "/api/tasks/1/") == [200]


async def test_connections_are_reset_and_bodies_cut() -> None:
    """A reset gives no answer, a cut body less than it promised; the next request is fine."""
    async with LabelStudioPlatform(10) as platform:
        # aiohttp itself repeats a GET once when its connection breaks; only the second break reaches the caller.
        platform.faults.add("reset", times=2)
        assert await asked(platform, LISTING, LISTING) == ["ClientOSError", 200]
        assert platform.traffic.statuses == {0: 2, 200: 1}
        platform.faults.add("cut", keep=40)
        assert await asked(platform, LISTING, LISTING) == ["ClientPayloadError", 200]


async def test_bodies_that_are_not_what_they_say() -> None:
    """A sign-in page comes with status 200, and garbage calls itself JSON."""
    async with LabelStudioPlatform(10) as platform, Studio(platform.url, platform.token) as studio:
        platform.faults.add("login")
        platform.faults.add("garbage", after=1)
        assert (await studio.send("GET", LISTING)).media == "text/html"
        garbage = await studio.send("GET", LISTING)
        assert (garbage.status, garbage.media) == (200, "application/json")
        with pytest.raises(ValueError, match="Expecting"):
            garbage.json()


async def test_a_slow_body_arrives_whole() -> None:
    """A slow body takes its time, and is complete."""
    async with LabelStudioPlatform(10) as platform, Studio(platform.url, platform.token) as studio:
        expected = (await studio.send("GET", LISTING)).body
        platform.faults.add("slow", seconds=0.1)
        started = time.monotonic()
        assert (await studio.send("GET", LISTING)).body == expected
        assert time.monotonic() - started > 0.09


@pytest.mark.parametrize("how", CORRUPTIONS)
async def test_one_corrupt_row_spoils_its_page(how: str) -> None:
    """The page that carries the row is no JSON that a strict reader takes; other pages are fine."""
    async with LabelStudioPlatform(10) as platform, Studio(platform.url, platform.token) as studio:
        platform.faults.add("corrupt", task=3, how=how)
        spoiled = (await studio.send("GET", LISTING)).body
        assert CORRUPTIONS[how] in spoiled
        assert CORRUPTIONS[how] in (await studio.send("GET", "/api/tasks/3/")).body
        assert len((await studio.send("GET", f"{LISTING}&page=2")).json()["tasks"]) == 5
        platform.faults.clear()
        assert len(json.loads((await studio.send("GET", LISTING)).body)["tasks"]) == 5


async def test_a_page_with_a_certain_task_always_fails() -> None:
    """Every answer that carries the task fails, however it is asked for; answers without it do not."""
    async with LabelStudioPlatform(10) as platform:
        platform.faults.add("status", status=500, html=True, task=7, times=None)
        told = await asked(
            platform, LISTING, f"{LISTING}&page=2", "/api/tasks/7/", "/api/annotations/13/", "/api/tasks/6/"
        )
        assert told == [200, 500, 500, 500, 200]


async def test_each_request_fails_once() -> None:
    """With `each`, every distinct request fails the first time and succeeds the second."""
    async with LabelStudioPlatform(10) as platform:
        platform.faults.add("status", status=503, each=True)
        told = await asked(platform, LISTING, LISTING, f"{LISTING}&page=2", f"{LISTING}&page=2", LISTING)
        assert told == [503, 200, 503, 200, 200]


async def test_a_page_is_repeated_and_rows_vanish() -> None:
    """A repeated page is the previous one; rows that vanish after a page make the next one start later."""
    async with LabelStudioPlatform(20) as platform, Studio(platform.url, platform.token) as studio:
        platform.faults.add("repeat", after=1)
        pages = [(await studio.send("GET", f"{LISTING}&page={page}")).json()["tasks"] for page in (1, 2, 2)]
        assert pages[0] == pages[1] != pages[2]
        platform.faults.add("vanish", delete=[1, 2])
        pages = [(await studio.send("GET", f"{LISTING}&page={page}")).json()["tasks"] for page in (1, 2)]
        assert (pages[0][0]["id"], pages[1][0]["id"]) == (1, 8)


async def test_access_tokens_end_in_the_middle() -> None:
    """When access tokens are expired, the same header is refused, and a new one is taken."""
    async with LabelStudioPlatform(10) as platform, Studio(platform.url, platform.token) as studio:
        pat = platform.pat()
        bearer = {"Authorization": f"Bearer {await studio.access_token(pat)}"}
        platform.faults.add("expire", route="tasks", after=1)
        told = [(await studio.send("GET", LISTING, headers=bearer)).status for _ in range(2)]
        renewed = {"Authorization": f"Bearer {await studio.access_token(pat)}"}
        assert [*told, (await studio.send("GET", LISTING, headers=renewed)).status] == [200, 401, 200]


def test_a_rate_lets_a_steady_pace_pass() -> None:
    """At the allowed pace nothing is refused, at twice the pace about half is."""
    steady, double = (Fault("rate", per_second=10, times=None) for _ in range(2))
    assert not any(steady.over_rate(1000 + tick / 10) for tick in range(100))
    assert 40 < sum(double.over_rate(1000 + tick / 20) for tick in range(100)) < 55


def test_parameters_select_the_requests() -> None:
    """A fault with `where` strikes only requests with these parameters."""
    platform = LabelStudioPlatform()
    platform.faults.add("status", where={"fields": "all"}, times=None)
    lean, whole = Subject("tasks", "a", {"include": "id"}), Subject("tasks", "b", {"fields": "all", "page": "1"})
    assert [len(list(platform.faults.before(subject))) for subject in (lean, whole)] == [0, 1]


@pytest.mark.parametrize(
    "raw", [{"kind": "flood"}, {"kind": "cut", "bytes": 1}, {"kind": "corrupt", "how": "badly"}, {}]
)
def test_unknown_faults_are_refused(raw: dict[str, Any]) -> None:
    """A misspelt fault is an error, never a fault that does nothing."""
    with pytest.raises(ValueError, match="no such fault"):
        Fault.from_json(raw)
