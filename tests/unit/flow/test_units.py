"""Shards: each unit belongs to exactly one of them, and two of them never write into one folder."""

from pathlib import Path

import pytest

from syncer.flow.job import RunOptions
from syncer.model.errors import Exit
from syncer.model.events import HeadMoved
from syncer.model.refs import PartitionKey
from syncer.ports import Selection
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import CrashError, Engine, crash_at

PROJECTS = ("1", "2", "3", "4", "5")


def engine(folder: Path, path: str) -> Engine:
    """Return one job over five projects, two items each."""
    platform = MemoryPlatform()
    for project in PROJECTS:
        for item in range(2):
            platform.put(f"{project}-{item}", partition=PartitionKey(project))
    sinks = {"lake": {"type": "prefix", "url": "file:lake", "path": path}}
    return Engine(folder, MemorySource(platform), Selection(projects=PROJECTS), sinks=sinks)


async def test_rule_19_a_place_that_another_unit_took_is_not_cleared(tmp_path: Path) -> None:
    """An item left its place, and the process died before it was cleared: by then it may be another unit's."""
    platform = MemoryPlatform()
    platform.put("x", partition=PartitionKey("1"), fields={"filename": "a"})
    source = MemorySource(platform)
    sinks = {"lake": {"type": "prefix", "url": "file:lake", "path": "{filename}.json"}}
    first = Selection(projects=("1",))
    await Engine(tmp_path, source, first, sinks=sinks).run()
    platform.put("x", partition=PartitionKey("1"), fields={"filename": "b"})
    with pytest.raises(BaseExceptionGroup) as died:
        await Engine(tmp_path, source, first, sinks=sinks, emit=crash_at(0, [HeadMoved])).run()
    assert died.group_contains(CrashError)
    platform.put("y", b'{"y":1}', partition=PartitionKey("2"), fields={"filename": "a"})
    report = await Engine(tmp_path, source, Selection(projects=("2",)), sinks=sinks).run()
    assert report.counts.stored == 1, report.problems
    report = await Engine(tmp_path, source, Selection(projects=("1", "2")), sinks=sinks).run()
    assert report.exit_code() is Exit.DONE, report.problems
    assert (tmp_path / "lake" / "a.json").read_bytes() == b'{"y":1}'
    assert (tmp_path / "lake" / "b.json").exists()


async def test_a_unit_that_joins_a_folder_later_is_not_fenced(tmp_path: Path) -> None:
    """Units that share a folder claim it one after the other; neither a new one nor one that paused comes too late."""
    platform = MemoryPlatform()
    for project in PROJECTS:
        platform.put(project, partition=PartitionKey(project))
    source = MemorySource(platform)
    sinks = {"lake": {"type": "prefix", "url": "file:lake", "path": "{item}.json"}}
    for projects in (("1",), ("1",), ("1", "2"), ("2",), PROJECTS, ("3", "1")):
        report = await Engine(tmp_path, source, Selection(projects=projects), sinks=sinks).run()
        assert report.exit_code() is Exit.DONE, report.problems
    assert len(list((tmp_path / "lake").glob("*.json"))) == 5


async def test_shards_share_the_units_out(tmp_path: Path) -> None:
    """All shards together store everything once."""
    stored = []
    for index in range(3):
        report = await engine(tmp_path, "{project}/{item}.json").run(RunOptions(shard=(index, 3)))
        assert report.exit_code() is Exit.DONE, report.problems
        stored.append(report.counts.stored)
    assert sum(stored) == 10
    assert max(stored) < 10
    assert len(list((tmp_path / "lake").glob("*/*.json"))) == 10


@pytest.mark.parametrize("path", ["{item}.json", "all/{item}.json", "{item}/{project}.json"])
async def test_rule_19_shards_that_might_meet_are_refused(tmp_path: Path, path: str) -> None:
    """A template that leaves the partition out is 78 with shards, before anything is written, and fine without."""
    report = await engine(tmp_path, path).run(RunOptions(shard=(0, 3)))
    assert report.exit_code() is Exit.SETTINGS
    assert "{project}/" in (report.problems[0].hint or "")
    assert not list(tmp_path.glob("lake/*.json"))
    for shard in (None, (0, 1)):
        report = await engine(tmp_path, path).run(RunOptions(shard=shard))
        assert report.exit_code() is Exit.DONE, report.problems
