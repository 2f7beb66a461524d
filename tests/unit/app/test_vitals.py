"""The watch over a process: what it says, what it finds, and that it leaves nothing behind."""

import asyncio
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from syncer.app.library import Syncer, open_syncer
from syncer.app.vitals import open_vitals
from syncer.observe.stall import Stall
from syncer.schedule.ceiling import LEAST
from syncer.sources.memory import MemoryPlatform, platform_named


def tree(folder: Path, **daemon: object) -> dict[str, object]:
    """Return a configuration with one job on a platform in memory."""
    return {
        "state": f"sqlite:{folder}/state.db",
        "platforms": {"mem": {"type": "memory", "platform": folder.name}},
        "sinks": {"lake": {"type": "prefix", "url": f"file:{folder}/lake"}},
        "jobs": {"files": {"platform": "mem", "select": {"projects": ["7"]}, "sinks": ["lake"]}},
        "daemon": daemon,
    }


def slow(folder: Path, seconds: float) -> MemoryPlatform:
    """Return the platform of a folder, with an item that takes its time."""
    platform = platform_named(folder.name)
    for number in range(1, 6):
        platform.put(str(number))
    platform.slow("3", seconds)
    return platform


async def _sync(syncer: Syncer) -> None:
    await syncer.sync("files")


async def test_a_run_that_stands_still_is_found(tmp_path: Path) -> None:
    """The process is not well then, its line says so, and whoever is told sees what everything waits for."""
    slow(tmp_path, 1000)
    found, told = anyio.Event(), list[Stall]()

    def tell(stall: Stall) -> None:
        # On a busy machine any stage may take that long; the one that really does is reached in the end.
        if stall.stage == "fetching":
            told.append(stall)
            found.set()

    async with open_syncer(add=tree(tmp_path, stall_after=0.3)) as syncer, open_vitals(syncer, tell) as vitals:
        assert (vitals.well, vitals.status()) == (True, "idle")
        async with anyio.create_task_group() as group:
            group.start_soon(_sync, syncer)
            await found.wait()
            assert not vitals.well
            assert vitals.status().startswith("files: ")
            assert vitals.status().endswith("fetching of files does not move")
            assert vitals.condition(5).left == 5
            group.cancel_scope.cancel()
    assert told[0].running.job == "files"
    assert any("Fetcher.work" in line for line in told[0].waits)


async def test_a_ceiling_shrinks_the_work_only_while_it_is_watched(tmp_path: Path) -> None:
    """Far above the ceiling hardly anything may happen at once; when the watch ends everything may again."""
    async with open_syncer(add=tree(tmp_path, memory_limit=1_000_000)) as syncer:
        async with open_vitals(syncer, lambda _: None) as vitals:
            assert vitals.memory_limit == 1_000_000
            while syncer.valve() == 1.0:
                await anyio.lowlevel.checkpoint()
            assert syncer.valve() == LEAST
        assert syncer.valve() == 1.0


async def test_an_error_of_the_block_leaves_as_it_is(tmp_path: Path) -> None:
    """It is not wrapped in a group, and no task is left over."""
    before = asyncio.all_tasks()
    message = "mine"
    async with open_syncer(add=tree(tmp_path, memory_limit=None)) as syncer:
        with pytest.raises(ValueError, match=message):
            async with open_vitals(syncer, lambda _: None):
                raise ValueError(message)
    assert asyncio.all_tasks() == before
