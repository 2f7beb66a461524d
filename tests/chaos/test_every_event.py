"""Die at every single event of a run, exhaustively: the next run always ends where an undisturbed one does."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from syncer.flow.job import RunOptions
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.destination import Outcome
from tests.support.engine import Engine, crash_at
from tests.support.story import Story, died

SINKS: Mapping[str, Mapping[str, object]] = {
    "lake": {"type": "prefix", "url": "file:lake", "on_delete": "delete"},
    "zip": {"type": "zip", "url": "file:zip", "name": "all.zip", "max_part_size": 65536},
    "jsonl": {"type": "jsonl", "url": "file:jsonl", "compression": "gz", "shard_size": 65536},
    "parquet": {"type": "parquet", "url": "file:parquet", "shard_size": 65536},
}


class FolderStory(Story):
    """The two passes into a folder and into archives beside it."""

    def __init__(self, folder: Path, *, inline: bool, state: str = "sqlite:state.db") -> None:
        """Take where progress is remembered."""
        super().__init__(folder, inline=inline)
        self.state = state

    def engine(self) -> Engine:
        """Return a process's view of the folder."""
        return Engine(self.folder, self.source, sinks=SINKS, state=self.state)

    async def outcomes(self) -> list[Outcome]:
        """Return what readers find in each destination."""
        return [await self.engine().outcome(sink) for sink in SINKS]


async def matrix(
    tmp_path: Path, *, inline: bool, step: int, first: int = 0, state: Callable[[], str] = lambda: "sqlite:state.db"
) -> None:
    """Compare every crash point (or every n-th) with a calm story; `state` names one that nobody used yet."""
    calm = FolderStory(tmp_path / "calm", inline=inline, state=state())
    expected = await calm.play()
    assert [len(outcome.rows) for outcome in expected] == [30] * len(SINKS)
    points = range(first, sum(calm.events), step)
    assert len(points) > 5  # otherwise there is nothing to see
    for point in points:
        story = FolderStory(tmp_path / f"crash-{point}", inline=inline, state=state())
        assert await story.play(point) == expected, f"died at event {point}"
        left = [path.name for path in story.folder.rglob("*") if ".partial" in path.name or path.suffix == ".next"]
        assert left == [], f"died at event {point}"


@pytest.mark.parametrize(("inline", "first"), [(False, 2), (True, 11)])
async def test_invariant_3_dying_at_some_events_changes_nothing(tmp_path: Path, inline: bool, first: int) -> None:
    """Every eighteenth event of a first and a second pass, other ones for either kind of source."""
    await matrix(tmp_path, inline=inline, step=18, first=first)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("inline", [False, True])
async def test_invariant_3_dying_at_every_event_changes_nothing(tmp_path: Path, inline: bool) -> None:
    """All events of a first and a second pass, one after the other."""
    await matrix(tmp_path, inline=inline, step=1)


async def relayout(folder: Path, crash: int | None = None) -> tuple[Outcome, int]:
    """Move everything to other places, dying on the way; return what is there once it was done, and how many events."""
    folder.mkdir()
    platform = MemoryPlatform(24)
    source = MemorySource(platform)
    await Engine(folder, source, sinks={"lake": SINKS["lake"]}).run()
    platform.put("0", b"new")
    sinks = {"lake": {**SINKS["lake"], "on_delete": "keep", "path": "{project}/{item}.json"}}
    engine = Engine(folder, source, sinks=sinks)
    engine.emit = crash_at(crash) if crash is not None else engine.emit
    try:
        await engine.run(RunOptions(relayout=True))
    except BaseException as error:
        if not died(error):
            raise
        await Engine(folder, source, sinks=sinks).run(RunOptions(relayout=True))
    assert not list((folder / "lake").glob("*.json"))
    return await engine.outcome("lake"), len(engine.events)


async def moves(tmp_path: Path, *, step: int, first: int = 0) -> None:
    """Compare every crash point of a move (or every n-th) with a calm one."""
    expected, events = await relayout(tmp_path / "calm")
    assert len(expected.rows) == 25
    assert events > 20
    for point in range(first, events, step):
        found, _ = await relayout(tmp_path / f"crash-{point}", point)
        assert found == expected, f"died at event {point}"


async def test_invariant_3_dying_while_items_move_leaves_no_orphans(tmp_path: Path) -> None:
    """At some events of a run that moves items to new places: each lies in one place in the end."""
    await moves(tmp_path, step=11, first=4)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_invariant_3_dying_at_every_event_while_items_move_leaves_no_orphans(tmp_path: Path) -> None:
    """At all events of a run that moves items to new places: each lies in one place in the end."""
    await moves(tmp_path, step=1)
