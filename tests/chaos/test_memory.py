"""Memory grows with concurrency and the largest single item, never with the job: peaks of real processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from syncer.demo.platform_process import platform_process
from tests.emulators.link_process import link_process
from tests.support.command import command, environment
from tests.support.link_run import prepare
from tests.support.measured import measured

#: What a job may need altogether, and by how much a larger one may need more.
MOST = 120 << 20
GROWTH = 40 << 20

#: Bytes of an ordinary and of a big document.
ORDINARY, BIG = 8 << 10, 256 << 10
#: A box of the embedded Label Studio's annotations, about.
BOX = 230

SINKS = {
    "zip": {"type": "zip", "url": "file:archive", "name": "items.zip"},
    "folder": {"type": "prefix", "url": "file:folder"},
}


def linked(folder: Path, job: str, *, items: int, size: int) -> int:
    """Sync documents that are fetched one by one; return the peak memory of the process in bytes."""
    with link_process("--items", str(items), "--size", str(size)) as platform:
        env = prepare(folder, platform, sinks=SINKS)
        return synced(folder, job, items, env)


def inline(folder: Path, job: str, *, items: int, size: int) -> int:
    """Sync documents that lie on the pages of Label Studio's listing; return the peak memory in bytes."""
    folder.mkdir()

    async def work() -> int:
        boxes = str(max(1, size // BOX))
        async with platform_process("--tasks", str(items), "--finished", "--boxes", boxes) as platform:
            studio = {"type": "label_studio", "url": platform.url, "token": platform.token}
            select = {"projects": list(platform.projects)}
            tree = {
                "state": "sqlite:state.db",
                "platforms": {"studio": studio},
                "sinks": SINKS,
                "jobs": {job: {"platform": "studio", "select": select, "sinks": [job]}},
            }
            (folder / "syncer.yaml").write_text(yaml.safe_dump(tree))
            return await anyio.to_thread.run_sync(synced, folder, job, items, {})

    return anyio.run(work)


PLATFORMS = {"linked": linked, "inline": inline}


def synced(folder: Path, job: str, items: int, env: dict[str, str]) -> int:
    """Run one pass that stores everything; return its peak."""
    words = command("sync", job, "--progress", "none", "-q", "-o", "json")
    cost = measured(words, cwd=folder, env=environment(folder, env), timeout=1500)
    (report,) = cost.json()
    assert report["counts"]["stored"] == items
    print(
        f"{folder.name}: {items:,} items, {report['counts']['bytes'] >> 20:,} MiB, {cost.wall:.1f} s, "
        f"peak {cost.peak >> 20} MiB"
    )
    return cost.peak
