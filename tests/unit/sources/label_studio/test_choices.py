"""Choices: what counts as an item, and in which window of time, changes what is listed and followed."""

from datetime import UTC, datetime, timedelta

from syncer.demo.platform.server import LabelStudioPlatform
from syncer.ports import Selection
from tests.support.studio_source import mirrored


async def test_other_options_list_everything_again() -> None:
    """A cursor made under another choice of annotations does not apply; what is not chosen any more is withdrawn."""
    async with LabelStudioPlatform(300) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        async with mirrored(platform, ground_truth="only") as other:
            mirror.source = other.source
            assert await mirror.sync() == "full"
            expected = {str(t.id) for t in platform.store.tasks.all_of(1) for a in t.annotations if a.ground_truth}
            assert {key.item for key in mirror.items} == expected
            assert set(mirror.withdrawn.values()) == {"no annotation that was chosen"}
            platform.store.delete_tasks([int(min(expected))])
            assert await mirror.sync() == "full"
            assert {key.item for key in mirror.items} == expected - {min(expected)}
            platform.traffic.clear()
            assert await mirror.sync() == "delta"
            assert platform.traffic.requests["tasks"] == 2


async def test_single_annotations_are_followed_through_their_tasks() -> None:
    """Granularity `annotation`: one document each; a vanished one closes, a skipped one is withdrawn."""
    async with LabelStudioPlatform(200) as platform, mirrored(platform, granularity="annotation") as mirror:
        await mirror.sync()

        def expected() -> set[str]:
            return {str(a.id) for t in platform.store.tasks.all_of(1) for a in t.annotations if not a.was_cancelled}

        assert {key.item for key in mirror.items} == expected()
        two = next(task for task in platform.store.tasks.all_of(1) if len(task.annotations) == 2)
        new = platform.store.annotate(two.id)
        platform.store.delete_annotation(two.annotations[0].id)
        platform.store.cancel(two.annotations[1].id)
        assert await mirror.sync() == "delta"
        assert {key.item for key in mirror.items} == expected()
        assert [key.item for key in mirror.opened] == [str(new.id)]
        assert list(mirror.withdrawn.values()) == ["skipped"]
        platform.store.delete_tasks([two.id])
        assert await mirror.sync() == "full"
        assert {key.item for key in mirror.items} == expected()
        platform.traffic.clear()
        assert await mirror.sync() == "delta"
        assert platform.traffic.requests["tasks"] == 2


async def test_skipped_annotations_count_where_they_are_wanted() -> None:
    """`include_cancelled` takes tasks that were only skipped, and follows them."""
    async with LabelStudioPlatform(200) as platform, mirrored(platform, include_cancelled=True) as mirror:
        await mirror.sync()
        expected = {str(task.id) for task in platform.store.tasks.all_of(1) if task.annotations}
        assert {key.item for key in mirror.items} == expected
        platform.store.cancel(platform.store.tasks.get(1).annotations[0].id)  # type: ignore[union-attr]
        assert await mirror.sync() == "delta"
        assert {key.item for key in mirror.items} == expected
        platform.store.delete_tasks([1])
        assert await mirror.sync() == "full"
        assert {key.item for key in mirror.items} == expected - {"1"}


async def test_a_window_of_time_lists_what_changed_in_it_and_deletes_nothing() -> None:
    """`since` and `until` filter on the last change; the pass ends as a delta and goes on from its own cursor."""
    async with LabelStudioPlatform() as platform:
        project = platform.store.create_project("Windows")
        task = {"data": {"image": "i"}, "annotations": [{"result": []}]}
        now = datetime.now(UTC)
        for days in (30, 20, 10):
            platform.store.import_tasks(project, [task] * 5, at=now - timedelta(days=days))
        async with mirrored(platform) as mirror:
            middle = Selection(since=now - timedelta(days=25), until=now - timedelta(days=15))
            assert await mirror.sync(select=middle) == "delta"
            assert {key.item for key in mirror.items} == {"6", "7", "8", "9", "10"}
            late = Selection(since=now - timedelta(days=15))
            assert await mirror.sync(select=late) == "delta"
            assert {key.item for key in mirror.items} == {str(number) for number in range(6, 16)}
            platform.store.delete_tasks([6, 11])
            platform.store.annotate(1)
            platform.traffic.clear()
            assert await mirror.sync(select=late) == "delta"
            assert {key.item for key in mirror.items} == {"1"} | {str(number) for number in range(6, 16)}
            assert platform.traffic.requests["tasks"] == 2
