"""Dying again and again, on one disk after another, with a platform that changes meanwhile: a bucket in memory."""

import random
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.blobs.memory import MemoryBlobs
from syncer.flow.verify import Survey, verify
from syncer.model.errors import Exit
from syncer.ports import Sink
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.destination import Outcome, outcome
from tests.support.engine import Engine, crash_at
from tests.support.story import died


async def found(engine: Engine, name: str, folder: Path) -> Outcome:
    """Return what readers find in a bucket in memory; nothing else may be left there."""
    shutil.rmtree(folder, ignore_errors=True)
    objects = MemoryBlobs.shared(name).objects
    assert [one for one in objects if one.startswith(".syncer/")] == []
    for path, (data, _) in objects.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return await outcome(engine.opened()[1], "job", folder)


def edited(platform: MemoryPlatform, dice: random.Random) -> None:
    """Correct a few items, delete one, add some."""
    for number in dice.sample(range(40), 3):
        platform.put(str(number), dice.randbytes(dice.choice([10, 9000])))
    platform.delete(str(dice.randrange(40)))
    platform.put(str(dice.randrange(1000, 2000)), dice.randbytes(9000))


@pytest.mark.parametrize("mode", ["current", "append"])
@pytest.mark.parametrize("way", ["spool", "volumes"])
async def test_many_deaths_change_nothing(tmp_path: Path, way: str, mode: str) -> None:
    """Eight deaths at random events, edits and lost disks in between: the archives hold what a folder holds."""
    for seed in range(3):
        dice = random.Random(f"{way} {mode} {seed}")
        folder, name = tmp_path / str(seed), str(uuid4())
        folder.mkdir()
        platform = MemoryPlatform()
        for number in range(40):
            platform.put(str(number), dice.randbytes(9000))
        sinks = {
            "lake": {"type": "prefix", "url": "file:lake", "on_delete": "delete"},
            "zip": {
                "type": "zip", "url": f"memory:{name}", "name": "all.zip", "max_part_size": 65536, "upload": way,
                "mode": mode, "on_delete": "delete",
            },
        }  # fmt: skip
        source = MemorySource(platform, inline=False)
        for _ in range(8):
            engine = Engine(folder, source, sinks=sinks)
            engine.emit = crash_at(dice.randrange(5, 120))
            try:
                await engine.run()
            except BaseException as error:
                if not died(error):
                    raise
            if dice.random() < 0.4:
                shutil.rmtree(folder / "spool", ignore_errors=True)
            edited(platform, dice)
        engine = Engine(folder, source, sinks=sinks)
        report = await engine.run()
        assert report.exit_code() is Exit.DONE, report.problems
        lake, archive = engine.opened()
        assert [finding async for finding in verify(archive, "job", deep=True)] == []
        current = await rows(archive)
        assert current == await rows(lake)
        if mode == "current":
            files = (await found(engine, name, tmp_path / "copy")).files
            assert files == {path: (sha256 or b"").hex() for path, sha256 in current}


async def rows(sink: Sink) -> set[tuple[str, bytes | None]]:
    """Return path and digest of what is current."""
    survey = await Survey.read(sink.manifest("job"))
    return {(path, expected.sha256) for (_, path), expected in survey.current.items()}
