"""Searching for changes: windows that fit, depths that are refused, answers that can't be right."""

from datetime import timedelta

import pytest

from syncer.model.events import Event, Warned
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import Answer, refusal
from tests.emulators.clarifai_store import App, Store
from tests.support.clarifai_direct import Ticking, direct


def filled(inputs: int = 200, each: int = 1) -> tuple[ClarifaiPlatform, App, Ticking]:
    """Return a platform whose rows are two hours old."""
    now = Ticking()
    platform = ClarifaiPlatform(Store(now=now))
    app = platform.store.create_app("cars")
    platform.store.fill(app, inputs, each)
    now.moment += timedelta(hours=2)
    return platform, app, now


def hit(row: bytes) -> Answer:
    """Return a search's answer with one hit."""
    return Answer(b'{"status":{"code":10000},"hits":[{"score":1,"annotation":%b}]}' % row)


def warnings(events: list[Event]) -> str:
    """Return what was said."""
    return " ".join(event.message for event in events if isinstance(event, Warned))


@pytest.mark.parametrize("shuffle", [False, True])
async def test_windows_are_cut_until_they_fit(shuffle: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """More changes than a page holds: the time is cut, every change arrives, and no page but the second is tried."""
    monkeypatch.setattr("syncer.sources.clarifai.changes.SEARCHES", 1000)
    platform, app, now = filled()
    async with direct(platform, page_size=20) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        for key in list(app.annotations)[::2]:
            platform.store.edit(app, key)
        platform.shuffle = shuffle
        assert await mirror.sync() == "delta"
        assert len(mirror.opened) == 100
        assert {item.version[:15] for item in mirror.items.values()} == {
            found.modified[:19].replace("-", "").replace(":", "") for found in app.annotations.values()
        }


async def test_a_refused_depth_makes_pages_smaller() -> None:
    """`page * perPage cannot exceed` is met by smaller pages, not by giving up."""
    platform, app, now = filled(20)
    async with direct(platform) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        platform.deepest = 200
        keys = list(app.annotations)[:15]
        for key in keys:
            platform.store.edit(app, key)
        assert await mirror.sync() == "delta"
        assert len(mirror.opened) == 15


async def test_changes_of_one_instant_are_read_from_the_last_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows with the very same time can't be cut apart: their pages are read backwards."""
    monkeypatch.setattr("syncer.sources.clarifai.changes.SEARCHES", 20)
    platform, app, now = filled(40)
    async with direct(platform, page_size=10) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        stamp = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for found in list(app.annotations.values())[:35]:
            found.modified, found.cached = stamp, b""
        assert await mirror.sync() == "delta"
        assert len(mirror.opened) == 35


async def test_more_of_one_instant_than_may_be_read_is_listed_instead() -> None:
    """Beyond the depth that the search allows, the app is listed, and it is said why."""
    platform, app, now = filled(40)
    events: list[Event] = []
    async with direct(platform, page_size=10, events=events) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        platform.deepest = 20
        stamp = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for found in app.annotations.values():
            found.modified, found.cached = stamp, b""
        assert await mirror.sync() == "full"
        assert "everything is listed instead" in warnings(events)
        assert {item.version[:15] for item in mirror.items.values()} == {stamp[:19].replace("-", "").replace(":", "")}


@pytest.mark.parametrize("answer", [refusal(40002), refusal(43004), refusal(11007), refusal(10040)])
async def test_a_search_that_is_refused_is_replaced_by_a_listing(answer: Answer) -> None:
    """No search, not indexed, no scope: everything is listed instead, and it is said why."""
    platform, app, now = filled(20)
    events: list[Event] = []
    async with direct(platform, events=events) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        platform.store.edit(app, next(iter(app.annotations)))
        platform.fail(answer, "annotations/searches", times=None)
        assert await mirror.sync() == "full"
        assert "everything is listed instead" in warnings(events)
        assert len(mirror.items) == 20


async def test_hits_that_were_not_asked_for_are_not_believed() -> None:
    """A search that ignores the time is unexplained: everything is listed instead."""
    platform, app, now = filled(20)
    events: list[Event] = []
    async with direct(platform, events=events) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        row = platform.store.render(next(iter(app.annotations.values())))
        platform.fail(hit(row), "annotations/searches", after=1)
        assert await mirror.sync() == "full"
        assert "found one of 2026-11-22" in warnings(events)


async def test_hits_without_what_decides_are_looked_up() -> None:
    """A search that leaves out status and times names the rows; the list has the rest."""
    platform, app, now = filled(20)
    async with direct(platform) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        key = next(iter(app.annotations))
        platform.store.edit(app, key)
        bare = b'{"id":"%b","input_id":"%b"}' % (key[1].encode(), key[0].encode())
        platform.fail(hit(bare), "annotations/searches", after=1)
        assert await mirror.sync() == "delta"
        assert [opened.item for opened in mirror.opened] == [".".join(key)]


async def test_so_many_changes_are_listed_that_a_listing_is_cheaper() -> None:
    """A delta never costs much more than a complete listing."""
    platform, app, now = filled(400)
    events: list[Event] = []
    async with direct(platform, page_size=20, events=events) as mirror:
        await mirror.sync()
        now.moment += timedelta(hours=2)
        for key in list(app.annotations):
            platform.store.edit(app, key)
        assert await mirror.sync() == "full"
        assert "fewer requests" in warnings(events)
