"""One suite for the `Source` door: every platform, and the one in memory, goes through the same life."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, PartitionGone, SettingsError, SyncerError, UnknownName
from syncer.model.refs import CONTEXT, AnnotationRef, ItemKey, Page
from syncer.ports import Selection
from tests.support.clarifai_subject import clarifai
from tests.support.kognic_subject import annotell, kognic
from tests.support.mirror import Known, Mirror
from tests.support.subjects import Make, Subject, datature, memory, nexus, partition_of, studio

SOURCES = {
    "memory": memory(page_size=5),
    "memory, inline": memory(page_size=5, inline=True),
    "memory, deletions reported": memory(page_size=5, deletions="reported"),
    "memory, no deltas": memory(page_size=5, incremental=False),
    "memory, groups": memory(page_size=3, groups=True),
    "label_studio, tasks": studio("task"),
    "label_studio, annotations": studio("annotation"),
    "datature, annotations": datature("annotation"),
    "datature, assets": datature("asset"),
    "datature, annotations by asset": datature("annotation", objects=False),
    "nexus": nexus(together=3, read_ahead=2),
    "label_studio, one request at a time": studio("task", read_ahead=1),
    "kognic, by annotation type": kognic(by_type=True, cursors="text"),
    "kognic, without types": kognic(),
    "kognic, types phased out": kognic(typed="missing", read_ahead=1),
    "kognic, without details": kognic(by_type=True, details=False),
    "annotell, 1.1": annotell("1.1"),
    "annotell, 1.0": annotell("1.0"),
    "clarifai, annotations": clarifai("annotation"),
    "clarifai, complete listings": clarifai("annotation", full_every=0),
    "clarifai, inputs": clarifai("input"),
    "clarifai, one request at a time": clarifai("annotation", read_ahead=1),
}


@pytest.fixture(params=list(SOURCES.values()), ids=list(SOURCES))
def make(request: pytest.FixtureRequest) -> Make:
    """Return a maker of each source in turn; the test enters it."""
    maker: Make = request.param
    return maker


@asynccontextmanager
async def mirrored(make: Make) -> AsyncIterator[tuple[Subject, Mirror]]:
    """Enter a subject with an empty mirror of its project."""
    async with make() as subject:
        yield subject, Mirror(subject.source, await partition_of(subject))


def held(mirror: Mirror) -> set[str]:
    """Return the ids of what a mirror holds."""
    return {key.item for key in mirror.items}


def numbers(item: str) -> list[int]:
    """Return the numbers in an id, to sort by."""
    return [int(number) for number in re.findall(r"\d+", item)]


async def test_it_says_what_it_is(make: Make) -> None:
    """Origin, path variables with a word about each, options that shape bytes, and how many references `open` takes."""
    async with make() as subject:
        source = subject.source
        assert "://" in source.origin
        assert all(word.isidentifier() and about for word, about in source.variables.items())
        assert all(isinstance(value, str) for value in source.shape.values())
        assert source.features.batch >= 1


async def test_partitions_are_stable_and_unknown_names_come_last(make: Make) -> None:
    """The same selection yields the same twice; a literal that does not exist is raised after everything else."""
    async with make() as subject:
        for select in (Selection(projects=(subject.project,)), Selection(projects=("*",))):
            twice = [[found async for found in subject.source.partitions(select)] for _ in range(2)]
            assert twice[0] == twice[1]
            assert [found.key.project for found in twice[0]] == [subject.project]
        partitions = subject.source.partitions(Selection(projects=("no such project", subject.project)))
        assert (await anext(partitions)).key.project == subject.project
        with pytest.raises(UnknownName) as caught:
            await anext(partitions)
        assert caught.value.names == ("no such project",)


async def test_a_first_pass_lists_everything_and_ends_full(make: Make) -> None:
    """All finished items, once each, on pages whose last alone has an end; after it the iterator stops."""
    async with mirrored(make) as (subject, mirror):
        assert await mirror.sync() == "full"
        assert held(mirror) == subject.live()
        assert [page.end for page in mirror.pages[:-1]] == [None] * (len(mirror.pages) - 1)
        listed = [ref.key for page in mirror.pages for ref in page.refs]
        assert len(listed) == len(set(listed))
        # A source that always lists everything has nothing to remember.
        assert (mirror.pages[-1].cursor is not None) or not subject.source.features.incremental


async def test_a_second_pass_wants_nothing(make: Make) -> None:
    """Versions stand while nothing changes: no document is fetched again, nothing is withdrawn or gone."""
    async with mirrored(make) as (_, mirror):
        await mirror.sync()
        before = dict(mirror.items)
        await mirror.sync()
        assert (mirror.opened, mirror.items, mirror.withdrawn, mirror.gone) == ([], before, {}, set())
        await mirror.sync(relist=True)
        assert (mirror.opened, mirror.items) == ([], before)


async def test_every_change_arrives(make: Make) -> None:
    """New, changed, withdrawn and deleted items are all there after one more pass; only what differs is fetched."""
    async with mirrored(make) as (subject, mirror):
        await mirror.sync()
        changed, withdrawn, deleted, *_ = sorted(subject.live(), key=numbers)
        versions = {key.item: item.version for key, item in mirror.items.items()}
        subject.finish()
        subject.change(changed)
        subject.withdraw(withdrawn)
        subject.delete(deleted)
        await mirror.sync()
        assert held(mirror) == subject.live()
        assert len(mirror.opened) <= 2
        # A platform that knows no withdrawing makes what is taken back look deleted.
        told = {key.item for key in mirror.withdrawn}
        assert told in ({withdrawn}, set())
        assert {key.item for key in mirror.gone} == {withdrawn, deleted} - told
        now = {key.item: item.version for key, item in mirror.items.items()}
        assert {item for item in versions.keys() & now.keys() if versions[item] != now[item]} == {changed}


async def test_what_comes_back_is_listed_again(make: Make) -> None:
    """A withdrawn item that is finished again is an item again."""
    async with mirrored(make) as (subject, mirror):
        await mirror.sync()
        item = min(subject.live(), key=numbers)
        subject.withdraw(item)
        await mirror.sync()
        assert item not in held(mirror)
        subject.change(item)
        await mirror.sync()
        assert item in held(mirror)
        assert held(mirror) == subject.live()


async def test_cursors_cover_exactly_the_pages_before_them(make: Make) -> None:
    """Stopped after any page, a pass goes on from that page's cursor and lists the rest."""
    async with mirrored(make) as (subject, whole):
        await whole.sync()
        count = len(whole.pages)
        for stop in range(1, count):
            mirror = Mirror(whole.source, whole.partition)
            assert await mirror.sync(stop_after=stop) is None
            first = held(mirror)
            assert await mirror.sync() == "full"
            assert held(mirror) == subject.live()
            assert {ref.key.item for page in mirror.pages for ref in page.refs} >= subject.live() - first


async def test_a_listing_that_fails_can_go_on(make: Make) -> None:
    """Pages before the failure stay valid; the next run lists the rest and ends full."""
    async with mirrored(make) as (subject, mirror):
        subject.break_listing()
        with pytest.raises(SyncerError):
            await mirror.sync()
        assert held(mirror) <= subject.live()
        subject.mend()
        assert await mirror.sync() == "full"
        assert held(mirror) == subject.live()


async def test_open_answers_every_reference_from_its_key_alone(make: Make) -> None:
    """By keys without hints: the same bytes and versions as listed; an item that never was is gone."""
    async with mirrored(make) as (_, mirror):
        await mirror.sync()
        some = next(iter(mirror.items))
        ghost = ItemKey(some.kind, some.project, some.batch, some.annotation_type, "999999")
        for first in range(0, len(mirror.items), mirror.source.features.batch):
            keys = [*list(mirror.items)[first : first + mirror.source.features.batch]]
            outcomes = [outcome async for outcome in mirror.source.open([AnnotationRef(key, "") for key in keys])]
            assert len(outcomes) == len(keys)
            for outcome in outcomes:
                assert isinstance(outcome, Body)
                assert outcome.data == mirror.items[outcome.ref.key].data
                assert (outcome.version or outcome.ref.version) == mirror.items[outcome.ref.key].version
        (missing,) = [outcome async for outcome in mirror.source.open([AnnotationRef(ghost, "")])]
        assert isinstance(missing, ItemFailed)
        assert (missing.gone, missing.key) == (True, ghost)


async def test_one_item_that_cannot_be_had_is_owed_alone(make: Make) -> None:
    """All others are stored; once it can be had, it is."""
    async with mirrored(make) as (subject, mirror):
        item = sorted(subject.live(), key=numbers)[20]
        subject.break_item(item)
        assert await mirror.sync() == "full"
        assert item not in held(mirror)
        assert {key.item for key in mirror.owed} >= {item}
        subject.mend()
        await mirror.sync()
        assert (held(mirror), mirror.owed) == (subject.live(), {})


async def test_a_lost_project_is_gone_and_nothing_is_deleted(make: Make) -> None:
    """A 404 freezes the partition; it never looks like an empty one."""
    async with mirrored(make) as (subject, mirror):
        await mirror.sync()
        count = len(mirror.items)
        subject.lose()
        with pytest.raises(PartitionGone):
            await mirror.sync()
        with pytest.raises(PartitionGone):
            await mirror.sync(relist=True)
        assert len(mirror.items) == count


async def test_a_narrowed_pass_proves_nothing(make: Make) -> None:
    """Explicit items, or a window of time, are listed and end as a delta; nothing else looks deleted."""
    async with mirrored(make) as (subject, mirror):
        await mirror.sync()
        held_before = held(mirror)
        some = sorted(subject.live(), key=numbers)[3]
        subject.delete(min(subject.live(), key=numbers))
        select = Selection(projects=(subject.project,), items=(some,))
        assert await mirror.sync(select=select) == "delta"
        assert held(mirror) == held_before
        updated = {ref.key.item: ref.updated_at for page in await _pages(mirror) for ref in page.refs}
        moment = updated[some]
        window = Selection(projects=(subject.project,), since=moment or datetime.now(UTC))
        if moment is None:
            # Where no times are told, none can be chosen.
            with pytest.raises(SettingsError):
                await anext(subject.source.partitions(window))
            return
        mirror.cursor = None
        assert await mirror.sync(select=window) == "delta"
        listed = {ref.key.item for page in mirror.pages for ref in page.refs}
        assert {item for item, at in updated.items() if at and at >= (updated[some] or at)} <= listed
        assert held(mirror) == held_before


async def _pages(mirror: Mirror) -> list[Page]:
    known = Known(mirror, len(mirror.items), full=True)
    return [page async for page in mirror.source.discover(mirror.partition, None, known)]


async def test_context_documents_are_inline_and_of_their_own_kind(make: Make) -> None:
    """What explains the labels comes with its bytes, the same twice."""
    async with mirrored(make) as (_, mirror):
        twice = [[ref async for ref in mirror.source.context(mirror.partition)] for _ in range(2)]
        assert twice[0] == twice[1]
        assert twice[0]
        assert all(ref.key.kind == CONTEXT and ref.inline for ref in twice[0])


async def test_get_names_the_parts_that_it_needs(make: Make) -> None:
    """One document by its public name; wrong parts are a matter of settings."""
    async with make() as subject:
        assert (await subject.source.get(subject.parts)).size > 0
        with pytest.raises(SettingsError):
            await subject.source.get(())


async def test_tables_are_rows_of_text(make: Make) -> None:
    """Who we are, which projects there are, which batches: all text, for people."""
    async with make() as subject:
        assert (await subject.source.whoami())["user"]
        assert [row["id"] for row in await subject.source.projects()] == [subject.project]
        batches = await subject.source.batches(subject.project)
        assert all(isinstance(value, str) for row in batches for value in row.values())
