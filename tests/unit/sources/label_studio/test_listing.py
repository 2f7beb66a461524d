"""Listing: every task exactly once, whatever the server, a proxy or a broken row does on the way."""

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from syncer.demo.platform.seeds import Mix
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.errors import BadBody, HttpError, PartitionGone, PermissionRefused, Unavailable
from syncer.model.events import Event, Warned
from syncer.ports import Request, Selection, Tools
from syncer.sources.label_studio import PLUGIN
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp, refusal
from tests.support.mirror import Mirror
from tests.support.studio_source import mirrored

URL = "http://127.0.0.1:1"


class Table:
    """The task list of a tiny server: rows by id, which a test may hide or multiply."""

    def __init__(self, *ids: int, most: int = 10_000) -> None:
        self.ids = sorted(ids)
        self.most = most
        self.http = FakeHttp()
        self.http.on("/api/tasks/", self.answer)
        #: Tasks that are counted and not served.
        self.hidden: set[int] = set()

    def row(self, number: int) -> dict[str, Any]:
        """Return one finished task."""
        stamp = "2026-11-22T10:00:00.000001Z"
        return {
            "id": number,
            "annotations": [{"id": number, "result": [], "created_at": stamp, "updated_at": stamp}],
            "total_annotations": 1,
            "created_at": stamp,
            "updated_at": stamp,
        }

    def select(self, request: Request) -> tuple[int, list[int]]:
        """Return the total and the ids that a request asks for; filters other than on ids are all true."""
        params = dict(request.params)
        query = json.loads(params.get("query", "{}"))
        found = self.ids
        for item in query.get("filters", {}).get("items", []):
            value = item["value"]
            if item["filter"] == "filter:tasks:id":
                match item["operator"]:
                    case "in":
                        found = [n for n in found if value["min"] <= n <= value["max"]]
                    case "greater":
                        found = [n for n in found if n > value]
                    case "in_list":
                        found = [n for n in found if n in value]
        served = [n for n in found if n not in self.hidden]
        if query.get("ordering"):
            served.reverse()
        return len(found), served[: min(self.most, int(params["page_size"]))]

    def answer(self, request: Request) -> object:
        """Answer a listing."""
        total, ids = self.select(request)
        return {"total_annotations": total, "total": total, "tasks": [self.row(n) for n in ids]}

    @property
    def sizes(self) -> Iterator[int]:
        """Page sizes that were asked for."""
        return (int(dict(request.params)["page_size"]) for request in self.http.requests)

    async def mirror(self, said: list[Event] | None = None, **options: Any) -> Mirror:
        """Return a mirror of project 7 on this server."""
        self.http.on("/api/projects/7/", {"id": 7, "title": "seven"})
        settings = PLUGIN.options(url=URL, token="t", **options)
        emit = (said if said is not None else []).append
        source = PLUGIN.create(settings, self.http, Tools("studio", InstantClock(), emit))
        (partition,) = [each async for each in source.partitions(Selection(projects=("7",)))]
        self.http.requests.clear()
        return Mirror(source, partition)


def items(mirror: Mirror) -> list[int]:
    """Return the ids of what a mirror holds."""
    return sorted(int(key.item) for key in mirror.items)


@pytest.mark.parametrize("page_size", [1, 3, 10, 100])
@pytest.mark.parametrize(
    "ids",
    [
        [],
        [1],
        list(range(1, 101)),
        list(range(1_000_000, 1_000_060)),
        [1, *range(10_000_000, 10_000_090), 2**40],
        [n * n for n in range(1, 90)],
    ],
)
async def test_every_task_is_listed_once_however_ids_are_spread(ids: list[int], page_size: int) -> None:
    """Dense, sparse and clustered ids, in pages of any size, side by side, come complete and in order."""
    mirror = await Table(*ids).mirror(page_size=page_size)
    assert await mirror.sync() == "full"
    listed = [int(ref.key.item) for page in mirror.pages for ref in page.refs]
    assert listed == sorted(ids)


async def test_a_small_project_takes_two_requests() -> None:
    """One for the highest id and the server's clock, one for everything."""
    table = Table(*range(1, 21))
    mirror = await table.mirror()
    await mirror.sync()
    assert len(table.http.requests) == 2


async def test_a_servers_maximum_page_size_is_found_out() -> None:
    """TASK_API_PAGE_SIZE_MAX cuts every page without a word; nothing is lost and nothing is doubted."""
    table, said = Table(*range(1, 251), most=40), list[Event]()
    mirror = await table.mirror(said)
    assert await mirror.sync() == "full"
    assert items(mirror) == list(range(1, 251))
    assert not [event for event in said if isinstance(event, Warned)]
    assert max(list(table.sizes)[6:]) <= 40


async def test_tasks_that_are_counted_and_not_served_make_the_pass_prove_nothing() -> None:
    """Absence from such a listing is not a deletion (rule 13): it is said, and the pass ends as a delta."""
    table, said = Table(*range(1, 21)), list[Event]()
    mirror = await table.mirror(said)
    await mirror.sync()
    table.hidden = {5}
    assert await mirror.sync(relist=True) == "delta"
    assert items(mirror) == list(range(1, 21))
    assert any("counted and not served" in event.message for event in said if isinstance(event, Warned))
    table.hidden = set()
    assert await mirror.sync() == "full"


async def test_a_server_that_serves_nothing_of_what_it_counts_is_an_error() -> None:
    """An empty page with a total is never taken for an empty project."""
    table = Table(1, 2, 3)
    mirror = await table.mirror()
    newest = table.answer
    table.http.on("/api/tasks/", lambda r: newest(r) if "ordering" in str(r.params) else {"total": 3, "tasks": []})
    with pytest.raises(BadBody, match="does not fit the question"):
        await mirror.sync()


async def test_a_page_of_another_question_is_not_believed() -> None:
    """A cache that repeats the previous page makes no task appear twice or not at all."""
    async with LabelStudioPlatform(100, mix=Mix.finished()) as platform, mirrored(platform, page_size=10) as mirror:
        platform.faults.add("repeat", route="tasks", after=3, times=2)
        assert await mirror.sync() == "full"
        assert items(mirror) == list(range(1, 101))


async def test_pages_are_halved_while_a_proxy_gives_up_on_them() -> None:
    """A server behind a 60-second proxy is read in pages that it can make, and all of it."""
    table = Table(*range(1, 401))
    mirror = await table.mirror(page_size=200)
    answer = table.answer

    def overloaded(request: Request) -> object:
        return refusal(504) if len(table.select(request)[1]) > 30 else answer(request)

    table.http.on("/api/tasks/", overloaded)
    assert await mirror.sync() == "full"
    assert items(mirror) == list(range(1, 401))
    assert len(table.http.requests) < 80


@pytest.mark.parametrize("how", ["nan", "infinity", "surrogate", "utf8", "control", "deep", "comma"])
@pytest.mark.parametrize("granularity", ["task", "annotation"])
async def test_one_unreadable_row_is_owed_and_the_rest_goes_on(how: str, granularity: str) -> None:
    """A page is split down to the row that can't be parsed (rule 16); its neighbours are stored."""
    async with (
        LabelStudioPlatform(300, mix=Mix.finished()) as platform,
        mirrored(platform, granularity=granularity) as mirror,
    ):
        platform.faults.add("corrupt", task=137, how=how)
        assert await mirror.sync() == "full"
        (owed,) = mirror.owed
        number = "137" if granularity == "task" else str(platform.store.tasks.get(137).annotations[0].id)  # type: ignore[union-attr]
        assert owed.item == number
        assert len(mirror.items) == 299
        assert sum(platform.traffic.requests.values()) < 60
        platform.faults.clear()
        assert await mirror.sync() == "delta"
        assert (len(mirror.items), mirror.owed) == (300, {})


@pytest.mark.parametrize("granularity", ["task", "annotation"])
async def test_several_unreadable_rows_in_lean_listings_are_found_too(granularity: str) -> None:
    """A delta and a sweep split pages as a first pass does."""
    async with (
        LabelStudioPlatform(200, mix=Mix.finished()) as platform,
        mirrored(platform, granularity=granularity) as mirror,
    ):
        await mirror.sync()
        for task in (3, 4, 99, 200):
            platform.store.annotate(task)
            platform.faults.add("corrupt", task=task)
        platform.store.annotate(5)
        platform.store.delete_tasks([7])
        assert await mirror.sync() == "full"
        numbers = {int(key.item) for key in mirror.owed}
        if granularity == "annotation":
            numbers = {task.id for task in platform.store.tasks.all_of(1) for a in task.annotations if a.id in numbers}
        assert numbers == {3, 4, 99, 200}
        assert len(mirror.gone) == 1
        platform.faults.clear()
        assert await mirror.sync() in {"delta", "full"}
        assert (len(mirror.items), mirror.owed) == (199 if granularity == "task" else 204, {})


@pytest.mark.parametrize("granularity", ["task", "annotation"])
@pytest.mark.parametrize("tasks", [[1], [40], [1, 40], list(range(1, 41))])
async def test_unreadable_rows_at_the_ends_do_not_stop_a_project(granularity: str, tasks: list[int]) -> None:
    """Neither the highest id nor a count needs a row that parses; a project of nothing else goes on too."""
    async with (
        LabelStudioPlatform(40, mix=Mix.finished()) as platform,
        mirrored(platform, granularity=granularity) as mirror,
    ):
        for task in tasks:
            platform.faults.add("corrupt", task=task)
        assert await mirror.sync() == "full"
        assert len(mirror.owed) == len(tasks)
        await mirror.sync()
        platform.faults.clear()
        await mirror.sync()
        assert (len(mirror.items), mirror.owed) == (40, {})


async def test_a_row_that_makes_the_server_fail_is_owed() -> None:
    """NaN in task data is a 500 on the real server for every page that holds the row."""
    async with LabelStudioPlatform(60, mix=Mix.finished()) as platform, mirrored(platform, page_size=20) as mirror:
        platform.faults.add("status", route="tasks", task=33, status=500, times=None)
        assert await mirror.sync() == "full"
        assert [key.item for key in mirror.owed] == ["33"]
        assert len(mirror.items) == 59


@pytest.mark.parametrize("kind", ["reset", "garbage", "login", "cut"])
async def test_a_transient_fault_in_the_middle_changes_nothing(kind: Any) -> None:
    """A dropped connection, half a body or a login page costs time, not tasks."""
    async with LabelStudioPlatform(120, mix=Mix.finished()) as platform, mirrored(platform, page_size=20) as mirror:
        platform.faults.add(kind, route="tasks", after=3, times=2)
        assert await mirror.sync() == "full"
        assert (items(mirror), mirror.owed) == (list(range(1, 121)), {})


async def test_a_server_that_is_away_is_an_error_not_a_flood_of_broken_rows() -> None:
    """When nothing answers, the listing ends at once with the server's state, and what was listed stays valid."""
    async with LabelStudioPlatform(120, mix=Mix.finished()) as platform:
        limits = {"attempts": 2}
        async with mirrored(platform, page_size=20, read_ahead=1, limits=limits) as mirror:
            platform.faults.add("status", route="tasks", after=3, times=None, status=503)
            with pytest.raises(Unavailable):
                await mirror.sync()
            assert mirror.owed == {}
            assert sum(platform.traffic.requests.values()) < 12
            platform.faults.clear()
            assert await mirror.sync() == "full"
            assert items(mirror) == list(range(1, 121))


@asynccontextmanager
async def _broken_list(reply: HttpError) -> Any:
    table = Table(1)
    mirror = await table.mirror()
    table.http.on("/api/tasks/", reply)
    yield mirror


async def test_a_deleted_project_is_gone_and_a_proxys_404_is_not() -> None:
    """Only the server's own words are believed: any other 404 says nothing about the project."""
    async with _broken_list(refusal(404, {"detail": "No Project matches the given query."})) as mirror:
        with pytest.raises(PartitionGone, match="project 7"):
            await mirror.sync()
    async with _broken_list(refusal(404, b"<html>nginx</html>")) as mirror:
        with pytest.raises(Unavailable, match="not in Label Studio's own words"):
            await mirror.sync()
    async with _broken_list(refusal(404, {"detail": "Invalid page."})) as mirror:
        assert await mirror.sync() == "full"


async def test_a_refused_token_stops_with_a_hint() -> None:
    """A 401 on a listing says which kind of token the server wants."""
    detail = "Authentication token no longer valid: legacy token authentication has been disabled"
    async with _broken_list(refusal(401, {"detail": detail})) as mirror:
        with pytest.raises(PermissionRefused) as caught:
            await mirror.sync()
    assert caught.value.hint is not None
    assert "personal access token" in caught.value.hint
