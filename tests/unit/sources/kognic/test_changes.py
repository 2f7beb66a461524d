"""Passes over a partition: what is listed, what is skipped, what is gone, and what several annotations are called."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from syncer.model.errors import HttpError
from syncer.model.refs import Cursor, ItemKey, Page
from syncer.ports import Selection, Source
from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.support.clock import RealClock
from tests.support.kognic_source import kognic_source
from tests.support.mirror import Known, Mirror

TYPED = Selection((PROJECT,), (BATCH,), (TYPE,))
UNTYPED = Selection((PROJECT,), (BATCH,))


class Later(RealClock):
    """Real time, moved forward by hand, in which nobody waits."""

    def __init__(self) -> None:
        """Start now."""
        self.ahead = 0.0

    def monotonic(self) -> float:
        """Return the system's steady seconds, moved forward."""
        return super().monotonic() + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Pass at once."""
        await super().sleep(0)


@asynccontextmanager
async def mirrored(
    platform: KognicPlatform, select: Selection = TYPED, **options: Any
) -> AsyncIterator[tuple[Source, Mirror]]:
    """Open a source and an empty mirror of the selection's one partition."""
    async with platform, kognic_source(platform, limits={"attempts": 1}, **options) as source:
        (partition,) = [found async for found in source.partitions(select)]
        platform.traffic.clear()
        yield source, Mirror(source, partition)


def names(mirror: Mirror) -> set[str]:
    """Return what is held."""
    return {key.item for key in mirror.items}


async def pages_of(mirror: Mirror, select: Selection | None = None) -> list[Page]:
    """Return the pages of a pass that goes on from the mirror's cursor, and leave the mirror alone."""
    known = Known(mirror, len(mirror.items))
    return [page async for page in mirror.source.discover(mirror.partition, mirror.cursor, known, select)]


async def test_two_requests_of_a_scene_and_type_are_two_items() -> None:
    """The older one keeps the plain name; a correction of either is fetched alone and changes no names."""
    platform = KognicPlatform(10, page_size=4)
    world, first = platform.world, platform.inputs[1]
    second = world.add(world.request(PROJECT, BATCH, TYPE), first.scene)
    world.finish(second)
    plain, other = first.scene.uuid, f"{first.scene.uuid}~{second.request.uid}"
    async with mirrored(platform) as (_, mirror):
        await mirror.sync()
        assert names(mirror) == {each.scene.uuid for each in platform.inputs} | {other}
        for corrected, item in ((first, plain), (second, other), (first, plain)):
            await mirror.sync()
            assert mirror.opened == []
            world.correct(corrected)
            await mirror.sync()
            assert [key.item for key in mirror.opened] == [item]
            held = {key.item: stored.data for key, stored in mirror.items.items()}
            assert held[plain] == platform.document(first.annotation)
            assert held[other] == platform.document(second.annotation)
        assert mirror.gone == set()


async def test_names_are_the_same_whatever_the_pages() -> None:
    """A first pass in pages of one names several annotations as one page does."""
    found = []
    for size in (1, 100):
        platform = KognicPlatform(3, page_size=size)
        world = platform.world
        for _ in range(2):
            world.finish(world.add(world.request(PROJECT, BATCH, TYPE), platform.inputs[0].scene))
        async with mirrored(platform) as (_, mirror):
            await mirror.sync()
            found.append({key.item: stored.data for key, stored in mirror.items.items()})
    assert found[0] == found[1]
    assert len(found[0]) == 5


async def test_by_input_a_scene_in_several_requests_is_named_by_them() -> None:
    """Where requests are known, each annotation of a scene is called after its own, and a scene alone after itself."""
    platform = KognicPlatform(5, page_size=2)
    world, shared = platform.world, platform.inputs[2]
    lanes = world.add(world.request(PROJECT, BATCH, "lanes"), shared.scene)
    world.finish(lanes)
    async with mirrored(platform, UNTYPED) as (_, mirror):
        await mirror.sync()
        several = {f"{shared.scene.uuid}~{each.request.uid}" for each in (shared, lanes)}
        assert names(mirror) == {each.scene.uuid for each in platform.inputs} - {shared.scene.uuid} | several
        await mirror.sync()
        assert mirror.opened == []


async def test_one_scene_that_cannot_be_asked_is_owed_and_nothing_is_deleted() -> None:
    """Its item is owed, the others are listed, and what is missing is gone only after a pass that asked everything."""
    platform = KognicPlatform(6, page_size=3)
    async with mirrored(platform, UNTYPED) as (_, mirror):
        await mirror.sync()
        broken, deleted = platform.inputs[1], platform.inputs[4]
        platform.world.delete(deleted)
        platform.faults.add("status", route="scene-annotations", match=broken.scene.uuid, times=None, status=500)
        assert await mirror.sync() == "delta"
        assert (mirror.gone, {key.item for key in mirror.owed}) == (set(), {broken.scene.uuid})
        platform.faults.clear()
        assert await mirror.sync() == "full"
        assert {key.item for key in mirror.gone} == {deleted.scene.uuid}
        platform.faults.add("status", route="scene-annotations", times=None, status=500)
        with pytest.raises(HttpError):
            await mirror.sync()


async def test_quick_passes_skip_what_stood_still() -> None:
    """Nothing is listed while status and `updated` stand still, and the pass says so; what moved is listed at once."""
    platform, clock = KognicPlatform(6), Later()
    async with mirrored(platform, full_every="1h", clock=clock) as (_, mirror):
        await mirror.sync()
        clock.ahead += 60
        platform.traffic.clear()
        (page,) = await pages_of(mirror)
        assert (page.end, page.refs) == ("delta", ())
        assert page.note is not None
        assert "within 1h" in page.note
        assert dict(platform.traffic.requests) == {"batches": 1}
        for full, refetch in ((True, False), (False, True)):
            known = Known(mirror, 6, full=full, refetch=refetch)
            listed = [page async for page in mirror.source.discover(mirror.partition, mirror.cursor, known)]
            assert listed[-1].end == "full"
        clock.ahead += 60
        platform.world.correct(platform.inputs[3])
        assert await mirror.sync() == "full"
        assert [key.item for key in mirror.opened] == [platform.inputs[3].scene.uuid]


async def test_a_quick_pass_trusts_only_what_is_held_and_young() -> None:
    """An empty checkpoint, an old listing, and one that was resumed are followed by a complete pass."""
    platform, clock = KognicPlatform(9, page_size=3), Later()
    async with mirrored(platform, full_every="1h", clock=clock) as (_, mirror):
        assert await mirror.sync(stop_after=1) is None
        assert await mirror.sync() == "full"
        assert (await pages_of(mirror))[-1].end == "full"
        assert await mirror.sync() == "full"
        assert (await pages_of(mirror))[-1].end == "delta"
        held, mirror.items = mirror.items, {}
        assert (await pages_of(mirror))[-1].end == "full"
        mirror.items = held
        assert mirror.cursor is not None
        at = json.loads(mirror.cursor)
        at["full_at"] = (datetime.fromisoformat(at["full_at"]) - timedelta(hours=1)).isoformat()
        mirror.cursor = Cursor(json.dumps(at))
        assert (await pages_of(mirror))[-1].end == "full"


async def test_progress_of_requests_is_looked_at_where_projects_are_known_by_uuid() -> None:
    """A completed input moves the counts, though nothing of its batch moved."""
    platform = KognicPlatform(4)
    batch, uuid = platform.batch(), platform.world.projects[PROJECT].id
    options = {"full_every": "1h", "project_uuids": {PROJECT: uuid}}
    async with mirrored(platform, clock=Later(), **options) as (_, mirror):
        await mirror.sync()
        assert (await pages_of(mirror))[-1].end == "delta"
        moved = batch.updated
        platform.world.finish(platform.world.add(platform.inputs[0].request))
        batch.updated = moved
        assert await mirror.sync() == "full"
        assert len(mirror.items) == 5


async def test_reasons_are_asked_for_only_when_something_is_missing() -> None:
    """A pass without losses asks nothing more; an invalidated scene is gone with its status."""
    platform = KognicPlatform(6)
    async with mirrored(platform) as (_, mirror):
        await mirror.sync()
        await mirror.sync()
        assert platform.traffic.requests["fetch-inputs"] == 0
        platform.world.invalidate(platform.inputs[2].scene, "duplicate")
        platform.world.delete(platform.inputs[4])
        *_, last = await pages_of(mirror)
        key = ItemKey("annotation", PROJECT, BATCH, TYPE, platform.inputs[2].scene.uuid)
        assert (last.gone, last.reasons, last.end) == ((key,), {key: "the scene was invalidated (duplicate)"}, "full")
        platform.faults.add("status", route="fetch-inputs", times=None, status=404)
        *_, last = await pages_of(mirror)
        assert (last.gone, last.end) == ((), "full")


async def test_a_window_of_time_is_cut_out_of_the_listing() -> None:
    """What was delivered outside is counted as left out; no cursor is kept and nothing is gone."""
    platform = KognicPlatform(10)
    async with mirrored(platform) as (_, mirror):
        moments = [each.annotation.created for each in platform.inputs if each.annotation is not None]
        window = replace(TYPED, since=moments[3], until=moments[8])
        pages = await pages_of(mirror, window)
        assert [ref.key.item for page in pages for ref in page.refs] == [e.scene.uuid for e in platform.inputs[3:8]]
        assert (sum(page.filtered for page in pages), pages[-1].end) == (5, "delta")
        assert {page.cursor for page in pages} == {None}
        later = replace(TYPED, since=moments[-1] + timedelta(seconds=1))
        assert [page.refs for page in await pages_of(mirror, later)] == [(), ()]


@pytest.mark.parametrize("select", [TYPED, UNTYPED], ids=["by type", "by input"])
async def test_items_are_asked_for_one_by_one(select: Selection) -> None:
    """Named scenes are listed and nothing else; one that is not there is broken where the partition is the only one."""
    platform = KognicPlatform(6)
    async with mirrored(platform, select) as (_, mirror):
        wanted = platform.inputs[4].scene.uuid
        assert await mirror.sync(select=replace(select, items=(wanted, "nobody"))) == "delta"
        assert names(mirror) == {wanted}
        assert {key.item for key in mirror.owed} == {"nobody"}
        assert platform.traffic.requests["search"] == 0
        several = replace(select, projects=("*",), items=("nobody",))
        assert [page.broken for page in await pages_of(mirror, several)] == [(), ()]


async def test_fields_come_with_every_reference() -> None:
    """Scene, external id, request and times are columns; without details, what the listing itself says."""
    for details in (True, False):
        platform = KognicPlatform(2)
        async with mirrored(platform, details=details) as (_, mirror):
            ref = (await pages_of(mirror))[0].refs[0]
            made = platform.inputs[0]
            assert made.annotation is not None
            assert ref.fields["scene_uuid"] == made.scene.uuid
            assert ref.fields["scene_external_id"] == (made.scene.external_id if details else "")
            assert ref.fields["request_uid"] == (made.request.uid if details else "")
            assert ref.fields["created"] == ref.version
            assert ref.fields["day"] == f"{made.annotation.created:%Y-%m-%d}"
            assert ref.updated_at == made.annotation.created
            assert platform.traffic.requests["query-inputs"] == details
