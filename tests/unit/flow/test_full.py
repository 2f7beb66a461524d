"""A sink that asks for a publish gets it in the middle of a run, and only that sink."""

import random
from pathlib import Path
from uuid import uuid4

from syncer.flow.verify import verify
from syncer.model.errors import Exit
from syncer.model.events import Event, HeadMoved, PublishedLeg, Written
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import CrashError, Engine


async def test_a_full_part_is_published_in_the_middle_of_a_run(tmp_path: Path) -> None:
    """What waits is bounded by one part; readers see part after part, and a death redoes none that was published."""
    platform = MemoryPlatform()
    for number in range(60):
        platform.put(str(number), random.Random(number).randbytes(9000))
    source = MemorySource(platform, inline=False)
    sinks = {
        "lake": {"type": "prefix", "url": "file:lake"},
        "zip": {"type": "zip", "url": f"memory:{uuid4()}", "upload": "volumes", "max_part_size": 100_000},
    }
    engine = Engine(tmp_path, source, sinks=sinks)

    def die(event: Event) -> None:
        if isinstance(event, Written) and event.leg == "zip" and written(engine.events) > 45:
            raise CrashError

    engine.emit = die
    try:
        await engine.run()
    except* CrashError:
        pass
    heads = [event for event in engine.events if isinstance(event, HeadMoved) and event.leg == "zip"]
    assert len(heads) >= 3
    assert [event for event in engine.events if isinstance(event, PublishedLeg) and event.leg != "zip"] == []
    before = sum(source.opened.values())
    engine = Engine(tmp_path, source, sinks=sinks)
    report = await engine.run()
    assert report.exit_code() is Exit.DONE
    assert sum(source.opened.values()) - before <= 60 - 36
    head = await engine.opened()[1].manifest("job").head()
    assert head is not None
    assert sum(one.live for one in head.containers.values()) == 60
    sizes = [one.size for _, one in sorted(head.containers.items())]
    assert max(sizes) <= 100_000
    assert [finding async for finding in verify(engine.opened()[1], "job", deep=True)] == []


def written(events: list[Event]) -> int:
    """Return how many entries the archive accepted."""
    return sum(event.items for event in events if isinstance(event, Written) and event.leg == "zip")


async def test_head_catches_up_with_what_a_dead_run_published(tmp_path: Path) -> None:
    """It died between the two: the next run, which finds nothing to do, lets HEAD name the archives as they are."""
    platform = MemoryPlatform()
    platform.put("1")
    source = MemorySource(platform)
    sinks = {"zip": {"type": "zip", "url": "file:zip"}}
    assert (await Engine(tmp_path, source, sinks=sinks).run()).exit_code() is Exit.DONE
    platform.put("1", b"corrected")
    platform.put("2")
    engine = Engine(tmp_path, source, sinks=sinks)

    def die(event: Event) -> None:
        if isinstance(event, PublishedLeg):
            raise CrashError

    engine.emit = die
    try:
        await engine.run()
    except* CrashError:
        pass
    engine = Engine(tmp_path, source, sinks=sinks)
    assert [finding async for finding in verify(engine.opened()[0], "job", deep=True)] != []
    assert (await engine.run()).counts.stored == 0
    assert [finding async for finding in verify(engine.opened()[0], "job", deep=True)] == []
