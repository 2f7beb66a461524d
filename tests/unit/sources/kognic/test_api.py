"""Answers: their envelopes, rows that can't be read, errors in the platform's words, and ends that are announced."""

from typing import Any

import pytest

from syncer.model.errors import BadBody, Forbidden, PartitionGone, PermissionRefused, SettingsError, UnknownName
from syncer.model.events import Event, Warned
from syncer.model.refs import AnnotationRef, ItemKey, Page, Partition, PartitionKey
from syncer.model.secret import Secret
from syncer.ports import Request, Response, Selection, Source, Tools
from syncer.sources.kognic import PLUGIN
from syncer.sources.kognic.api import Api
from syncer.sources.kognic.auth import PATH
from syncer.sources.kognic.listing import ByType, pages
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp, refusal
from tests.support.mirror import Known, Mirror

URL = "https://input.app.example"
SEARCH = "/v1/annotations/projects/p%2F1/batch/b/annotation-type/t/search"
KEY = PartitionKey("p/1", "b", "t")


class Server(FakeHttp):
    """A platform whose routes the test gives."""

    def __init__(self) -> None:
        super().__init__()
        self.on(PATH, {"access_token": "token"}, "POST")
        self.said: list[Event] = []

    def source(self, **options: Any) -> Source:
        """Return a source on it."""
        account = {"client_id": f"id-{id(self)}", "client_secret": Secret.literal("secret")}
        settings = PLUGIN.options(url=URL, details=False, **account, **options)
        return PLUGIN.create(settings, self, Tools("kognic", InstantClock(), self.said.append))

    def api(self) -> Api:
        """Return the requests of one."""
        api: Api = self.source()._server.api  # type: ignore[attr-defined]  # the section is what is tested
        return api


def row(scene: str, created: str = "2026-10-02T08:12:23.000001Z", **more: object) -> dict[str, object]:
    """Return a row of a listing."""
    return {"inputUuid": scene, "annotationType": "t", "created": created, "uri": f"https://s.example/{scene}", **more}


async def listed(server: Server, mirror: Mirror | None = None) -> list[Page]:
    """Return the pages of a listing from nothing."""
    source = server.source()
    known = Known(mirror or Mirror(source, Partition(KEY)), 0)
    return [page async for page in source.discover(Partition(KEY), None, known)]


@pytest.mark.parametrize(
    "answer",
    [
        [{"project": "p"}],
        {"data": [{"project": "p"}]},
        {"data": [{"project": "p"}], "metadata": None},
        {"data": [{"project": "p"}], "metadata": {"nextCursorId": None}, "more": 1},
    ],
)
async def test_lists_come_bare_or_in_an_envelope(answer: object) -> None:
    """A list as it is, or as `data`; either way it is read."""
    server = Server()
    server.on("/v1/projects", answer)
    assert await server.source().projects() == [{"id": "p", "title": "", "status": ""}]


async def test_an_object_comes_bare_too() -> None:
    """A single annotation without an envelope is read, its content to the letter."""
    server = Server()
    path = "/v1/annotations/inputs/s/annotation-type/t"
    server.on(path, b'{"inputUuid":"s","created":"2026-10-02T08:12:23Z","content":{"a": 1.10,"a":2}}')
    body = await server.source().get(("s", "t"))
    assert (body.data, body.version) == (b'{"a": 1.10,"a":2}', "2026-10-02T08:12:23.000000Z")


async def test_a_page_can_be_empty_and_not_the_last() -> None:
    """Cursors are followed, as text or number, percent-encoded; a repeated one ends the listing as untrustworthy."""
    server = Server()
    answers: dict[str | None, object] = {
        None: {"data": [row("a")], "metadata": {"nextCursorId": "x/ +"}},
        "x/ +": {"data": [], "metadata": {"nextCursorId": 7}},
        "7": {"data": [row("b")], "metadata": {}},
    }
    server.on(SEARCH, lambda request: answers[dict(request.params).get("cursorId")])
    found = await listed(server)
    assert [ref.key.item for page in found for ref in page.refs] == ["a", "b"]
    assert [page.end for page in found] == [None, None, None, "full"]
    answers["7"] = {"data": [], "metadata": {"nextCursorId": "7"}}
    with pytest.raises(BadBody, match="repeats a page token"):
        await listed(server)


async def test_the_frame_of_cuboids_is_asked_on_every_page() -> None:
    """`useDefaultCartesian` stands on each request of a listing, and shapes the documents' fingerprint."""
    server = Server()
    server.on(
        SEARCH,
        lambda request: {"data": [], "metadata": {"nextCursorId": None if request.params[0][0] == "cursorId" else 1}},
    )
    async for _ in pages(ByType(server.api(), iso=True), KEY, None):
        pass
    asked = [dict(request.params) for request in server.requests if SEARCH in request.url]
    assert asked == [{"useDefaultCartesian": "true"}, {"cursorId": "1", "useDefaultCartesian": "true"}]
    assert server.source(iso_rotated_cuboids=True).shape == {"iso_rotated_cuboids": "true"}
    assert server.source().shape == {}


async def test_a_row_that_cannot_be_read_is_owed_alone() -> None:
    """The others of its page are listed; a row that does not even name its scene makes the page unreadable."""
    server = Server()
    server.on(SEARCH, {"data": [row("a"), {"inputUuid": "b", "created": 7}, row("c", uri=None)], "metadata": {}})
    first, last = await listed(server)
    assert [ref.key.item for ref in first.refs] == ["a", "c"]
    assert [broken.key.item for broken in first.broken] == ["b"]
    assert last.end == "full"
    server.on(SEARCH, {"data": [row("a"), {"created": "2026"}], "metadata": {}})
    with pytest.raises(BadBody, match="names no scene"):
        await listed(server)


async def test_garbage_of_the_moment_is_asked_again_once() -> None:
    """A body that does not parse is read anew; twice is an error."""
    server, answers = Server(), [b'{"data": [{"inp', b'{"data":[],"metadata":{}}']
    server.on(SEARCH, lambda _: answers.pop(0) if answers else b"nonsense{")
    assert (await listed(server))[-1].end == "full"
    with pytest.raises(BadBody, match="can't be read"):
        await listed(server)


@pytest.mark.parametrize("scenes", [(), ({"sceneUuid": "a", "created": "2026-10-03T00:00:00Z", "requestUid": "r"},)])
async def test_of_two_deliveries_of_one_request_the_newest_is_listed_last(scenes: tuple[object, ...]) -> None:
    """A scene that is listed twice for one request is one item, in its newest version, whatever the order."""
    old, new = row("a", "2026-10-02T00:00:00Z"), row("a", "2026-10-03T00:00:00Z")
    for rows in ([old, new], [new, old]):
        server = Server()
        server.on("/v2/scenes/a/annotations", list(scenes))
        server.on(SEARCH, {"data": rows, "metadata": {}})
        refs = [ref for page in await listed(server) for ref in page.refs]
        assert {ref.key.item for ref in refs} == {"a"}
        assert refs[-1].version == "2026-10-03T00:00:00.000000Z"


async def test_words_of_the_platform_are_passed_on() -> None:
    """A refusal says what the platform says; 404 freezes the partition; a 401 is a matter of permission."""
    server = Server()
    for status, error in ((403, Forbidden), (404, PartitionGone), (401, PermissionRefused)):
        server.on(SEARCH, refusal(status, {"message": "ask your administrator"}))
        with pytest.raises(error) as caught:
            await listed(server)
        if status == 403:
            assert "ask your administrator" in str(getattr(caught.value, "hint", ""))


async def test_an_end_that_is_announced_is_told_once() -> None:
    """`sunset-date` is warned of once for a kind of route, whatever the ids in it."""
    server = Server()

    def reply(request: Request) -> Response:
        return Response(200, {"sunset-date": "2026-12-01T00:00:00.000000Z"}, b"[]", request.url)

    for project in ("one-1", "two-2"):
        server.on(f"/v1/projects/{project}/batches", reply)
    source = server.source()
    for project in ("one-1", "two-2"):
        assert await source.batches(project) == []
    (warning,) = [event.message for event in server.said if isinstance(event, Warned)]
    assert warning.startswith("the platform will remove /v1/projects/…/batches on 2026-12-01")


async def test_the_organization_is_named_to_the_api_alone() -> None:
    """Its header goes with requests of the API, not to the token service and not to storage."""
    server = Server()
    server.on(
        "/v2/inputs/i/annotation", {"sceneUuid": "s", "created": "2026-10-02T08:12:23Z", "uri": "https://s.example/d"}
    )
    server.on("/d", b"{}")
    await server.source(organization=42).get(("input", "i"))
    named = {request.url: dict(request.headers).get("X-Organization-Id") for request in server.requests}
    assert {url.partition("/v")[0]: value for url, value in named.items()} == {
        "https://auth.app.example": None, URL: "42", "https://s.example/d": None,
    }  # fmt: skip
    assert [request.auth for request in server.requests if request.content] == [None]


async def test_a_literal_that_was_synced_before_may_be_gone() -> None:
    """Names of batches and types that a project does not have are told by their own names, after everything else."""
    server = Server()
    server.on("/v1/projects", [{"project": "p", "title": "Same"}, {"project": "q", "title": "Same"}])
    server.on("/v1/projects/p/batches", [{"batch": "b1"}, {"batch": "b2"}])
    server.on("/v1/projects/p/batches/b1/annotation-types", ["cars", "lanes"])
    server.on("/v1/projects/p/batches/b2/annotation-types", ["lanes"])
    found = [
        str(partition.key)
        async for partition in server.source().partitions(Selection(("p",), ("b*",), ("cars", "la*")))
    ]
    assert found == ["p / b1 / cars", "p / b1 / lanes", "p / b2 / lanes"]
    partitions = server.source().partitions(Selection(("p",), ("b1", "b3"), ("cars", "poles")))
    assert str((await anext(partitions)).key) == "p / b1 / cars"
    with pytest.raises(UnknownName, match=r"no batch 'b3'; .*no annotation type 'poles'") as caught:
        await anext(partitions)
    assert caught.value.names == ("b3", "poles")
    with pytest.raises(SettingsError, match="2 projects have the title 'Same'"):
        [partition async for partition in server.source().partitions(Selection(("Same",)))]


async def test_alike_failures_look_alike() -> None:
    """Reasons of items that storage refuses name its origin and status, not the item: a platform that is down shows."""
    server = Server()
    server.on("/x", refusal(500))
    source = server.source()
    reasons = set()
    for scene in ("a", "b"):
        server.on(f"/{scene}", refusal(503))
        server.on(SEARCH, {"data": [row(scene)], "metadata": {}})
        (page, _) = [
            page async for page in source.discover(Partition(KEY), None, Known(Mirror(source, Partition(KEY)), 0))
        ]
        (outcome,) = [outcome async for outcome in source.open(page.refs)]
        reasons.add(str(outcome))
    assert len(reasons) == 1


async def test_context_is_opened_by_its_key() -> None:
    """An owed context document is had again by its key alone; one that is not there any more is gone."""
    server = Server()
    server.on("/v1/projects", b'[{"project":"p/1","title":"T","n":1.10}]')
    server.on("/v1/projects/p%2F1/batches", b'[{"batch":"b","updated":"2026","status":"open"}]')
    source = server.source()
    refs = [ref async for ref in source.context(Partition(KEY))]
    assert [ref.inline for ref in refs] == [b'{"project":"p/1","title":"T","n":1.10}', b'{"batch":"b","status":"open"}']
    ghost = ItemKey("context", "p/1", "b", "t", "ghost")
    outcomes = [
        outcome
        async for outcome in source.open([*(AnnotationRef(ref.key, "") for ref in refs), AnnotationRef(ghost, "")])
    ]
    assert [getattr(outcome, "gone", getattr(outcome, "data", None)) for outcome in outcomes] == [
        refs[0].inline, refs[1].inline, True,
    ]  # fmt: skip


async def test_links_to_the_api_itself_are_chosen_before_they_wait() -> None:
    """Where documents lie behind the API's own address, a link is not asked for while slots of that origin are held."""
    server = Server()
    links = iter(range(9))
    server.on(SEARCH, lambda _: {"data": [row("a", uri=f"{URL}/documents/{next(links)}")], "metadata": {}})
    server.on("/documents/0", refusal(403))
    server.on("/documents/1", b"{}")
    source = server.source()
    page, _ = await listed(server, Mirror(source, Partition(KEY)))
    (outcome,) = [outcome async for outcome in source.open(page.refs)]
    assert getattr(outcome, "data", outcome) == b"{}"
    content = [request for request in server.requests if request.content]
    assert [request.url.rpartition("/")[2] for request in content] == ["0", "1"]
    assert [request.link for request in content] == [None, None]


async def test_a_correction_during_a_listing_is_no_deletion() -> None:
    """Newest first, a corrected item jumps to a page that was read already: a second look finds it there."""
    server, days = Server(), dict(zip("abcdefgh", range(1, 9), strict=True))
    for scene in days:
        server.on(f"/{scene}", b"{}")

    def newest_first(request: Request) -> object:
        before = int(dict(request.params).get("cursorId", 99))
        rest = sorted(((day, scene) for scene, day in days.items() if day < before), reverse=True)
        rows = [row(scene, f"2026-10-{day:02}T00:00:00Z") for day, scene in rest[:2]]
        return {"data": rows, "metadata": {"nextCursorId": rest[1][0] if len(rest) > 2 else None}}

    server.on(SEARCH, newest_first)
    source = server.source()
    mirror = Mirror(source, Partition(KEY))
    await mirror.sync()
    asked = server.paths().count(f"GET {SEARCH}")
    await mirror.sync()
    assert server.paths().count(f"GET {SEARCH}") == 2 * asked
    listing = source.discover(Partition(KEY), mirror.cursor, Known(mirror, len(mirror.items)))
    pages = [await anext(listing)]
    days["a"] = 20
    del days["e"]
    pages += [page async for page in listing]
    versions = {ref.key.item: ref.version for page in pages for ref in page.refs}
    assert set("abcdefgh") - versions.keys() == {"e"}
    assert versions["a"] == "2026-10-20T00:00:00.000000Z"
    assert [page.end for page in pages if page.end] == ["full"]
