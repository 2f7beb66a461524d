"""Items named one by one: exactly these, in batches, and nothing is concluded about others."""

import pytest

from syncer.demo.platform.seeds import Mix
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.errors import SettingsError
from syncer.ports import Selection
from tests.support.mirror import Mirror
from tests.support.studio_source import mirrored, partitions_of, studio_source


async def test_named_tasks_are_listed_and_others_left_alone() -> None:
    """The pass ends as a delta, moves no cursor, and deletes nothing."""
    async with LabelStudioPlatform(300, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        cursor, held = mirror.cursor, set(mirror.items)
        platform.store.annotate(5)
        platform.store.annotate(6)
        platform.store.delete_tasks([7])
        select = Selection(projects=("1",), items=("5", "8"))
        assert await mirror.sync(select=select) == "delta"
        assert (mirror.cursor, set(mirror.items)) == (cursor, held)
        assert [key.item for key in mirror.opened] == ["5"]


async def test_a_fresh_copy_of_named_tasks_is_one_request_per_hundred() -> None:
    """Where nothing is held yet, documents come with the listing."""
    async with LabelStudioPlatform(300, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        items = tuple(str(number) for number in range(1, 151))
        await mirror.sync(select=Selection(projects=("1",), items=items))
        assert {key.item for key in mirror.items} == set(items)
        assert dict(platform.traffic.requests) == {"tasks": 2}


@pytest.mark.parametrize("granularity", ["task", "annotation"])
async def test_an_item_that_the_project_does_not_have_is_owed(granularity: str) -> None:
    """A name that leads nowhere is reported, not passed over."""
    async with (
        LabelStudioPlatform(20, mix=Mix.finished()) as platform,
        mirrored(platform, granularity=granularity) as mirror,
    ):
        assert await mirror.sync(select=Selection(projects=("1",), items=("3", "999"))) == "delta"
        assert [key.item for key in mirror.items] == ["3"]
        assert {key.item: reason for key, reason in mirror.owed.items()} == {
            "999": f"project 1 has no such {granularity}"
        }


async def test_unfinished_ones_are_withdrawn_if_held() -> None:
    """A named task that was emptied since says so."""
    async with LabelStudioPlatform(20, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        platform.store.delete_annotations([3])
        await mirror.sync(select=Selection(projects=("1",), items=("3",)))
        assert [key.item for key in mirror.withdrawn] == ["3"]


@pytest.mark.parametrize("granularity", ["task", "annotation"])
async def test_items_without_a_project_find_theirs(granularity: str) -> None:
    """Ids alone are enough: the projects that hold them are looked up."""
    async with LabelStudioPlatform() as platform:
        store = platform.store
        for title in ("a", "b", "c"):
            store.generate(store.create_project(title), 40, mix=Mix.finished())
        numbers = ["3", "5", "85"] if granularity == "task" else ["5", "9", "169"]
        async with studio_source(platform.url, platform.token, granularity=granularity) as source:
            select = Selection(items=tuple(numbers))
            found = [partition async for partition in source.partitions(select)]
            assert [partition.key.project for partition in found] == ["1", "3"]
            held: set[str] = set()
            for partition in found:
                mirror = Mirror(source, partition)
                await mirror.sync(select=select)
                assert mirror.owed == {}
                held |= {key.item for key in mirror.items}
            assert held == set(numbers)
            with pytest.raises(SettingsError, match="999"):
                await partitions_of(source, items=("3", "999"))
            with pytest.raises(SettingsError, match="not an id"):
                await partitions_of(source, items=("img.png",))


async def test_closing_a_task_needs_more_than_one_annotation_of_it() -> None:
    """Naming one of two annotations does not make the other look deleted."""
    async with LabelStudioPlatform(100) as platform, mirrored(platform, granularity="annotation") as mirror:
        await mirror.sync()
        two = next(task for task in platform.store.tasks.all_of(1) if len(task.annotations) == 2)
        held = set(mirror.items)
        await mirror.sync(select=Selection(projects=("1",), items=(str(two.annotations[0].id),)))
        assert set(mirror.items) == held
