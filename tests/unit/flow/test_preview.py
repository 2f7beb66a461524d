"""The dry run counts each item once, however often a pass lists it, and however many partitions there are."""

from pathlib import Path

import pytest

from syncer.flow.job import RunOptions
from syncer.flow.preview import LegPreview
from syncer.model.refs import PartitionKey
from syncer.ports import Selection
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine

LAKE = {"lake": {"type": "prefix", "url": "file:lake"}}


@pytest.mark.parametrize("relist", [False, True])
@pytest.mark.parametrize("deletions", ["silent", "reported"])
async def test_a_pass_that_lists_everything_again_counts_each_item_once(
    tmp_path: Path, deletions: str, relist: bool
) -> None:  # a table
    """Changes that a delta and the sweep behind it both show are counted once, and what neither shows is gone."""
    platform = MemoryPlatform(40)
    for number in range(41, 47):
        platform.put(str(number), group=f"g{number // 2}")
    source = MemorySource(platform, deletions=deletions)
    await Engine(tmp_path, source, sinks=LAKE).run()
    platform.put("50")
    platform.put("3")
    platform.delete("4")
    platform.delete("43")
    platform.withdraw("5")
    platform.withdraw("44")
    preview = await Engine(tmp_path, source, sinks=LAKE).plan(RunOptions(relist=relist))
    assert preview.legs["lake"] == LegPreview(new=1, changed=1, gone=2, withdrawn=2)
    report = await Engine(tmp_path, source, sinks=LAKE).run(RunOptions(relist=relist))
    counts = report.counts
    assert (counts.stored, counts.updated, counts.deleted, counts.withdrawn) == (2, 1, 2, 2)
    after = await Engine(tmp_path, source, sinks=LAKE).plan(RunOptions(relist=True))
    assert after.legs["lake"] == LegPreview()


async def test_partitions_do_not_hide_each_others_deletions(tmp_path: Path) -> None:
    """What is new in one project says nothing about what is gone from another."""
    other = PartitionKey("8")
    platform = MemoryPlatform(10)
    for number in range(101, 111):
        platform.put(str(number), partition=other)
    source, select = MemorySource(platform), Selection(projects=("7", "8"))
    await Engine(tmp_path, source, select, sinks=LAKE).run()
    for number in range(11, 16):
        platform.put(str(number))
    platform.delete("101", partition=other)
    platform.delete("102", partition=other)
    preview = await Engine(tmp_path, source, select, sinks=LAKE).plan(RunOptions(relist=True))
    assert preview.legs["lake"] == LegPreview(new=5, gone=2)
