"""What this version writes, kept for later ones: `python -m tests.support.golden` writes `tests/golden/FORMAT` anew.

Only for a new format: what an older version wrote is never written again. Times of archives are kept beside the files,
since a local archive is known by its time, and a repository keeps none.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from syncer.app.erasing import Erasure, erase
from syncer.app.library import open_syncer
from syncer.flow.job import RunOptions
from syncer.model.errors import Exit
from syncer.model.events import Committed
from syncer.model.refs import ItemKey
from syncer.sinks.documents import FORMAT
from syncer.sources.memory import MemoryPlatform, platform_named
from syncer.sources.memory.platform import _named as named
from tests.support.engine import crash_at
from tests.support.story import died
from tests.support.tree import ROOT

#: Files of each format that a released version wrote.
HERE = ROOT / "tests" / "golden"
#: Where the times of files stand, by name, in nanoseconds.
TIMES = "times.json"
#: Jobs that keep former generations, with the snapshot that each of them has.
LASTING = ("versions", "appended", "runs")
PIN = "first-week"

CONFIG = """state: sqlite:state.sqlite
platforms: {mem: {type: memory, platform: golden}}
sinks:
  objects: {type: prefix, url: "file:out/objects"}
  versions: {type: prefix, url: "file:out/versions", versions: keep}
  archive: {type: zip, url: "file:out/archive"}
  appended: {type: zip, url: "file:out/appended", mode: append}
  runs: {type: zip, url: "file:out/runs", mode: delta}
  begun: {type: zip, url: "file:out/begun"}
  lines: {type: jsonl, url: "file:out/lines"}
  table: {type: parquet, url: "file:out/table"}
jobs:
  objects: {platform: mem, select: {projects: ["7"]}, sinks: [objects]}
  versions: {platform: mem, select: {projects: ["7"]}, sinks: [versions]}
  archive: {platform: mem, select: {projects: ["7"]}, sinks: [archive]}
  appended: {platform: mem, select: {projects: ["7"]}, sinks: [appended]}
  runs: {platform: mem, select: {projects: ["7"]}, sinks: [runs]}
  lines: {platform: mem, select: {projects: ["7"]}, sinks: [lines]}
  table: {platform: mem, select: {projects: ["7"]}, sinks: [table]}
  begun: {platform: mem, select: {projects: ["7"]}, sinks: [begun], commit: {items: 3}}
"""
#: All that are through.
JOBS = ("objects", *LASTING, "archive", "lines", "table")


def filled(platform: MemoryPlatform) -> None:
    """Finish the first items, one of which is to be erased."""
    for number in range(1, 7):
        platform.put(str(number), b'{"id":%d,"box":[1.10,2]}' % number, group=f"task-{number}")
    platform.context("7", b'{"labels":["car"]}')


def worked(platform: MemoryPlatform) -> None:
    """Do a week's work: a correction, a deletion, a withdrawal, and an item that can't be had."""
    platform.put("3", b'{"id":3,"box":[4]}')
    platform.delete("5")
    platform.withdraw("4")
    platform.put("7", b'{"id":7}')
    platform.fail("7", "500")


async def write(folder: Path) -> None:
    """Write everything below a folder."""
    folder.mkdir(parents=True)
    (folder / "syncer.yaml").write_text(CONFIG)
    platform = platform_named("golden")
    filled(platform)
    async with open_syncer(folder / "syncer.yaml") as syncer:
        for job in JOBS:
            assert (await syncer.sync(job)).exit_code() is Exit.DONE
        _, code = await erase(syncer, JOBS, Erasure([ItemKey("annotation", "7", None, None, "2")]))
        assert code is Exit.DONE
        for job in LASTING:
            assert (await syncer.sync(job, RunOptions(relist=True))).exit_code() is Exit.DONE
            await (await syncer.job(job)).sinks[0].manifest(job).snapshots.create(PIN)
        worked(platform)
        for job in JOBS:
            assert (await syncer.sync(job, RunOptions(relist=True, max_delete=9))).exit_code() is Exit.OWING
    async with open_syncer(folder / "syncer.yaml") as syncer:
        syncer.hub.add(crash_at(0, [Committed]))
        try:
            await syncer.sync("begun")
        except BaseException as error:
            if not died(error):
                raise
    shutil.rmtree(folder / "spool", ignore_errors=True)
    shutil.rmtree(folder / "state.sqlite.leases", ignore_errors=True)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    times = {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in files}
    (folder / TIMES).write_text(json.dumps(times, indent=1) + "\n")


def restored(version: Path, folder: Path) -> Path:
    """Copy what a version wrote, with its times; return the configuration."""
    shutil.copytree(version, folder)
    for name, time in json.loads((folder / TIMES).read_text()).items():
        os.utime(folder / name, ns=(time, time))
    return folder / "syncer.yaml"


def platform() -> MemoryPlatform:
    """Return the platform as it was when the files were written, and forget what became of it since."""
    named.pop("golden", None)
    made = platform_named("golden")
    filled(made)
    worked(made)
    return made


if __name__ == "__main__":
    target = HERE / str(FORMAT)
    if target.exists() and "--again" not in sys.argv:
        sys.exit(f"{target} is there: what a version wrote is not written again (--again, before it is released)")
    # State and reports name absolute places: this one says nothing of whose machine it was.
    neutral = Path(tempfile.gettempdir()) / "syncer-golden"
    shutil.rmtree(neutral, ignore_errors=True)
    asyncio.run(write(neutral))
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(neutral, target)
