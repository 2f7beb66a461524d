"""Memory grows with concurrency and the largest single item, never with the job: peaks of real processes."""

from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
import pytest
import yaml

from syncer.demo.platform.process import platform_process
from tests.emulators.link_process import link_process
from tests.support.command import command, environment
from tests.support.link_run import prepare
from tests.support.measured import measured

#: What a job may need altogether, and by how much a larger one may need more.
MOST = 120_000_000
GROWTH = 40_000_000

#: Bytes of an ordinary and of a big document, and of one that is nearly spooled.
ORDINARY, BIG, HUGE = 8 << 10, 256 << 10, 7 << 19
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


PLATFORMS: Mapping[str, Callable[..., int]] = {"linked": linked, "inline": inline}


def synced(folder: Path, job: str, items: int, env: Mapping[str, str]) -> int:
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


@pytest.mark.parametrize(("platform", "job"), [("linked", "zip"), ("inline", "folder")])
def test_invariant_5_big_documents_take_no_more_memory(tmp_path: Path, platform: str, job: str) -> None:
    """Some hundred documents of 256 kB stay below the limit, fetched one by one or served on pages."""
    assert PLATFORMS[platform](tmp_path / "big", job, items=300, size=BIG) < MOST


@pytest.mark.parametrize("job", SINKS)
def test_invariant_5_documents_of_megabytes_take_turns(tmp_path: Path, job: str) -> None:
    """Documents just small enough for memory: as many are fetched at once as have room, not as there are slots."""
    assert linked(tmp_path / "huge", job, items=60, size=HUGE) < MOST


def test_invariant_5_ten_times_the_items_take_hardly_more_memory(tmp_path: Path) -> None:
    """10,000 small documents need little more memory than 1,000."""
    small, large = (linked(tmp_path / f"{items}", "zip", items=items, size=512) for items in (1000, 10_000))
    assert large - small < GROWTH
    assert large < MOST


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("job", SINKS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_invariant_5_memory_does_not_grow_with_the_job(tmp_path: Path, platform: str, job: str) -> None:
    """200,000 documents of 8 kB need at most 40 MB more than 10,000, and stay below the limit."""
    run = PLATFORMS[platform]
    small, large = (run(tmp_path / f"{items}", job, items=items, size=ORDINARY) for items in (10_000, 200_000))
    assert large - small < GROWTH
    assert large < MOST


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("job", SINKS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_invariant_5_a_gigabyte_of_big_documents(tmp_path: Path, platform: str, job: str) -> None:
    """A gigabyte in documents of 256 kB stays below the same limit."""
    assert PLATFORMS[platform](tmp_path / "big", job, items=4000, size=BIG) < MOST
