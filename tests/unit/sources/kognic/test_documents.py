"""Documents by their keys, from links that run out, and from the routes that still have them when links do not."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncer.model.entries import Body, SpooledFile
from syncer.model.errors import BadBody, ItemFailed
from syncer.model.refs import AnnotationRef, ItemKey
from syncer.ports import Selection, Source
from syncer.sources.kognic.documents import _check
from syncer.sources.kognic.links import is_stale
from syncer.sources.kognic.rows import version_of
from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.emulators.kognic.world import Input
from tests.support.kognic_source import kognic_source
from tests.support.mirror import Known, Mirror


def key(item: str, kind: str | None = TYPE) -> ItemKey:
    """Return the key of an item of the one batch."""
    return ItemKey("annotation", PROJECT, BATCH, kind, item)


def version(made: Input) -> str:
    """Return the version of an input's annotation."""
    assert made.annotation is not None
    return version_of(made.annotation.created.isoformat())


async def opened(source: Source, *refs: AnnotationRef) -> list[Body | ItemFailed]:
    """Return what `open` makes of references, in their order."""
    found = {}
    async for each in source.open(refs):
        found[each.key if isinstance(each, ItemFailed) else each.ref.key] = each
    return [found[ref.key] for ref in refs]


async def listed(source: Source, select: Selection) -> Sequence[AnnotationRef]:
    """Return the references of a pass from nothing."""
    (partition,) = [found async for found in source.partitions(select)]
    known = Known(Mirror(source, partition), 0)
    return [ref async for page in source.discover(partition, None, known) for ref in page.refs]


async def test_a_key_alone_is_enough() -> None:
    """By type one request brings the document within; by request and without types the scene's route leads to it."""
    platform = KognicPlatform(3)
    world, first = platform.world, platform.inputs[0]
    second = world.add(world.request(PROJECT, BATCH, TYPE), first.scene)
    world.finish(second)
    alone = platform.inputs[1]
    async with platform, kognic_source(platform) as source:
        other = f"{first.scene.uuid}~{second.request.uid}"
        keys = [
            key(alone.scene.uuid), key(other), key(alone.scene.uuid, None), key(other, None), key("ghost"),
            key("ghost~r"), key("ghost", None), key(f"{alone.scene.uuid}~ghost"),
        ]  # fmt: skip
        outcomes = await opened(source, *(AnnotationRef(each, "") for each in keys))
        bodies = [each for each in outcomes if isinstance(each, Body)]
        assert [each.data for each in bodies] == [
            platform.document(made.annotation) for made in (alone, second, alone, second)
        ]
        assert [each.version for each in bodies] == [version(made) for made in (alone, second, alone, second)]
        assert [each.gone for each in outcomes if isinstance(each, ItemFailed)] == [True] * 4


async def test_of_several_annotations_the_listed_one_is_opened() -> None:
    """The route by type serves the newest; an item that was listed in another version is found by its scene."""
    platform = KognicPlatform(1)
    world, first = platform.world, platform.inputs[0]
    second = world.add(world.request(PROJECT, BATCH, TYPE), first.scene)
    world.finish(second)
    async with platform, kognic_source(platform) as source:
        (body,) = await opened(source, AnnotationRef(key(first.scene.uuid), version(first)))
        assert isinstance(body, Body)
        assert (body.data, body.version) == (platform.document(first.annotation), version(first))
        # A version that nobody has any more: what there is now comes with its own.
        (body,) = await opened(source, AnnotationRef(key(first.scene.uuid), "2020"))
        assert isinstance(body, Body)
        assert body.version == version(second)


@pytest.mark.parametrize("kind", [TYPE, None], ids=["by type", "by input"])
@pytest.mark.parametrize("links", ["goog", "opaque"])
async def test_dead_links_are_replaced(kind: str | None, links: str) -> None:
    """All items of a page share one new listing of it; without types each scene is asked again."""
    platform = KognicPlatform(8, page_size=4, links=links, stale_status=403)
    select = Selection((PROJECT,), (BATCH,), (kind,) if kind else ())
    async with platform, kognic_source(platform) as source:
        platform.habits.dead_links = 8
        refs = await listed(source, select)
        platform.traffic.clear()
        bodies = await opened(source, *refs)
        assert [getattr(each, "data", each) for each in bodies] == [
            platform.document(each.annotation) for each in platform.inputs
        ]
        asked = platform.traffic.requests
        assert (asked["search"], asked["scene-annotations"], asked["single"]) == ((2, 0, 0) if kind else (0, 8, 0))
        assert platform.traffic.stale == (0 if links == "goog" else 8)
        assert platform.traffic.leaked == 0


async def test_a_document_that_was_replaced_or_deleted_in_between() -> None:
    """After the listing: a correction is stored as what it is, an item that is gone leaves the owed ones."""
    platform = KognicPlatform(3, links="opaque")
    async with platform, kognic_source(platform) as source:
        platform.habits.dead_links = 3
        refs = await listed(source, Selection((PROJECT,), (BATCH,), (TYPE,)))
        corrected, deleted, kept = platform.inputs
        platform.world.correct(corrected)
        platform.world.delete(deleted)
        first, second, third = await opened(source, *refs)
        assert isinstance(first, Body)
        assert (first.data, first.version) == (platform.document(corrected.annotation), version(corrected))
        assert isinstance(second, ItemFailed)
        assert second.gone
        assert isinstance(third, Body)
        assert third.version == version(kept)


def test_documents_are_checked_to_be_json(tmp_path: Path) -> None:
    """In memory and in the spool alike; what is cut, what is none, and what nests without an end are refused."""
    for data, fine in (
        (b'{"a":[1,2]}', True), (b" 7 ", True), (b'{"a":', False), (b"<html>", False), (b"", False),
        (b'{"a":NaN}', False), (b"[" * 100_000 + b"]" * 100_000, False),
    ):  # fmt: skip
        path = tmp_path / "document"
        path.write_bytes(data)
        for body in (data, SpooledFile(path, len(data), hashlib.sha256(data).hexdigest())):
            if fine:
                _check(body)
            else:
                with pytest.raises(BadBody, match="not JSON"):
                    _check(body)


@pytest.mark.parametrize(("link", "stale"), [
    ("https://s/?X-Goog-Date=20240101T000000Z&X-Goog-Expires=" + "9" * 20, False),
    ("https://s/?X-Amz-Date=20240101T000000Z&X-Amz-Expires=" + "9" * 400, False),
    ("https://s/?X-Goog-Date=99991231T000000Z&X-Goog-Expires=99999999", False),
    ("https://s/?X-Goog-Date=20240101T000000Z&X-Goog-Expires=60", True), ("https://[s/?a", False),
])  # fmt: skip
def test_links_with_an_end_beyond_the_calendar(link: str, stale: bool) -> None:
    """A link may promise to live for ever, or be no URL at all: no run ends over that."""
    assert is_stale(link, datetime(2026, 1, 1, tzinfo=UTC)) is stale


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_versions_beyond_the_calendar_are_kept_as_they_are(created: str) -> None:
    """A time that has no UTC is a version all the same."""
    assert version_of(created) == created
