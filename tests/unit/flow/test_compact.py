"""Compaction through the engine: smaller archives, the same content, nothing fetched."""

import random
from pathlib import Path

from syncer.flow.compact import compact_unit
from syncer.flow.units import group
from syncer.flow.verify import Survey, verify
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine

SINKS = {"zip": {"type": "zip", "url": "file:zip", "mode": "append", "name": "all.zip"}}


async def current(engine: Engine) -> set[tuple[str, bytes]]:
    """Return path and digest of what the manifest calls current."""
    survey = await Survey.read(engine.opened()[0].manifest("job"))
    return {(path, expected.sha256) for (_, path), expected in survey.current.items()}


async def test_rule_7_compaction_gives_space_back_and_changes_no_entry(tmp_path: Path) -> None:
    """Superseded and deleted entries of an appended archive go; what is current stays, byte for byte."""
    platform = MemoryPlatform()
    for number in range(20):
        platform.put(str(number), random.Random(number).randbytes(20_000))
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=SINKS).run()
    for number in range(0, 20, 2):
        platform.put(str(number), random.Random(100 + number).randbytes(20_000))
    platform.delete("1")
    await Engine(tmp_path, source, sinks=SINKS).run()
    engine = Engine(tmp_path, source, sinks=SINKS)
    before, opened = await current(engine), sum(source.opened.values())
    size = sum(path.stat().st_size for path in (tmp_path / "zip").glob("*.zip"))
    job = engine.job()
    units = group([partition async for partition in source.partitions(job.select)], job.sinks)
    async with engine.store() as store:
        freed = await compact_unit(job, store, units[0], run="r", clock=engine.clock, emit=engine.heard)
    assert freed > 10 * 20_000
    assert sum(path.stat().st_size for path in (tmp_path / "zip").glob("*.zip")) == size - freed
    assert await current(engine) == before
    # Now that nothing is dead, every entry stands exactly once.
    assert {path for path, _ in before} == (await engine.outcome("zip")).files.keys()
    assert sum(source.opened.values()) == opened
    assert [finding async for finding in verify(engine.opened()[0], "job", deep=True)] == []
    report = await Engine(tmp_path, source, sinks=SINKS).run()
    assert report.exit_code() is Exit.DONE
    assert report.counts.stored == 0


async def test_a_run_compacts_archives_that_are_mostly_dead(tmp_path: Path) -> None:
    """Past the share of the option the run itself squeezes them, in the same publish that readers see; before, not."""
    platform = MemoryPlatform()
    source = MemorySource(platform)
    for turn in range(4):
        for number in range(10):
            platform.put(str(number), f"{turn} of {number}".encode())
        engine = Engine(tmp_path, source, sinks=SINKS)
        assert (await engine.run()).exit_code() is Exit.DONE
        head = await engine.opened()[0].manifest("job").head()
        assert head is not None
        # 20 of 30 would be dead after the third round: compacted, then it begins anew.
        assert [(one.live, one.dead) for _, one in sorted(head.containers.items())] == [
            [(10, 0)], [(10, 0), (0, 10)], [(10, 0)], [(10, 0), (0, 10)],
        ][turn], turn  # fmt: skip
        assert [finding async for finding in verify(engine.opened()[0], "job", deep=True)] == []
