"""Projects: what a selection names, what their context documents say, and how they are listed for people."""

import json

import pytest
from msgspec.structs import replace

from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.errors import BadBody, PartitionGone, SettingsError, Unavailable, UnknownName
from syncer.model.refs import Partition, PartitionKey
from syncer.ports import Selection, Source, Tools
from syncer.sources.label_studio import PLUGIN
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp, refusal
from tests.support.studio_source import partitions_of, studio_source


async def found(source: Source, *projects: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the ids that a selection yields, and the names that it does not know."""
    ids: list[str] = []
    try:
        async for partition in source.partitions(Selection(projects=projects)):
            ids.append(partition.key.project)  # noqa: PERF401  # what came before an unknown name counts
    except UnknownName as error:
        return ids, error.names
    return ids, ()


async def test_projects_are_named_by_id_title_or_glob() -> None:
    """Literals may be ids or exact titles, globs match either; each project comes once, by id as a number."""
    async with LabelStudioPlatform() as platform:
        for number in range(1, 13):
            platform.store.create_project(f"Street {number}" if number % 2 else "odd [v2]" if number == 4 else "same")
        async with studio_source(platform.url, platform.token) as source:
            assert await found(source, "7", "2") == (["2", "7"], ())
            assert await found(source, "Street 3", "1*") == (["1", "3", "10", "11", "12"], ())
            assert await found(source, "odd [v2]") == (["4"], ())
            assert await found(source, "nothing*") == ([], ())
            assert (await found(source))[0] == [str(number) for number in range(1, 13)]
            assert await found(source, "99", "3", "No title") == (["3"], ("99", "No title"))
            with pytest.raises(SettingsError, match="projects have the title 'same'"):
                await found(source, "same")
            (partition,) = await partitions_of(source, "3")
            assert partition == Partition(PartitionKey("3"), {"project_title": "Street 3"})


async def test_all_pages_of_a_long_list_are_read() -> None:
    """The server serves at most a hundred projects a page."""
    async with LabelStudioPlatform() as platform:
        for number in range(230):
            platform.store.create_project(f"P{number}")
        async with studio_source(platform.url, platform.token) as source:
            platform.traffic.clear()
            assert len((await found(source, "*"))[0]) == 230
            assert dict(platform.traffic.requests) == {"projects": 3}
            assert len(await source.projects()) == 230


async def test_a_selection_that_the_platform_cannot_have_is_refused() -> None:
    """There are no batches and no annotation types here, and the message says so."""
    async with LabelStudioPlatform(5) as platform, studio_source(platform.url, platform.token) as source:
        with pytest.raises(SettingsError, match="no batches"):
            await partitions_of(source, "1", batches=("*",))
        with pytest.raises(SettingsError, match="annotation type"):
            await partitions_of(source, "1", annotation_types=("box",))
        assert len(await partitions_of(source, "1", annotation_types=("*",))) == 1
        assert await source.batches("1") == ()


async def test_the_context_explains_labels_and_nothing_that_moves_by_itself() -> None:
    """Counters and credentials of task data stay out; its version moves with the label configuration alone."""
    async with LabelStudioPlatform(50) as platform, studio_source(platform.url, platform.token) as source:
        (partition,) = await partitions_of(source, "1")
        platform.traffic.clear()
        (first,) = [ref async for ref in source.context(partition)]
        assert not platform.traffic.requests
        document = json.loads(first.inline or b"")
        assert document["label_config"].startswith("<View>")
        assert document["parsed_label_config"]["label"]["labels"] == ["car", "person", "sign"]
        assert not {"task_number", "task_data_password", "queue_total", "created_by"} & set(document)
        platform.store.annotate(10)
        (second,) = [ref async for ref in source.context(partition)]
        assert platform.traffic.requests["project"] == 1
        assert replace(second, inline=None) == replace(first, inline=None)
        platform.store.patch_project(platform.project, {"label_config": "<View/>"})
        (third,) = [ref async for ref in source.context(partition)]
        assert third.version != first.version
        for selected in ("*", "1"):
            (again,) = await partitions_of(source, selected)
            assert [ref.version async for ref in source.context(again)] == [third.version]
        platform.store.delete_project(1)
        with pytest.raises(PartitionGone):
            await anext(source.context(partition))


async def test_who_we_are_and_what_there_is() -> None:
    """`doctor` learns user, release and clock; tables have ids, titles and counts."""
    async with LabelStudioPlatform(50) as platform, studio_source(platform.url, platform.token) as source:
        who = await source.whoami()
        assert (who["user"], who["version"]) == ("admin@example.com", "1.23.2")
        assert who["clock"].endswith("+00:00")
        (row,) = await source.projects()
        assert (row["id"], row["title"], row["tasks"]) == ("1", "Street scenes", "50")


def _source(http: FakeHttp) -> Source:
    settings = PLUGIN.options(url="https://studio.example.com", token="t")
    source: Source = PLUGIN.create(settings, http, Tools("studio", InstantClock(), lambda _: None))
    return source


async def test_a_proxys_404_is_not_an_unknown_project() -> None:
    """Only the server's own words say that a project does not exist."""
    http = FakeHttp()
    http.on("/api/projects/7/", refusal(404, b"<html>nginx</html>"))
    with pytest.raises(Unavailable, match="own words"):
        await partitions_of(_source(http), "7")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"results":[{"name":"x"}]}', b"null"])
async def test_another_kind_of_server_is_named_as_such(body: bytes) -> None:
    """JSON that is not Label Studio's ends in one clear error."""
    http = FakeHttp()
    for path in ("/api/projects/", "/api/projects/7/", "/api/current-user/whoami", "/api/version/"):
        http.on(path, body)
    for selected in ("7", "*"):
        with pytest.raises(BadBody, match="Label Studio"):
            await partitions_of(_source(http), selected)
    with pytest.raises(BadBody, match="Label Studio"):
        await _source(http).whoami()
