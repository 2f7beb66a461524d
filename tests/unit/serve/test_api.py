"""The API's answers, and the document that describes them."""

import json
from datetime import datetime

import pytest

from syncer.model.errors import Exit, PermissionRefused, StoreFailed
from syncer.serve.api import Api
from syncer.serve.openapi import describe
from tests.support.crews import crewed
from tests.support.desk import Desk, idle, lively, owing
from tests.support.visitor import visiting


async def test_jobs_are_as_the_desk_shows_them() -> None:
    """All jobs come in the order of the configuration, with run, history and figures."""
    async with visiting() as visitor:
        answer = await visitor.get("/api/v1/jobs")
        jobs = answer.json()["jobs"]
        assert [each["name"] for each in jobs] == ["highway", "street", "clinic", "parts", "archive"]
        live = jobs[0]["live"]
        assert (live["stored"], live["total"], live["eta_seconds"]) == (3_204, 8_400, 477.0)
        assert jobs[0]["sinks"]["nightly"] == "file:///srv/exports/highway.zip"
        assert (jobs[3]["last_run"]["exit_code"], jobs[3]["last_run"]["outcome"]) == (75, "Not now")
        assert datetime.fromisoformat(jobs[1]["next_run"]).tzinfo is not None
        assert jobs[4]["last_run"] is None
        one = await visitor.get("/api/v1/jobs/clinic")
        assert (one.json()["state"], one.json()["paused"], one.json()["owed"]) == ("paused", True, 4)


async def test_platforms_and_process_are_shown() -> None:
    """Limits, throttles and circuits by platform; and how the daemon itself is."""
    async with visiting() as visitor:
        platforms = {each["name"]: each for each in (await visitor.get("/api/v1/platforms")).json()["platforms"]}
        assert platforms["kognic"]["requests_per_second"] == {"https://annotation.example.com": 27.5}
        assert [platforms[name]["circuit"] for name in ("studio", "clarifai", "vi")] == ["closed", "open", "half-open"]
        process = (await visitor.get("/api/v1/process")).json()
        assert (process["version"], process["ready"], process["reasons"]) == ("1.2.3", True, [])


async def test_a_fleet_is_shown_where_there_can_be_one() -> None:
    """Workers, queues, runs and shared limits; null where the state is a file."""
    async with visiting() as visitor:
        assert (await visitor.get("/api/v1/fleet")).json() == {"fleet": None}
        visitor.desk.crew = crewed()
        fleet = (await visitor.get("/api/v1/fleet")).json()["fleet"]
    assert [(each["name"], each["state"]) for each in fleet["workers"]] == [
        ("a", "working"), ("b", "working"), ("c", "silent"),
    ]  # fmt: skip
    assert fleet["queues"][0] == {"name": "default", "waiting": 89, "running": 7, "stalled": 1}
    assert [(each["job"], each["state"], each["paused"]) for each in fleet["runs"]][1:3] == [
        ("clinic", "running", True), ("highway", "planning", False),
    ]  # fmt: skip
    assert fleet["accounts"][1] == {
        "name": "vi", "origin": "https://vi.example.com", "requests_per_second": None, "concurrency": 16,
        "pause_seconds": 41.0, "members": 2,
    }  # fmt: skip


async def test_lists_come_in_pages() -> None:
    """Owed items and runs come page by page, each once, with the way to the next page."""
    desk = Desk()
    desk.views = {"clinic": idle("clinic", owed=7)}
    desk.debts = {"clinic": owing("clinic", 7)}
    async with visiting(desk) as visitor:
        items, offset = [], 0
        while offset is not None:
            page = (await visitor.get(f"/api/v1/jobs/clinic/owed?limit=3&offset={offset}")).json()
            items += [item["key"][4] for item in page["items"]]
            offset = page["next"]
        assert items == [f"clinic-{number:04d}" for number in range(7)]
    async with visiting() as visitor:
        runs = (await visitor.get("/api/v1/runs?limit=500")).json()["runs"]
        assert len(runs) == len(visitor.desk.history)
        assert [run["started"] for run in runs] == sorted((run["started"] for run in runs), reverse=True)
        mine = (await visitor.get("/api/v1/jobs/parts/runs?limit=2")).json()
        assert [run["job"] for run in mine["runs"]] == ["parts", "parts"]
        assert mine["next"] == 2


async def test_locators_are_not_shown() -> None:
    """Where an item is fetched from, a signed link perhaps, stays inside, and so does what a listing said of it."""
    desk = Desk()
    desk.views = {"clinic": idle("clinic", owed=1)}
    item = owing("clinic", 1)[0]
    desk.debts = {
        "clinic": [type(item)(**{**_fields(item), "hint": "https://s3/x?sig=SIGNED", "fields": {"a": "MINE"}})]
    }
    async with visiting(desk) as visitor:
        for path in ("/api/v1/jobs/clinic/owed", "/"):
            text = (await visitor.get(path)).text
            assert "clinic-0000" in text
            assert "SIGNED" not in text
            assert "MINE" not in text


def _fields(item: object) -> dict[str, object]:
    return {name: getattr(item, name) for name in type(item).__struct_fields__}  # type: ignore[attr-defined]


async def test_what_is_asked_for_is_done() -> None:
    """Trigger, pause, resume and retry reach the daemon, and say what came of it."""
    async with visiting() as visitor:
        assert (await visitor.post("/api/v1/jobs/street/trigger")).json() == {"started": True}
        assert (await visitor.post("/api/v1/jobs/street/trigger")).json() == {"started": False}
        paused = await visitor.post("/api/v1/jobs/archive/pause")
        assert (paused.status, paused.json()["paused"]) == (200, True)
        assert (await visitor.post("/api/v1/jobs/archive/resume")).json()["paused"] is False
        key = (await visitor.get("/api/v1/jobs/clinic/owed?limit=1")).json()["items"][0]["key"]
        some = await visitor.post(
            "/api/v1/jobs/clinic/retry", json.dumps({"keys": [key]}), Content_Type="application/json"
        )
        assert (some.status, some.json()) == (202, {"retried": 1})
        assert (await visitor.post("/api/v1/jobs/clinic/retry")).json() == {"retried": 3}
        assert visitor.desk.asked == [
            ("trigger", "street", "api"), ("trigger", "street", "api"), ("pause", "archive"), ("resume", "archive"),
            ("retry", "clinic", "clinic-0000"), ("retry", "clinic", "all"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/jobs/nothing", None, 404), ("GET", "/nothing", None, 404), ("GET", "/jobs/a%2Fb", None, 404),
        ("POST", "/jobs/nothing/trigger", None, 404), ("GET", "/runs?limit=0", None, 422),
        ("GET", "/runs?limit=many", None, 422), ("GET", "/runs?limit=1&limit=2", None, 422),
        ("GET", "/runs?order=up", None, 422), ("GET", "/runs?offset=-1", None, 422), ("GET", "/jobs?x=1", None, 422),
        ("DELETE", "/jobs", None, 405), ("POST", "/jobs", None, 405),
        ("POST", "/jobs/clinic/retry", '{"keys": "all"}', 422), ("POST", "/jobs/clinic/retry", "{", 422),
        ("POST", "/jobs/clinic/retry", '{"keys": [["annotation"]]}', 422),
        ("POST", "/jobs/clinic/retry", '{"other": 1}', 422), ("POST", "/jobs/clinic/retry", "[" * 10_000, 422),
    ],
)  # fmt: skip
async def test_errors_are_problems(method: str, path: str, body: str | None, status: int) -> None:
    """Whatever can't be answered is said as RFC 9457 problem details, never with a trace or a page."""
    async with visiting() as visitor:
        sent = {"Origin": visitor.origin, "Content-Type": "application/json" if body else ""}
        answer = await visitor.send(method, f"/api/v1{path}", body, **sent)
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        problem = answer.json()
        assert (problem["status"], problem["type"], bool(problem["title"])) == (status, "about:blank", True)
        assert visitor.desk.asked == []
        assert visitor.warnings == []


async def test_a_body_says_what_it_is() -> None:
    """A body that is not JSON by its own word is refused: a form of another page is never one."""
    async with visiting() as visitor:
        assert (await visitor.post("/api/v1/jobs/clinic/retry", {"keys": "x"})).status == 415


@pytest.mark.parametrize(
    ("error", "status", "logged"),
    [
        (StoreFailed("the state can't be read"), 503, False),
        (PermissionRefused("not ours", hint="chown it"), 500, True),
        (RuntimeError("an inner matter"), 500, True),
    ],
)
async def test_failures_inside_are_told_apart(error: Exception, status: int, *, logged: bool) -> None:
    """A state that is away is 503; a bug is 500, its words stand in the log alone."""
    async with visiting() as visitor:
        visitor.desk.broken = error
        answer = await visitor.get("/api/v1/jobs")
        assert answer.status == status
        assert "an inner matter" not in answer.text
        assert bool(visitor.warnings) == logged
        page = await visitor.get("/")
        assert (page.status, "Shown as it was before" in page.text) == (200, True)
    assert Exit.NOT_NOW == 75


async def test_what_did_not_change_is_not_sent_again() -> None:
    """`If-None-Match` with an answer's ETag is 304 until something moves."""
    async with visiting() as visitor:
        first = await visitor.get("/api/v1/jobs")
        tag = first.headers["ETag"]
        for sent in (tag, f'"other", W/{tag}'):
            again = await visitor.get("/api/v1/jobs", If_None_Match=sent)
            assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
        visitor.desk.change("street", items=1)
        assert (await visitor.get("/api/v1/jobs", If_None_Match=tag)).status == 200


async def test_the_document_is_served() -> None:
    """The OpenAPI document lists every route with its parameters, answers and errors, under unique names."""
    async with visiting() as visitor:
        served = (await visitor.get("/api/v1/openapi.json")).json()
    desk = lively()
    routes = Api(desk, desk).routes()
    assert served == json.loads(json.dumps(describe(routes, desk.version), default=str))
    assert served["openapi"] == "3.1.0"
    found = {(method.upper(), path) for path, methods in served["paths"].items() for method in methods}
    assert found == {(route.method, f"/api/v1{route.path}") for route in routes}
    assert len({route.operation for route in routes}) == len(routes)
    slices = served["paths"]["/api/v1/runs"]["get"]["parameters"]
    assert slices[0]["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
