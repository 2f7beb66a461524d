"""Gone, withdrawn, unselected, frozen: four things, and none of them on a doubtful listing."""

from pathlib import Path

import pytest

from syncer.flow.job import RunOptions
from syncer.model.errors import Exit, Unavailable
from syncer.model.refs import PartitionKey
from syncer.ports import Selection
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine


def lake(**options: object) -> dict[str, dict[str, object]]:
    """Return one folder with options."""
    return {"lake": {"type": "prefix", "url": "file:lake", **options}}


async def keys(engine: Engine, sink: str = "lake") -> set[str]:
    """Return the paths that a destination's manifest calls current."""
    return {path for _, path, _, _ in (await engine.outcome(sink)).rows}


async def test_rule_13_a_listing_that_failed_proves_no_deletion(tmp_path: Path) -> None:
    """Page 3 of 4 fails: the missing item stays; after a complete listing it goes."""
    platform = MemoryPlatform(40)
    source = MemorySource(platform, incremental=False)
    await Engine(tmp_path, source, sinks=lake()).run()
    platform.delete("2")
    platform.fail_listing(3, Unavailable("502 from the proxy"))
    engine = Engine(tmp_path, source, sinks=lake())
    report = await engine.run()
    assert report.exit_code() is Exit.NOT_NOW
    assert not report.complete
    assert len(await keys(engine)) == 40
    report = await Engine(tmp_path, source, sinks=lake()).run()
    assert report.exit_code() is Exit.DONE
    assert report.counts.deleted == 1
    assert len(await keys(engine)) == 39


async def test_rule_13_keys_seen_before_a_stop_still_count(tmp_path: Path) -> None:
    """A full pass in two runs subtracts nothing that its first half saw."""
    platform = MemoryPlatform(40)
    source = MemorySource(platform, incremental=False)
    await Engine(tmp_path, source, sinks=lake()).run()
    platform.delete("39")
    platform.fail_listing(3, Unavailable("down"))
    await Engine(tmp_path, source, sinks=lake()).run()
    report = await Engine(tmp_path, source, sinks=lake()).run()
    assert report.counts.deleted == 1
    assert len(await keys(Engine(tmp_path, source, sinks=lake()))) == 39


@pytest.mark.parametrize(("on_delete", "bytes_stay", "row_stays"), [
    ("keep", True, True), ("tombstone", True, False), ("delete", False, False),
])  # fmt: skip
async def test_rule_14_what_becomes_of_a_deleted_item(
    tmp_path: Path,
    on_delete: str,
    bytes_stay: bool,
    row_stays: bool,  # a table
) -> None:
    """`keep` does nothing, `tombstone` says so, `delete` says so and then removes the bytes."""
    platform = MemoryPlatform(5)
    source = MemorySource(platform)
    sinks = lake(on_delete=on_delete)
    await Engine(tmp_path, source, sinks=sinks).run()
    platform.delete("3")
    engine = Engine(tmp_path, source, sinks=sinks)
    report = await engine.run()
    assert report.exit_code() is Exit.DONE
    assert (tmp_path / "lake" / "3.json").exists() is bytes_stay
    assert ("3.json" in await keys(engine)) is row_stays
    again = await Engine(tmp_path, source, sinks=sinks).run()
    assert (again.counts.deleted, again.counts.stored) == (0, 0)


@pytest.mark.parametrize(("on_withdraw", "stays"), [("keep", True), ("tombstone", False)])
async def test_rule_14_a_withdrawn_item_is_not_a_deleted_one(
    tmp_path: Path,
    on_withdraw: str,
    stays: bool,  # a table
) -> None:
    """A reopened item is kept with the reason, or taken out; finished again, it is back."""
    platform = MemoryPlatform(5)
    source = MemorySource(platform)
    sinks = {**lake(on_withdraw=on_withdraw), "zip": {"type": "zip", "url": "file:zip", "on_withdraw": on_withdraw}}
    await Engine(tmp_path, source, sinks=sinks).run()
    platform.withdraw("3", "rejected")
    engine = Engine(tmp_path, source, sinks=sinks)
    report = await engine.run()
    assert report.counts.withdrawn == 1
    assert ("3.json" in await keys(engine)) is stays
    assert ("3.json" in await keys(engine, "zip")) is stays
    assert ("3.json" in (await engine.outcome("zip")).files) is stays
    platform.put("3", b"again")
    await Engine(tmp_path, source, sinks=sinks).run()
    assert "3.json" in await keys(engine, "zip")
    assert (tmp_path / "lake" / "3.json").read_bytes() == b"again"


async def test_rule_14_more_deletions_than_allowed_are_held_back_as_a_whole(tmp_path: Path) -> None:
    """Above `max_delete` nothing is deleted, everything else commits, and the next run can be told to."""
    platform = MemoryPlatform(60)
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=lake()).run()
    for number in range(1, 21):
        platform.delete(str(number))
    platform.put("61")
    engine = Engine(tmp_path, source, sinks=lake())
    report = await engine.run()
    assert report.exit_code() is Exit.OWING
    assert (report.counts.held, report.counts.deleted, report.counts.stored) == (20, 0, 1)
    assert len(await keys(engine)) == 61
    report = await Engine(tmp_path, source, sinks=lake()).run()
    assert report.counts.held == 20
    report = await Engine(tmp_path, source, sinks=lake()).run(RunOptions(max_delete=20))
    assert report.exit_code() is Exit.DONE
    assert report.counts.deleted == 20
    assert len(await keys(engine)) == 41


async def test_rule_14_a_project_that_is_gone_is_frozen_until_accepted(tmp_path: Path) -> None:
    """A literal project that was synced and answers 404 is kept and named; `--accept-gone` deletes."""
    platform = MemoryPlatform(5)
    other = PartitionKey("8")
    platform.put("a", partition=other)
    select = Selection(projects=("7", "8"))
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=lake(), select=select).run()
    platform.partitions.discard(other)
    engine = Engine(tmp_path, source, sinks=lake(), select=select)
    report = await engine.run()
    assert report.exit_code() is Exit.OWING
    assert report.frozen == ("8",)
    assert (report.counts.frozen, report.counts.difference) == (1, 0)
    assert len(await keys(engine)) == 6
    report = await Engine(tmp_path, source, sinks=lake(), select=select).run(RunOptions(accept_gone=("8",)))
    assert len(await keys(engine)) == 5


async def test_rule_14_a_narrowed_selection_deletes_nothing_until_pruned(tmp_path: Path) -> None:
    """Items that are no longer selected stay, also in later runs, until `--prune`."""
    platform = MemoryPlatform(5)
    platform.put("a", partition=PartitionKey("8"))
    source = MemorySource(platform)
    both, one = Selection(projects=("7", "8")), Selection(projects=("7",))
    layout = lake(path="{project}/{item}.json")
    await Engine(tmp_path, source, sinks=layout, select=both).run()
    engine = Engine(tmp_path, source, sinks=layout, select=one)
    report = await engine.run()
    assert report.exit_code() is Exit.DONE
    assert len(await keys(engine)) == 6
    await Engine(tmp_path, source, sinks=layout, select=one).run(RunOptions(prune=True))
    assert len(await keys(engine)) == 5
    assert report.counts.deleted == 0


async def test_rule_11_an_item_in_two_batches_is_two_items(tmp_path: Path) -> None:
    """The batch is part of the key; an item that moves is deleted there and put here."""
    first, second = PartitionKey("7", "a"), PartitionKey("7", "b")
    platform = MemoryPlatform(partition=first)
    platform.put("1", b"1", partition=first)
    platform.put("1", b"1", partition=second)
    source = MemorySource(platform)
    select = Selection(projects=("7",), batches=("*",))
    engine = Engine(tmp_path, source, sinks=lake(), select=select)
    await engine.run()
    assert await keys(engine) == {"a/1.json", "b/1.json"}
    platform.delete("1", partition=first)
    await Engine(tmp_path, source, sinks=lake(), select=select).run()
    assert await keys(engine) == {"b/1.json"}
