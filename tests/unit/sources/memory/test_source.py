"""The memory platform: every kind of trouble can be ordered, and is counted."""

import pytest

from syncer.model.errors import HttpError, ItemFailed, NotNow, PartitionGone
from syncer.model.refs import AnnotationRef, PartitionKey
from syncer.ports import Features, Selection, Tools
from syncer.sources.memory import PLUGIN, MemoryOptions, MemoryPlatform, MemorySource, platform_named
from syncer.sources.memory.platform import PROJECT
from tests.support.clock import InstantClock
from tests.support.fake_http import FakeHttp
from tests.support.mirror import Mirror


def mirror_of(platform: MemoryPlatform, source: MemorySource | None = None) -> Mirror:
    """Return an empty mirror of project 7."""
    return Mirror(source or MemorySource(platform), platform.described(PROJECT))


async def test_items_come_in_order_of_their_numbers_in_pages() -> None:
    """Order and pages are the same every time; edits are counted as versions."""
    mirror = mirror_of(MemoryPlatform(25), source := MemorySource(MemoryPlatform(25), page_size=10))
    await mirror.sync()
    listed = [ref.key.item for page in mirror.pages for ref in page.refs]
    assert listed == [str(number) for number in range(1, 26)]
    assert [len(page.refs) for page in mirror.pages] == [10, 10, 5, 0]
    assert source.pages == 4
    assert (source.calls, sum(source.opened.values())) == (8, 25)
    assert source.passes == ["full"]


async def test_opening_fails_as_often_as_ordered() -> None:
    """A number of times, always, or as gone; then it is mended."""
    platform = MemoryPlatform(3)
    platform.fail("1", "boom", times=1)
    platform.fail("2", "always")
    platform.fail("3", "gone", gone=True)
    mirror = mirror_of(platform)
    await mirror.sync()
    assert {key.item: reason for key, reason in mirror.owed.items()} == {"1": "boom", "2": "always"}
    await mirror.sync()
    assert [key.item for key in mirror.owed] == ["2"]
    platform.mend()
    await mirror.sync()
    assert mirror.owed == {}


async def test_a_listing_fails_at_the_page_that_was_ordered() -> None:
    """The pages before it come; the next pass gets through."""
    platform = MemoryPlatform(30)
    platform.fail_listing(2, NotNow("away"))
    mirror = mirror_of(platform)
    with pytest.raises(NotNow, match="away"):
        await mirror.sync()
    assert len(mirror.items) == 10
    assert await mirror.sync() == "full"
    assert len(mirror.items) == 30


async def test_rows_can_be_spoiled_and_partitions_lost() -> None:
    """A broken row is listed as such; a lost partition answers 404 until it is mended."""
    platform = MemoryPlatform(5)
    platform.spoil("3", times=1)
    mirror = mirror_of(platform)
    await mirror.sync()
    assert [key.item for key in mirror.owed] == ["3"]
    platform.lose()
    with pytest.raises(PartitionGone):
        await mirror.sync()


async def test_a_slow_item_waits_on_the_clock_that_was_given() -> None:
    """Time is the test's own."""
    platform, clock = MemoryPlatform(2), InstantClock()
    platform.slow("2", 30)
    mirror = mirror_of(platform, MemorySource(platform, clock=clock))
    await mirror.sync()
    assert clock.slept == [30]


async def test_edits_in_the_middle_of_a_pass_arrive_with_it_or_after_it() -> None:
    """`on_page` edits between pages: what is deleted ahead is not listed, what comes is in the next delta."""
    platform = MemoryPlatform(30)

    def drift(page: int) -> None:
        if page == 2:
            platform.delete("25")
            platform.put("31")
            platform.put("1", b"{}")

    platform.on_page = drift
    mirror = mirror_of(platform)
    await mirror.sync()
    assert {key.item for key in mirror.items} == {str(number) for number in range(1, 31)} - {"25"}
    platform.on_page = lambda _: None
    await mirror.sync()
    assert {key.item for key in mirror.items} == {item.key.item for item in platform.live()}
    assert {key.item for key in mirror.opened} == {"1", "31"}


async def test_deletions_show_as_the_platform_was_told() -> None:
    """Reported ones come as gone in a delta; silent ones need a sweep; members of a group close with it."""
    for habits, end in (({"deletions": "reported"}, "delta"), ({"deletions": "silent"}, "full")):
        platform = MemoryPlatform(12)
        mirror = mirror_of(platform, MemorySource(platform, **habits))  # type: ignore[arg-type]  # literals
        await mirror.sync()
        platform.delete("5")
        assert await mirror.sync() == end
        assert {key.item for key in mirror.gone} == {"5"}
    platform = MemoryPlatform()
    for number in range(8):
        platform.put(f"a{number}", group=f"task{number // 4}")
    mirror = mirror_of(platform)
    await mirror.sync()
    platform.delete("a2")
    assert await mirror.sync() == "delta"
    assert {key.item for key in mirror.gone} == {"a2"}


async def test_batches_and_types_are_partitions_of_their_own() -> None:
    """Named, they are listed one by one; left out, only what is not divided."""
    platform = MemoryPlatform()
    for batch in ("b1", "b2"):
        platform.put("1", partition=PartitionKey("7", batch, "boxes"))
    source = MemorySource(platform)

    async def keys(**select: tuple[str, ...]) -> list[str]:
        return [str(found.key) async for found in source.partitions(Selection(**select))]  # type: ignore[arg-type]

    assert await keys(projects=("7",)) == ["7"]
    assert await keys(projects=("7",), batches=("*",), annotation_types=("*",)) == ["7 / b1 / boxes", "7 / b2 / boxes"]
    assert await keys(projects=("7",), batches=("b2",), annotation_types=("boxes",)) == ["7 / b2 / boxes"]
    assert await source.batches("7") == [{"id": "b1"}, {"id": "b2"}]


async def test_features_can_be_overridden_and_the_plugin_names_a_platform() -> None:
    """A configuration reaches a platform of the process by its name."""
    source = MemorySource(MemoryPlatform(), features=Features(batch=50, incremental=False))
    assert source.features.batch == 50
    options = MemoryOptions(platform="tests-of-memory", items=4, inline=True)
    made = PLUGIN.create(options, FakeHttp(), Tools("m", InstantClock(), lambda _: None))
    assert len(platform_named("tests-of-memory").live()) == 4
    outcomes = [each async for each in made.open([AnnotationRef(platform_named("tests-of-memory").key("9"), "")])]
    assert isinstance(outcomes[0], ItemFailed)
    assert not isinstance(outcomes[0], HttpError)
