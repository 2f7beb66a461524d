"""The stream of inputs, and what it does when it loses its place."""

import json
from typing import Any, Literal

import pytest

from syncer.model.errors import Unavailable
from syncer.sources.clarifai.rows import item_of
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import Answer
from tests.emulators.clarifai_store import App
from tests.support.clarifai_direct import direct


def filled(inputs: int = 30, each: int = 1) -> tuple[ClarifaiPlatform, App]:
    """Return a platform that need not listen."""
    platform = ClarifaiPlatform()
    app = platform.store.create_app("cars")
    platform.store.fill(app, inputs, each)
    return platform, app


@pytest.mark.parametrize("forgetful", ["refuse", "empty", "restart"])
async def test_a_deleted_last_input_ends_nothing(forgetful: Literal["refuse", "empty", "restart"]) -> None:
    """Whatever the stream says behind an input that was deleted, the listing goes on where it stood."""
    platform, app = filled()
    platform.forgetful = forgetful
    left = ["input000012", "input000016"]

    def drift(route: str) -> None:
        if route == "inputs/stream" and left:
            platform.store.delete_input(app, left.pop(0))

    async with direct(platform, page_size=8) as mirror:
        platform.drift = drift
        await mirror.sync()
        listed = [ref.key.item for page in mirror.pages for ref in page.refs]
        assert {item_of(*key) for key in app.annotations} <= set(listed)
        assert forgetful == "restart" or len(listed) == len(set(listed))


@pytest.mark.parametrize("forgetful", ["refuse", "empty", "restart"])
async def test_a_pass_goes_on_though_its_place_is_gone(forgetful: Literal["refuse", "empty", "restart"]) -> None:
    """Stopped behind an input that is then deleted, a pass still ends complete."""
    platform, app = filled()
    platform.forgetful = forgetful
    async with direct(platform, page_size=8) as mirror:
        assert await mirror.sync(stop_after=2) is None
        assert mirror.cursor is not None
        names = sorted({key.item.partition(".")[0] for key in mirror.items})
        platform.store.delete_input(app, names[-1])
        assert await mirror.sync() == "full"
        # What was listed before it was deleted counts as seen until the next complete listing.
        assert {key.item for key in mirror.items} > {item_of(*key) for key in app.annotations}
        assert await mirror.sync(relist=True) == "full"
        assert {key.item for key in mirror.items} == {item_of(*key) for key in app.annotations}


async def test_a_stream_in_circles_is_given_up() -> None:
    """A server that serves the same page for ever is not believed."""
    platform, app = filled(3)
    page: dict[str, Any] = {"status": {"code": 10000}, "inputs": [each.body() for each in app.inputs.values()]}
    async with direct(platform) as mirror:
        platform.fail(Answer(json.dumps(page).encode()), "inputs/stream", times=None)
        with pytest.raises(Unavailable, match="loses its place"):
            await mirror.sync()


async def test_an_empty_app_is_empty() -> None:
    """No inputs: a complete pass with nothing in it."""
    platform, _ = filled(0)
    async with direct(platform) as mirror:
        assert await mirror.sync() == "full"
        assert (mirror.items, platform.requests["annotations"]) == ({}, 0)


async def test_a_dataset_is_read_until_it_stands_still() -> None:
    """An input that leaves a dataset between two pages shifts the others: they are read again, and none is missed."""
    platform, app = filled()
    app.datasets["ds1"] = dict.fromkeys(app.inputs)
    left = ["input000001"]

    def drift(route: str) -> None:
        if route == "datasets/inputs" and left:
            del app.datasets["ds1"][left.pop()]

    async with direct(platform, ("ds1",), page_size=8) as mirror:
        platform.drift = drift
        assert await mirror.sync() == "full"
        assert {key.item.partition(".")[0] for key in mirror.items} == set(app.datasets["ds1"])


async def test_a_dataset_that_never_stands_still_deletes_nothing() -> None:
    """Where no two reads agree, everything seen is listed, and absence proves nothing."""
    platform, app = filled()
    app.datasets["ds1"] = dict.fromkeys(app.inputs)

    def drift(route: str) -> None:
        if route == "datasets/inputs":
            name = next(iter(app.datasets["ds1"]))
            del app.datasets["ds1"][name]
            app.datasets["ds1"][platform.store.add_input(app).id] = None

    async with direct(platform, ("ds1",), page_size=8) as mirror:
        platform.drift = drift
        assert await mirror.sync() == "delta"
        assert len(mirror.items) == 30
