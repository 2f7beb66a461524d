"""Passes: what changed is noticed, nothing is skipped, and a project at rest costs next to nothing."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from syncer.demo.platform.seeds import Mix
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.refs import Cursor
from syncer.ports import Request, Response, Tools
from syncer.schedule.clock import SystemClock
from syncer.sources.label_studio import PLUGIN
from tests.support.mirror import Mirror
from tests.support.studio_source import mirrored, partitions_of, studio_source


def truth(platform: LabelStudioPlatform, project: int = 1) -> dict[str, str]:
    """Return id and time of every finished task, as the server holds them."""
    return {str(t.id): t.updated_at for t in platform.store.tasks.all_of(project) if t.total_annotations}


def held(mirror: Mirror) -> dict[str, str]:
    """Return id and time of every document that a mirror holds."""
    documents = {key.item: json.loads(item.data) for key, item in mirror.items.items()}
    return {item: _six_digits(document["updated_at"]) for item, document in documents.items()}


def _six_digits(stamp: str) -> str:
    return stamp if "." in stamp else stamp.replace("Z", ".000000Z")


async def test_a_first_pass_carries_its_documents() -> None:
    """Nothing is fetched twice: references come with their bytes, and unfinished tasks are not even listed."""
    async with LabelStudioPlatform(300) as platform, mirrored(platform) as mirror:
        assert await mirror.sync() == "full"
        assert held(mirror) == truth(platform)
        assert mirror.opened == []
        assert all(page.filtered == 0 and not page.withdrawn for page in mirror.pages)
        assert mirror.pages[0].total == len(mirror.items)


async def test_an_unchanged_project_costs_three_requests_with_its_description() -> None:
    """Project, changes, count; also right after a bulk import of thousands of tasks."""
    async with LabelStudioPlatform() as platform:
        project = platform.store.create_project("Imported")
        platform.store.import_tasks(project, [{"data": {"image": "i.png"}, "annotations": [{"result": []}]}] * 3200)
        async with mirrored(platform, read_ahead=2) as mirror:
            await mirror.sync()
            assert len(mirror.items) == 3200
            platform.traffic.clear()
            (partition,) = await partitions_of(mirror.source, "1")
            assert [ref.key.item async for ref in mirror.source.context(partition)] == ["project"]
            assert await mirror.sync() == "delta"
            assert dict(platform.traffic.requests) == {"project": 1, "tasks": 2}
            assert mirror.opened == []


async def test_every_kind_of_change_arrives_in_the_next_pass() -> None:
    """New, changed, skipped, emptied, converted and deleted tasks; documents only of those that differ."""
    async with LabelStudioPlatform(400) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        store = platform.store
        first = {task.id: task for task in store.tasks.all_of(1)}
        store.annotate(10)
        store.patch_annotation(first[11].annotations[0].id, {"result": [{"id": "x"}]})
        store.patch_task(12, {"data": {"image": "new.png"}})
        store.cancel(first[13].annotations[0].id)
        store.delete_annotation(first[14].annotations[0].id)
        store.to_draft(first[15].annotations[0].id)
        store.delete_tasks([16, 400])
        (new,) = store.import_tasks(platform.project, [{"data": {"image": "n.png"}, "annotations": [{"result": []}]}])
        assert await mirror.sync() == "full"
        assert held(mirror) == truth(platform)
        assert sorted(int(key.item) for key in mirror.opened) == [10, 11, 12, new]
        assert {key.item: reason for key, reason in mirror.withdrawn.items()} == {
            "13": "skipped",
            "14": "no finished annotation",
            "15": "no finished annotation",
        }
        assert {key.item for key in mirror.gone} >= {"16"}
        assert await mirror.sync() == "delta"
        assert mirror.opened == []


async def test_a_delta_that_adds_up_is_not_followed_by_a_sweep() -> None:
    """Changes, arrivals and withdrawals are accounted for; only a deletion makes the counts differ."""
    async with LabelStudioPlatform(500) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        annotation = platform.store.tasks.get(1).annotations[0]  # type: ignore[union-attr]
        platform.store.annotate(10)
        platform.store.annotate(1)
        platform.store.cancel(annotation.id)
        platform.store.cancel(platform.store.tasks.get(2).annotations[0].id)  # type: ignore[union-attr]
        platform.traffic.clear()
        assert await mirror.sync() == "delta"
        assert held(mirror) == truth(platform)
        assert platform.traffic.requests["tasks"] == 3
        platform.store.delete_tasks([3])
        assert await mirror.sync() == "full"
        assert held(mirror) == truth(platform)


async def test_a_finish_between_changes_and_count_causes_a_second_look_not_a_sweep() -> None:
    """An annotator who works while the counts are compared does not make every task be listed."""
    async with LabelStudioPlatform(300) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        http = mirror.source._server.api.http  # type: ignore[attr-defined]
        fetch, calls = http.fetch, 0

        async def overtaken(request: Request) -> Response:
            nonlocal calls
            calls += 1
            if calls == 2:
                platform.store.annotate(10)
            return await fetch(request)

        http.fetch = overtaken
        assert await mirror.sync() == "delta"
        assert held(mirror) == truth(platform)
        assert calls == 5
        assert await mirror.sync() == "delta"


async def test_a_reused_id_is_another_document() -> None:
    """On SQLite an import after a deletion gives the highest id again: same id, other task."""
    async with LabelStudioPlatform(20, mix=Mix.finished()) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        before = next(item.version for key, item in mirror.items.items() if key.item == "20")
        platform.store.delete_tasks([20])
        made = platform.store.import_tasks(
            platform.project, [{"data": {"image": "b"}, "annotations": [{"result": []}]}]
        )
        assert made == [20]
        await mirror.sync()
        assert held(mirror) == truth(platform)
        assert next(item.version for key, item in mirror.items.items() if key.item == "20") != before


async def test_rows_that_become_visible_late_are_found() -> None:
    """Within the overlap by their times; beyond it, since the counts do not come out."""
    task = {"data": {"image": "i"}, "annotations": [{"result": []}]}
    async with LabelStudioPlatform(50) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        now = datetime.now(UTC)
        platform.store.import_tasks(platform.project, [task], at=now - timedelta(minutes=5))
        assert await mirror.sync() == "delta"
        platform.store.import_tasks(platform.project, [task], at=now - timedelta(hours=5))
        assert await mirror.sync() == "full"
        assert held(mirror) == truth(platform)


async def test_tasks_deleted_while_pages_are_read_make_nothing_drift() -> None:
    """Deleting what was already listed does not push a task over a page boundary."""
    async with (
        LabelStudioPlatform(200, mix=Mix.finished()) as platform,
        mirrored(platform, page_size=10, read_ahead=1) as mirror,
    ):
        for number in range(1, 12):
            platform.faults.add("vanish", route="tasks", after=number, delete=[number])
        await mirror.sync()
        assert {key.item for key in mirror.items} >= {str(number) for number in range(12, 201)}
        platform.faults.clear()
        await mirror.sync()
        assert held(mirror) == truth(platform)


@pytest.mark.parametrize("options", [{}, {"granularity": "annotation"}, {"ground_truth": "exclude"}])
async def test_a_pass_goes_on_from_any_page_in_another_process(options: dict[str, Any]) -> None:
    """Cursors alone carry a pass: stopped after every page, and continued by a new source, it ends the same."""

    async def in_pieces(platform: LabelStudioPlatform, mirror: Mirror) -> int:
        for number in range(1, 100):
            settings = PLUGIN.options(url=platform.url, token=platform.token, page_size=15, **options)
            mirror.source = PLUGIN.create(settings, http, Tools("again", SystemClock(), lambda _: None))
            if await mirror.sync(stop_after=1) is not None:
                return number
        raise AssertionError("it never ends")

    async with LabelStudioPlatform(120) as platform, mirrored(platform, **options) as whole:
        http = whole.source._server.api.http  # type: ignore[attr-defined]
        await whole.sync()
        mirror = Mirror(whole.source, whole.partition)
        assert await in_pieces(platform, mirror) > 5
        assert mirror.items == whole.items
        platform.store.annotate(50)
        platform.store.delete_tasks([1])
        assert await in_pieces(platform, mirror) > 2
        await whole.sync()
        assert mirror.items == whole.items


async def test_a_full_listing_is_due_after_its_time() -> None:
    """`full_every` lists everything lean also when the counts agree."""
    async with LabelStudioPlatform(30) as platform, mirrored(platform, full_every=0, overlap=0) as mirror:
        await mirror.sync()
        assert await mirror.sync() == "full"
        assert mirror.opened == []


async def test_a_full_listing_that_is_always_due_does_not_ask_the_clock() -> None:
    """With `full_every: 0`, a pass that seems to begin before the last one (one second, a slow answer) lists all."""
    times = [datetime(2026, 11, 22, 12, tzinfo=UTC)]
    platform = LabelStudioPlatform(30, now=lambda: times[-1])
    async with platform, mirrored(platform, full_every=0, overlap=0) as mirror:
        await mirror.sync()
        times.append(times[0] - timedelta(seconds=1))
        assert await mirror.sync() == "full"


async def test_relist_fetches_only_what_differs_and_refetch_everything() -> None:
    """A relist without a cursor withdraws and deletes too; a refetch carries all documents again."""
    async with LabelStudioPlatform(200) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        platform.store.annotate(10)
        platform.store.delete_tasks([1])
        platform.store.cancel(platform.store.tasks.get(2).annotations[0].id)  # type: ignore[union-attr]
        assert await mirror.sync(relist=True) == "full"
        assert held(mirror) == truth(platform)
        assert [key.item for key in mirror.opened] == ["10"]
        assert ([key.item for key in mirror.gone], [key.item for key in mirror.withdrawn]) == (["1"], ["2"])
        assert await mirror.sync(refetch=True) == "full"
        refs = [ref for page in mirror.pages for ref in page.refs]
        assert all(ref.inline is not None for ref in refs)
        assert len(refs) == len(mirror.items)


async def test_a_lost_checkpoint_is_noticed() -> None:
    """A cursor whose items the ledger does not hold is not followed."""
    async with LabelStudioPlatform(40) as platform, mirrored(platform) as mirror:
        await mirror.sync()
        mirror.items.clear()
        assert await mirror.sync() == "full"
        assert held(mirror) == truth(platform)


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"v":99,"pass":"rest"}', '{"v":1,"pass":"rest","under":"x"}'])
async def test_a_cursor_of_another_format_is_not_followed(text: str) -> None:
    """What can't be read is listed anew: that repeats, and loses nothing."""
    async with LabelStudioPlatform(20) as platform, mirrored(platform) as mirror:
        mirror.cursor = Cursor(text)
        assert await mirror.sync() == "full"
        assert held(mirror) == truth(platform)


async def test_a_server_without_a_clock_is_followed_by_the_times_of_its_rows() -> None:
    """Without a `Date` header the newest task's time is the watermark's measure; ours never is."""

    @asynccontextmanager
    async def dateless(platform: LabelStudioPlatform) -> Any:
        async with mirrored(platform) as mirror:
            fetch = mirror.source._server.api.http.fetch  # type: ignore[attr-defined]

            async def without(request: Request) -> Response:
                return replace(await fetch(request), date=None)

            mirror.source._server.api.http.fetch = without  # type: ignore[attr-defined]
            yield mirror

    async with LabelStudioPlatform(50) as platform, dateless(platform) as mirror:
        assert await mirror.sync() == "full"
        assert mirror.cursor is not None
        assert json.loads(mirror.cursor)["watermark"].startswith("2026-01-05T07:5")
        platform.store.annotate(10)
        platform.store.delete_tasks([1])
        assert await mirror.sync() == "full"
        assert held(mirror) == truth(platform)


async def test_rule_17_nothing_but_reads_is_sent() -> None:
    """Read-only by design: over full, delta, sweep and opening, GET alone, and POST to renew the token."""
    async with (
        LabelStudioPlatform(100, lifetime=0.2) as platform,
        studio_source(platform.url, platform.pat(), page_size=10) as source,
    ):
        (partition,) = await partitions_of(source, "*")
        mirror = Mirror(source, partition)
        await mirror.sync()
        platform.store.annotate(10)
        platform.store.delete_tasks([1])
        assert await mirror.sync() == "full"
        await source.whoami()
        await source.projects()
        await source.get(["3"])
        sent = {(line.method, line.path) for line in platform.traffic.log}
        assert {method for method, _ in sent} == {"GET", "POST"}
        assert {path for method, path in sent if method == "POST"} == {"/api/token/refresh/"}
