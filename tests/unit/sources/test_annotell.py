"""Annotell: what differs from Kognic, and the API without times."""

from collections.abc import Mapping
from typing import Any

import pytest

from syncer.model.errors import BadBody, ItemFailed, SettingsError
from syncer.model.refs import AnnotationRef, ItemKey, Page, Partition, PartitionKey
from syncer.model.secret import Secret
from syncer.ports import Request, Selection, Source, Tools
from syncer.sources.annotell import PLUGIN
from syncer.sources.kognic.auth import PATH
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp, refusal
from tests.support.mirror import Known, Mirror

KEY = PartitionKey("p")
INPUTS = [{"internalId": uuid, "externalId": uuid.upper(), "status": "created"} for uuid in ("a", "b", "c")]


class Server(FakeHttp):
    """A platform of three inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.on(PATH, {"access_token": "token"}, "POST")
        self.on("/v1/inputs", lambda _: [*INPUTS, {"internalId": "z", "status": "processing"}])
        self.on("/v1/annotations", self.contents)
        #: Contents by input: id of the annotation, and its text.
        self.held: dict[str, list[tuple[object, str]]] = {"a": [(1, '{"n":1.10}')], "b": [("2", "[]"), (3, "{}")]}

    def contents(self, request: Request) -> bytes:
        """Answer with what is asked for and there."""
        wanted = dict(request.params)["inputs"].split(",")
        assert "z" not in wanted
        return b'{"data":{%b}}' % b",".join(
            f'"{uuid}":[{",".join(_content(*each) for each in self.held[uuid])}]'.encode()
            for uuid in wanted
            if uuid in self.held
        )

    def source(self, **options: Any) -> Source:
        """Return a source on it."""
        account = {"client_id": f"id-{id(self)}", "client_secret": Secret.literal("secret")}
        settings = PLUGIN.options(**{"api": "1.0", **account, **options})
        return PLUGIN.create(settings, self, Tools("annotell", InstantClock(), lambda _: None))

    async def listed(self, live: int = 0, select: Selection | None = None) -> list[Page]:
        """Return the pages of a pass."""
        source = self.source()
        known = Known(Mirror(source, Partition(KEY)), live)
        return [page async for page in source.discover(Partition(KEY), None, known, select)]


def _content(number: object, text: str) -> str:
    shown = f'"{number}"' if isinstance(number, str) else str(number)
    return f'{{"annotationId":{shown},"exportContent":{text}}}'


async def test_contents_are_exact_and_named_by_their_input() -> None:
    """One of an input is called after it, several after their ids too; inputs without one are absent."""
    page, last = await Server().listed()
    assert {ref.key.item: ref.inline for ref in page.refs} == {"a": b'{"n":1.10}', "b~2": b"[]", "b~3": b"{}"}
    assert (page.refs[0].fields, last.end) == ({"scene_uuid": "a", "scene_external_id": "A"}, "full")


async def test_versions_follow_id_and_content() -> None:
    """The same annotation has the same version; another id or another content has another one."""
    server = Server()

    async def versions() -> Mapping[str, str]:
        page, _ = await server.listed()
        return {ref.key.item: ref.version for ref in page.refs}

    before = await versions()
    assert await versions() == before
    server.held["a"] = [(1, '{"n":1.2}')]
    assert (await versions())["a"] != before["a"]
    server.held["a"] = [(9, '{"n":1.10}')]
    assert (await versions())["a"] != before["a"]


async def test_a_hundred_inputs_a_request_in_order() -> None:
    """Long lists of uuids are cut, because they stand in the address."""
    server = Server()
    uuids = [f"{number:04}" for number in range(230)]
    server.on("/v1/inputs", [{"internalId": uuid, "status": "created"} for uuid in uuids])
    server.held = {uuid: [(1, "{}")] for uuid in uuids}
    pages = await server.listed()
    assert [len(page.refs) for page in pages] == [100, 100, 30, 0]
    assert [ref.key.item for page in pages for ref in page.refs] == uuids


async def test_one_unreadable_content_is_owed_alone() -> None:
    """Its chunk is halved down to it; where items are stored, absence then proves nothing; all bad is an error."""
    server = Server()
    server.held |= {"a": [(1, "NaN")], "c": [(4, "{}")]}
    page, last = await server.listed()
    assert [ref.key.item for ref in page.refs] == ["b~2", "b~3", "c"]
    assert [broken.key.item for broken in page.broken] == ["a"]
    assert last.end == "full"
    assert (await server.listed(live=3))[-1].end == "delta"
    (outcome,) = [each async for each in server.source().open([AnnotationRef(page.broken[0].key, "")])]
    assert isinstance(outcome, ItemFailed)
    assert not outcome.gone
    server.on("/v1/annotations", b"nonsense{")
    with pytest.raises(BadBody):
        await server.listed()


async def test_items_are_opened_by_their_keys() -> None:
    """Many in one request; what is not there is gone, and a request that fails fails each of them."""
    server = Server()
    keys = [ItemKey("annotation", "p", None, None, item) for item in ("a", "b~3", "b", "ghost")]
    source = server.source()
    outcomes = [each async for each in source.open([AnnotationRef(key, "") for key in keys])]
    assert [getattr(each, "data", getattr(each, "gone", None)) for each in outcomes] == [
        b'{"n":1.10}',
        b"{}",
        True,
        True,
    ]
    assert server.paths().count("GET /v1/annotations") == 1
    server.on("/v1/annotations", refusal(503))
    assert [getattr(each, "gone", None) async for each in source.open([AnnotationRef(keys[0], "")])] == [False]


async def test_named_items_narrow_a_pass() -> None:
    """Only the inputs of the named items are asked for, and absence proves nothing."""
    page, last = await Server().listed(select=Selection(items=("b~3",)))
    assert ([ref.key.item for ref in page.refs], last.end) == (["b~2", "b~3"], "delta")


@pytest.mark.parametrize(
    ("parts", "content"), [(("a",), b'{"n":1.10}'), (("b", "2"), b"[]"), (("b",), None), (("c",), None), ((), None)]
)
async def test_get_names_an_input_and_of_several_an_annotation(parts: tuple[str, ...], content: bytes | None) -> None:
    """What is not one document is a matter of settings, and the message names the ids there are."""
    source = Server().source()
    if content is not None:
        assert (await source.get(parts)).data == content
        return
    with pytest.raises(SettingsError) as caught:
        await source.get(parts)
    if parts == ("b",):
        assert caught.value.hint == "their ids are: 2, 3"


async def test_what_the_first_api_cannot_do_is_said() -> None:
    """Annotation types and windows of time are refused before anything is asked."""
    server = Server()
    for select in (Selection(("p",), (), ("cars",)), Selection(("p",), since=InstantClock().now())):
        with pytest.raises(SettingsError, match=r"API 1\.0"):
            [each async for each in server.source().partitions(select)]
    assert server.requests == []


async def test_old_hosts_and_releases() -> None:
    """The hosts of then are the defaults; a release may stand there as a number, as YAML reads it."""
    options = PLUGIN.options(api=1.1)
    assert (options.url, options.auth_address, options.api) == (
        "https://input.annotell.com", "https://user.annotell.com", "1.1",
    )  # fmt: skip
    assert options.own_urls() == ("https://user.annotell.com",)
    assert PLUGIN.defaults["credentials"] == ("env:ANNOTELL_CREDENTIALS",)


async def test_a_release_without_pages_or_details_is_listed_in_one_piece() -> None:
    """Where `search` is not there the older route is; without external ids; a repeated scene's newest counts."""
    server = Server()
    row = {"inputUuid": "a", "annotationType": "t", "created": "2021-10-02T08:12:23Z"}
    server.on("/v1/annotations/projects/p/annotation-type/t", [row, {**row, "created": "2021-10-01T00:00:00Z"}])
    server.on("/v1/annotations/inputs/a/annotation-type/t", {**row, "content": {"openlabel": {}}})
    source = server.source(api="1.1")
    partition = Partition(PartitionKey("p", None, "t"))
    known = Known(Mirror(source, partition), 0)
    page, last = [page async for page in source.discover(partition, None, known)]
    (ref,) = page.refs
    assert (ref.version, ref.hint, ref.fields["scene_external_id"], last.end) == (
        "2021-10-02T08:12:23.000000Z", None, "", "full",
    )  # fmt: skip
    (body,) = [each async for each in source.open([ref])]
    assert getattr(body, "data", None) == b'{"openlabel": {}}'
