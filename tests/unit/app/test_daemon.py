"""The daemon in one process on virtual time: its desk, archives at their own pace, debts, idle runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from syncer.model.errors import UnknownName
from syncer.sources.memory import MemoryPlatform, platform_named
from tests.support.daemons import configure, daemon

PREFIX: dict[str, Any] = {"type": "prefix", "path": "{item}.json"}
ZIP: dict[str, Any] = {"type": "zip", "name": "all.zip"}


@pytest.fixture
def platform(tmp_path: Path) -> MemoryPlatform:
    """Return a platform with five items."""
    found = platform_named(tmp_path.name)
    for number in range(1, 6):
        found.put(str(number))
    return found


def generation(folder: Path) -> int:
    """Return how often the HEAD of a destination moved."""
    heads = list(folder.glob("_manifest/*/HEAD.json"))
    return int(json.loads(heads[0].read_text("utf-8"))["generation"]) if heads else 0


async def test_the_desk_shows_jobs_and_takes_wishes(tmp_path: Path, platform: MemoryPlatform) -> None:
    """Jobs in their order with state, next run and last account; trigger, pause, resume, retry and hint do as named."""
    file = configure(
        tmp_path, platform=tmp_path.name,
        jobs={
            "street": {"sink": PREFIX, "schedule": {"cron": "0 3 * * *"}},
            "manual": {"sink": PREFIX},
        },
    )  # fmt: skip
    platform.fail("3")
    async with daemon(file) as running:
        desk, until = running.daemon.desk, running.until
        street, manual = await desk.jobs()
        assert (street.name, street.state, manual.state) == ("street", "idle", "never")
        assert (street.schedule, manual.schedule) == ("cron 0 3 * * * UTC", "by hand")
        assert street.next_run is not None
        assert (street.next_run.hour, street.last, street.fresh_until) == (3, None, None)
        assert street.sinks["street"].startswith("file:")
        assert await desk.trigger("manual", "somebody")
        assert not await desk.trigger("manual", "somebody")
        await until(lambda: len(running.heard.reports) == 1)
        await running.quiet()
        manual = (await desk.jobs())[1]
        assert manual.last is not None
        assert (manual.last.code, manual.items, manual.owed, manual.fresh_until) == (3, 4, 1, None)
        assert [each.key.item for each in await desk.owed("manual", 9)] == ["3"]
        platform.mend()
        assert await desk.retry("manual") == 1
        await until(lambda: len(running.heard.reports) == 2)
        await running.quiet()
        manual = (await desk.jobs())[1]
        assert (manual.items, manual.owed) == (5, 0)
        assert manual.fresh_until == running.heard.reports[1].started
        await desk.pause("street")
        assert (await desk.jobs())[0].state == "paused"
        assert await desk.hint("mem", "7") == ["manual"]
        await desk.resume("street")
        await running.quiet()
        assert sorted(await desk.hint("mem", None)) == ["manual", "street"]
        assert await desk.hint("other", "7") == []
        assert [row.job for row in await desk.runs("manual", 2)] == ["manual", "manual"]
        (shown,) = await desk.platforms()
        assert (shown.name, shown.type, shown.circuit) == ("mem", "memory", "closed")
        health = await desk.health()
        assert (health.ready, health.stalled, health.reasons) == (True, None, ())
        for wish in (desk.trigger("stret", "x"), desk.pause("stret"), desk.retry("stret")):
            with pytest.raises(UnknownName, match="did you mean 'street'"):
                await wish
        await running.quiet()


async def test_rule_7_an_archive_is_not_rewritten_at_each_look(tmp_path: Path, platform: MemoryPlatform) -> None:
    """Looked at each 30 seconds with something new each time, an archive is published each ten minutes."""
    file = configure(
        tmp_path, platform=tmp_path.name,
        jobs={
            "often": {"sink": ZIP, "schedule": {"every": "30s"}},
            "files": {"sink": PREFIX, "schedule": {"every": "30s"}},
        },
    )  # fmt: skip
    async with daemon(file) as running:
        await running.until(lambda: len(running.heard.runs("often")) == 1)
        await running.quiet()
        first = generation(tmp_path / "often")
        assert first > 0
        for number in range(45):
            platform.put(f"new-{number}")
            await running.pass_by(30)
        published = [report for report in running.heard.runs("often") if report.generations]
        assert len(running.heard.runs("often")) >= 35
        assert 2 <= len(published) <= 4
        assert len([report for report in running.heard.runs("files") if report.generations]) >= 30
        # What waits is brought by a run of its own time, also where nothing else is new.
        await running.pass_by(660)
        await running.quiet()
        assert (await running.daemon.syncer.store.status("often")).pending.get("often", 0) == 0
    rows = list((tmp_path / "often").glob("*.zip"))
    assert len(rows) == 1


async def test_a_sink_has_times_of_its_own(tmp_path: Path, platform: MemoryPlatform) -> None:
    """With `publish: 0 3 * * *` an archive that is fed each hour appears at three and not before."""
    file = configure(
        tmp_path, platform=tmp_path.name,
        jobs={"nightly": {"sink": {**ZIP, "publish": "0 3 * * *"}, "schedule": {"every": "1h"}}},
    )  # fmt: skip
    async with daemon(file) as running:
        await running.pass_by(2.5 * 3600)
        assert len(running.heard.runs("nightly")) >= 2
        assert not (tmp_path / "nightly" / "all.zip").exists()
        await running.pass_by(0.6 * 3600)
        assert (tmp_path / "nightly" / "all.zip").exists()
        published = generation(tmp_path / "nightly")
        platform.put("late")
        await running.pass_by(3600 * 3)
        assert generation(tmp_path / "nightly") == published


async def test_rule_18_debts_are_tried_at_growing_distances(tmp_path: Path, platform: MemoryPlatform) -> None:
    """An item that can't be had is tried after 1, 2, 4 … minutes, however often its job looks and lists it again."""
    file = configure(tmp_path, platform=tmp_path.name, jobs={"files": {"sink": PREFIX, "schedule": {"every": "30s"}}})
    platform.fail("3", times=None)
    async with daemon(file) as running:
        await running.until(lambda: len(running.heard.reports) == 1)
        await running.quiet()

        async def attempts() -> int:
            return (await running.daemon.syncer.store.all_owed("files"))[0].attempts

        assert await attempts() == 1
        await running.pass_by(40)
        assert await attempts() == 1
        await running.pass_by(60)
        assert await attempts() == 2
        await running.pass_by(1200)
        assert 4 <= await attempts() <= 6
        platform.put("3")
        await running.pass_by(60)
        assert len(running.heard.runs("files")) > 30
    platform.mend()


async def test_a_stopped_job_stops_nobody_else(tmp_path: Path, platform: MemoryPlatform) -> None:
    """One run is drained; the other goes on to its end, and so does everything after it."""
    file = configure(tmp_path, platform=tmp_path.name, jobs={"one": {"sink": PREFIX}, "two": {"sink": PREFIX}})
    for number in range(1, 6):
        platform.slow(str(number), 30.0)
    async with daemon(file) as running:
        await running.daemon.desk.trigger("one", "test")
        await running.daemon.desk.trigger("two", "test")
        await running.until(lambda: len(running.daemon.syncer._drains) == 2)
        running.daemon.syncer.drain("somebody", "one")
        await running.until(lambda: len(running.heard.reports) == 2)
        await running.quiet()
    (one,), (two,) = running.heard.runs("one"), running.heard.runs("two")
    assert (one.stopped, one.complete) == ("somebody", False)
    assert (two.stopped, two.complete, two.counts.stored) == (None, True, 5)
