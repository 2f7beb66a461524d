"""Shards: each unit belongs to exactly one of them, and two of them never write into one folder."""

from pathlib import Path

import pytest

from syncer.flow.job import RunOptions
from syncer.model.errors import Exit
from syncer.model.refs import PartitionKey
from syncer.ports import Selection
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine

PROJECTS = ("1", "2", "3", "4", "5")


def engine(folder: Path, path: str) -> Engine:
    """Return one job over five projects, two items each."""
    platform = MemoryPlatform()
    for project in PROJECTS:
        for item in range(2):
            platform.put(f"{project}-{item}", partition=PartitionKey(project))
    sinks = {"lake": {"type": "prefix", "url": "file:lake", "path": path}}
    return Engine(folder, MemorySource(platform), Selection(projects=PROJECTS), sinks=sinks)


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
