"""Opening: documents by their keys alone, in batches, with one answer for each."""

import hashlib
import json
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from syncer.demo.platform.edges import EDGES, seed_edges
from syncer.demo.platform.seeds import Mix
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, PermissionRefused, SettingsError
from syncer.model.refs import CONTEXT, AnnotationRef, ItemKey
from syncer.ports import Source
from tests.support.studio_source import mirrored, studio_source


def ref(item: str, kind: str = "task", project: str = "1") -> AnnotationRef:
    """Return a reference that holds nothing but its key."""
    return AnnotationRef(ItemKey(kind, project, None, None, item), "")


async def opened(source: Source, refs: Sequence[AnnotationRef]) -> dict[str, Body | ItemFailed]:
    """Return what opening yields, by item."""
    outcomes = [outcome async for outcome in source.open(refs)]
    assert len(outcomes) == len(refs)
    return {
        outcome.key.item if isinstance(outcome, ItemFailed) else outcome.ref.key.item: outcome for outcome in outcomes
    }


def data_of(outcome: Body | ItemFailed) -> bytes:
    """Return the document of an outcome."""
    assert isinstance(outcome, Body)
    assert isinstance(outcome.data, bytes)
    return outcome.data


@pytest.mark.parametrize("granularity", ["task", "annotation"])
async def test_opened_documents_are_those_of_the_listing(granularity: str) -> None:
    """By key alone, byte for byte what a first pass carries, also for the oddest documents there are."""
    async with LabelStudioPlatform() as platform:
        project = platform.store.create_project("Edges")
        seed_edges(platform.store, project)
        async with mirrored(platform, granularity=granularity) as mirror:
            await mirror.sync()
            assert len(mirror.items) >= len(EDGES) - 5
            keys = [AnnotationRef(key, "") for key in mirror.items]
            found = await opened(mirror.source, keys)
            for key, item in mirror.items.items():
                outcome = found[key.item]
                assert data_of(outcome) == item.data
                assert isinstance(outcome, Body)
                assert outcome.version == item.version
                assert outcome.ref.inline is None


async def test_a_batch_of_tasks_is_one_request() -> None:
    """A hundred tasks by id come in one page; more are split."""
    async with LabelStudioPlatform(250, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        await opened(mirror.source, [ref(str(number)) for number in range(1, 101)])
        assert platform.traffic.requests["tasks"] == 1
        await opened(mirror.source, [ref(str(number)) for number in range(1, 251)])
        assert platform.traffic.requests["tasks"] == 4


async def test_annotations_come_through_their_tasks_where_these_are_known() -> None:
    """The group on a reference, or the task among its fields, saves a request an annotation."""
    async with (
        LabelStudioPlatform(60, mix=Mix.finished()) as platform,
        mirrored(platform, granularity="annotation") as mirror,
    ):
        await mirror.sync()
        refs = [found for page in mirror.pages for found in page.refs]
        platform.traffic.clear()
        await opened(mirror.source, [replace(found, inline=None) for found in refs])
        await opened(mirror.source, [replace(ref(r.key.item, "annotation"), fields=r.fields) for r in refs])
        assert dict(platform.traffic.requests) == {"tasks": 2}
        bare = [replace(ref(r.key.item, "annotation"), fields={"filename": "x.jpg"}) for r in refs]
        found = await opened(mirror.source, bare)
        assert platform.traffic.requests["annotation"] == len(refs)
        assert all(isinstance(each, Body) and each.ref.fields["filename"] == "x.jpg" for each in found.values())


async def test_what_is_gone_or_unfinished_leaves_the_owed_ones() -> None:
    """Deleted, never existed, skipped since, in another project, or no id of this platform: said, and not owed."""
    async with LabelStudioPlatform(20, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        store = platform.store
        store.delete_tasks([3])
        store.cancel(store.tasks.get(4).annotations[0].id)  # type: ignore[union-attr]
        other = store.create_task(store.create_project("Other"), {"image": "x"})
        store.annotate(other.id)
        asked = [ref(item) for item in ("1", "3", "4", str(other.id), "999", "task-x")]
        found = await opened(mirror.source, asked)
        assert isinstance(found.pop("1"), Body)
        assert all(isinstance(outcome, ItemFailed) and outcome.gone for outcome in found.values())
        skipped = found["4"]
        assert isinstance(skipped, ItemFailed)
        assert skipped.reason == "not finished any more: skipped"
        numbers = [str(store.tasks.get(n).annotations[0].id) for n in (1, 4, other.id)]  # type: ignore[union-attr]
        single = await opened(mirror.source, [ref(number, "annotation") for number in [*numbers, "999"]])
        assert isinstance(single.pop(numbers[0]), Body)
        assert all(isinstance(outcome, ItemFailed) and outcome.gone for outcome in single.values())


async def test_a_newer_document_says_its_version() -> None:
    """The body of an item that changed after it was listed has the version of its bytes."""
    async with LabelStudioPlatform(20, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        listed = next(found for page in mirror.pages for found in page.refs)
        platform.store.annotate(int(listed.key.item))
        outcome = (await opened(mirror.source, [listed]))[listed.key.item]
        assert isinstance(outcome, Body)
        assert outcome.version != listed.version
        await mirror.sync()
        assert mirror.items[listed.key].version == outcome.version


async def test_one_unreadable_document_fails_alone() -> None:
    """A batch is split down to the one that can't be read."""
    async with LabelStudioPlatform(40, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        platform.faults.add("corrupt", task=7)
        platform.faults.add("status", route="tasks", task=9, status=500, times=None)
        found = await opened(mirror.source, [ref(str(number)) for number in range(1, 41)])
        failed = {item for item, outcome in found.items() if isinstance(outcome, ItemFailed)}
        assert failed == {"7", "9"}
        assert not any(outcome.gone for outcome in found.values() if isinstance(outcome, ItemFailed))


async def test_a_server_that_is_away_fails_every_item_once() -> None:
    """Each reference gets its answer, with the origin that is down, after few requests."""
    async with (
        LabelStudioPlatform(40, mix=Mix.finished()) as platform,
        mirrored(platform, limits={"attempts": 2}) as mirror,
    ):
        platform.faults.add("status", times=None, status=503)
        found = await opened(mirror.source, [ref(str(number)) for number in range(1, 41)])
        assert {type(outcome) for outcome in found.values()} == {ItemFailed}
        assert {outcome.origin for outcome in found.values() if isinstance(outcome, ItemFailed)} == {platform.url}
        assert sum(platform.traffic.requests.values()) < 6
        platform.faults.clear()
        platform.faults.add("status", times=None, status=401)
        with pytest.raises(PermissionRefused):
            await opened(mirror.source, [ref("1")])


async def test_a_context_document_can_be_opened_again() -> None:
    """An owed context document is replayed by its key, like any item."""
    async with LabelStudioPlatform(10) as platform, mirrored(platform) as mirror:
        (listed,) = [each async for each in mirror.source.context(mirror.partition)]
        outcome = (await opened(mirror.source, [ref("project", CONTEXT)]))["project"]
        assert data_of(outcome) == listed.inline
        assert hashlib.sha256(data_of(outcome)).hexdigest() == listed.version


async def test_get_returns_one_annotation_as_served() -> None:
    """`syncer get` shows the exact answer, volatile keys included."""
    async with (
        LabelStudioPlatform(10, mix=Mix.finished()) as platform,
        studio_source(platform.url, platform.token) as source,
    ):
        body = await source.get(["3"])
        document = json.loads(data_of(body))
        assert (document["id"], "created_ago" in document) == (3, True)
        assert body.ref.key == ItemKey("annotation", "1", None, None, "3")
        for parts in ([], ["x"], ["1", "2"], ["999"]):
            with pytest.raises(SettingsError):
                await source.get(parts)


async def test_a_mirror_heals_what_it_owes() -> None:
    """Items that could not be opened are opened in the next run, by key alone."""
    async with LabelStudioPlatform(60, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        for number in (5, 6):
            platform.store.annotate(number)
        fault = platform.faults.add("status", route="tasks", where={"fields": "all"}, times=None, status=500)
        await mirror.sync()
        assert {key.item for key in mirror.owed} == {"5", "6"}
        platform.faults.remove(fault)
        await mirror.sync()
        assert mirror.owed == {}
