"""Passes: when changes will do, when everything is listed, and which annotations count."""

from datetime import timedelta

import pytest

from syncer.model.events import Event, Warned
from syncer.model.refs import Cursor
from syncer.net.pages import conditions
from syncer.ports import Selection
from syncer.sources.clarifai.cursor import Position, read_cursor
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_store import AWAITING_REVIEW, DENIED, App, Store
from tests.support.clarifai_direct import Ticking, direct
from tests.support.mirror import Mirror


def filled(inputs: int = 10, each: int = 2) -> tuple[ClarifaiPlatform, App, Ticking]:
    """Return a platform whose rows are two hours old."""
    now = Ticking()
    platform = ClarifaiPlatform(Store(now=now))
    app = platform.store.create_app("cars")
    platform.store.fill(app, inputs, each)
    now.moment += timedelta(hours=2)
    return platform, app, now


def held(mirror: Mirror) -> set[str]:
    """Return the annotation ids of what a mirror holds."""
    return {key.item.rpartition(".")[2] for key in mirror.items}


async def test_rule_13_a_listing_of_changes_deletes_nothing_a_complete_one_does() -> None:
    """A deleted annotation stays until a complete listing is due: after `full_every`, by the server's clock."""
    platform, app, now = filled()
    async with direct(platform, full_every="1d") as mirror:
        await mirror.sync()
        platform.store.delete(app, next(iter(app.annotations)))
        now.moment += timedelta(hours=2)
        assert (await mirror.sync(), len(mirror.items)) == ("delta", 20)
        now.moment += timedelta(hours=23)
        assert (await mirror.sync(), len(mirror.items)) == ("full", 19)
        assert await mirror.sync() == "delta"


async def test_rule_12_the_overlap_catches_what_shows_late() -> None:
    """A change that the search shows only minutes later is found by the next pass, by the server's clock alone."""
    platform, app, now = filled()
    async with direct(platform, overlap="10m") as mirror:
        await mirror.sync()
        late = (now.moment - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        found = next(iter(app.annotations.values()))
        found.modified, found.cached = late, b""
        now.moment += timedelta(hours=2)
        assert await mirror.sync() == "delta"
        assert [opened.item for opened in mirror.opened] == [".".join(found.key)]


async def test_fewer_inputs_are_looked_into() -> None:
    """Inputs that went missing are noticed by their number: everything is listed, and they are gone."""
    platform, app, now = filled()
    events: list[Event] = []
    async with direct(platform, events=events) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        platform.store.delete_input(app, "input000004")
        assert (await mirror.sync(), len(mirror.items)) == ("full", 18)
        said = [event.message for event in events if isinstance(event, Warned)]
        assert said == [
            "app cars: there are 1 inputs fewer than at the last complete listing; everything is listed instead"
        ]


async def test_a_clock_that_went_back_is_not_trusted() -> None:
    """Where the server's time lies before the watermark, everything is listed."""
    platform, _, now = filled()
    async with direct(platform) as mirror:
        await mirror.sync()
        now.moment -= timedelta(hours=5)
        assert await mirror.sync() == "full"


async def test_a_pass_of_changes_goes_on_where_it_stood() -> None:
    """Stopped between two windows, the next run begins behind the covered ones."""
    platform, app, now = filled(40)
    async with direct(platform, page_size=20) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        for key in list(app.annotations)[:40]:
            platform.store.edit(app, key)
        assert await mirror.sync(stop_after=1) is None
        first = set(mirror.opened)
        assert 0 < len(first) < 40
        assert await mirror.sync() in {"delta", "full"}
        assert len(first | set(mirror.opened)) == 40


@pytest.mark.parametrize(("level", "count"), [("include", 21), ("exclude", 20), ("only", 1)])
async def test_rule_17_input_level_annotations(level: str, count: int) -> None:
    """The annotation of an input as a whole comes along, stays away, or comes alone."""
    platform, app, _ = filled()
    platform.store.annotate(app, "input000001", input_level=True)
    async with direct(platform, input_level=level) as mirror:
        await mirror.sync()
        assert len(mirror.items) == count


async def test_finished_is_what_the_options_say() -> None:
    """Success alone, or other statuses by code or name; a rejected one is withdrawn, with its status as reason."""
    platform, app, now = filled()
    keys = list(app.annotations)
    platform.store.set_status(app, keys[0], AWAITING_REVIEW)
    async with direct(platform) as mirror:
        await mirror.sync()
        assert len(mirror.items) == 19
        now.moment += timedelta(hours=2)
        platform.store.set_status(app, keys[1], DENIED)
        await mirror.sync()
        assert list(mirror.withdrawn.values()) == ["status is 24158 ANNOTATION_REVIEW_DENIED"]
    async with direct(platform, finished=["ANNOTATION_SUCCESS", 24157]) as mirror:
        await mirror.sync()
        assert len(mirror.items) == 19


async def test_a_status_that_nobody_knows_is_kept_and_reported_once() -> None:
    """Neither dropped nor silently stored: the annotation is there, and the status is named."""
    platform, app, _ = filled()
    for key in list(app.annotations)[:3]:
        platform.store.set_status(app, key, 24999)
    events: list[Event] = []
    async with direct(platform, events=events) as mirror:
        await mirror.sync()
        assert len(mirror.items) == 20
        assert [event.message for event in events if isinstance(event, Warned)] == [
            "app cars: annotations have the status 24999, which this version does not know; they are kept"
        ]


async def test_rule_17_what_models_made_comes_with_its_data() -> None:
    """Left out by default, in changes too; with `list_all` it comes, with what it found."""
    platform, app, now = filled()
    platform.store.annotate(app, "input000001", name="machine", model="mv1", trusted=False)
    async with direct(platform) as mirror:
        await mirror.sync()
        assert "machine" not in held(mirror)
        now.moment += timedelta(hours=2)
        platform.store.edit(app, ("input000001", "machine"))
        await mirror.sync()
        assert "machine" not in held(mirror)
    async with direct(platform, list_all=True) as mirror:
        await mirror.sync()
        assert "machine" in held(mirror)
        assert b"bounding_box" in next(item.data for key, item in mirror.items.items() if key.item.endswith("machine"))


async def test_until_lists_everything_and_keeps_what_is_older() -> None:
    """An end without a beginning can't be searched for: all is listed, and what is newer is left out."""
    platform, app, now = filled()
    until = now.moment
    now.moment += timedelta(hours=2)
    platform.store.edit(app, next(iter(app.annotations)))
    async with direct(platform) as mirror:
        assert await mirror.sync(select=Selection(projects=("cars",), until=until)) == "delta"
        assert len(mirror.items) == 19


def test_cursors_are_void_under_other_conditions() -> None:
    """Another format, other options or another window: the partition is listed anew."""
    under = conditions("digest", Selection())
    cursor = Position(stage="rest", under=under).cursor()
    assert read_cursor(cursor, under) == Position(stage="rest", under=under)
    assert read_cursor(cursor, conditions("other", Selection())) is None
    assert read_cursor(Cursor("{}"), under) is None
    assert read_cursor(Cursor("garbage"), under) is None
    assert read_cursor(None, under) is None
