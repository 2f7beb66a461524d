"""Groups of inputs: always whole, however large they are and whatever the server makes of page sizes."""

import pytest

from syncer.model.errors import BadBody
from syncer.model.events import Event, Warned
from syncer.sources.clarifai.documents import Input
from syncer.sources.clarifai.listing import Sizes, cut
from syncer.sources.clarifai.rows import item_of
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.clarifai_answers import Answer
from tests.emulators.clarifai_store import App
from tests.support.clarifai_direct import direct


def filled(inputs: int = 30, each: int = 3) -> tuple[ClarifaiPlatform, App]:
    """Return a platform that need not listen."""
    platform = ClarifaiPlatform()
    app = platform.store.create_app("cars")
    platform.store.fill(app, inputs, each)
    return platform, app


async def test_a_group_takes_two_requests() -> None:
    """First what would lie behind the page, then the page: so nothing can slip through between the two."""
    platform, _ = filled()
    async with direct(platform) as mirror:
        await mirror.sync()
        pages = [query.partition("&page=")[2] for route, query, _ in platform.log if route == "annotations"]
        assert pages == ["2&per_page=900", "1&per_page=1000"]
        assert len(mirror.items) == 90


@pytest.mark.parametrize("most", [5, 20, 50, 1000])
async def test_a_server_with_smaller_pages_loses_nothing(most: int) -> None:
    """A server that silently serves fewer rows than were asked for is noticed: groups become smaller."""
    platform, app = filled()
    platform.most = most
    async with direct(platform, page_size=100) as mirror:
        assert await mirror.sync() == "full"
        assert {key.item for key in mirror.items} == {item_of(*key) for key in app.annotations}


async def test_an_input_that_fills_many_pages_is_read_whole() -> None:
    """More annotations on one input than a page holds: read up and down until both agree."""
    platform, app = filled(3, 2)
    for _ in range(95):
        platform.store.annotate(app, "input000002")
    async with direct(platform, page_size=20) as mirror:
        assert await mirror.sync() == "full"
        assert len(mirror.items) == 101


async def test_an_input_that_never_stands_still_deletes_nothing() -> None:
    """Where no two reads agree, what was seen is stored, it is said, and absence proves nothing."""
    platform, app = filled(1, 60)
    events: list[Event] = []

    def churn(_: str) -> None:
        platform.store.delete(app, next(iter(app.annotations)))
        platform.store.annotate(app, "input000001")

    async with direct(platform, page_size=10, events=events) as mirror:
        platform.drift = churn
        assert await mirror.sync() == "delta"
        assert any(isinstance(event, Warned) and "faster than it can be read" in event.message for event in events)


async def test_rows_of_other_inputs_are_not_believed() -> None:
    """An answer to another question would show everything else as deleted."""
    platform, app = filled()
    foreign = b'{"status":{"code":10000},"annotations":[%b]}' % platform.store.render(
        next(iter(app.annotations.values()))
    )
    async with direct(platform, page_size=10) as mirror:
        platform.fail(Answer(foreign.replace(b"input000001", b"somewhere")), "annotations", after=1, times=None)
        with pytest.raises(BadBody, match="other inputs"):
            await mirror.sync()


async def test_garbage_is_asked_for_again() -> None:
    """A body that is cut short is no list: twice is bad luck, three times an error."""
    platform, _ = filled()
    cut_short = Answer(b'{"status":{"code":10000},"annotations":[{"id":"a"')
    async with direct(platform) as mirror:
        platform.fail(cut_short, "annotations", times=2)
        assert await mirror.sync() == "full"
        platform.faults.clear()
        platform.fail(cut_short, "annotations", times=3)
        with pytest.raises(BadBody, match="cut short"):
            await mirror.sync(relist=True)


async def test_a_partial_answer_deletes_nothing() -> None:
    """The code 10010 says that something is missing: rows are taken, absence proves nothing."""
    platform, app = filled(2, 2)
    async with direct(platform) as mirror:
        await mirror.sync()
        platform.store.delete(app, next(iter(app.annotations)))
        row = platform.store.render(next(iter(app.annotations.values())))
        platform.fail(Answer(b'{"status":{"code":10010},"annotations":[%b]}' % row), "annotations", after=1)
        assert await mirror.sync(relist=True) == "delta"
        assert len(mirror.items) == 4
        assert await mirror.sync(relist=True) == "full"
        assert len(mirror.items) == 3


def test_groups_fit_into_a_url() -> None:
    """At most a hundred inputs, fewer where their names are long, at least one."""
    sizes = Sizes(1000)
    assert cut([Input("x" * 32)] * 500, sizes) == 100
    assert cut([Input("x" * 200)] * 500, sizes) == 28
    assert cut([Input("x" * 9000)] * 5, sizes) == 1
    assert cut([Input("x")] * 3, sizes) == 3


def test_group_sizes_follow_what_fits() -> None:
    """Halved where a page was too small, grown again where there is room."""
    sizes = Sizes(100)
    sizes.too_many(100)
    assert sizes.inputs == 50
    sizes.note(50, 80)
    assert sizes.inputs == 50
    sizes.note(50, 20)
    assert sizes.inputs == 76
    sizes.too_many(1)
    assert sizes.inputs == 1
