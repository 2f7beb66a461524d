"""A daemon at work for a long time: nothing of it grows, and its event loop is never late."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import anyio
import pytest

from syncer.demo.platform.process import Remote, platform_process
from tests.support.command import environment
from tests.support.tree import ROOT

MINUTES = float(os.environ.get("SYNCER_SOAK_MINUTES", "20"))

CONFIG = """
state: sqlite:state.db
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}, page_size: 50}}
sinks:
  folder: {{type: prefix, url: file:labels, on_delete: delete}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
jobs:
  street: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [folder], schedule: {{every: 1s}}}}
  nightly: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [archive], schedule: {{every: 3s}}}}
"""


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 300)
async def test_nothing_grows_and_the_loop_is_never_late(tmp_path: Path) -> None:
    """Two jobs, every second and every third, on a platform that changes: memory, files, tasks and threads are flat."""
    seconds = int(MINUTES * 60)
    async with platform_process("--tasks", "400") as platform, anyio.create_task_group() as group:
        project = next(iter(platform.projects))
        (tmp_path / "syncer.yaml").write_text(CONFIG.format(url=platform.url, token=platform.token, project=project))
        group.start_soon(_change, platform, project)
        outputs: dict[str, bytes] = {}
        async with anyio.create_task_group() as both:
            both.start_soon(_measure, outputs, tmp_path, str(seconds))
            both.start_soon(_measure, outputs, tmp_path, str(seconds), "--rest")
        group.cancel_scope.cancel()
    *samples, last = [json.loads(line) for line in outputs[str(seconds)].splitlines()]
    rest = json.loads(outputs["--rest"])
    assert len(samples) == seconds, "a run stood still"
    early, late = _quarter(samples, 1), _quarter(samples, 3)
    print(f"{MINUTES:g} min, {samples[-1]['runs']} runs, exit codes {last['codes']}")
    print(f"lag: {last['lag']}, p99 by its own doing {last['own']}, of a loop at rest {rest}")
    for name in ("rss", "files", "tasks", "threads"):
        print(
            f"{name}: median {median(early[name]):,.0f} then {median(late[name]):,.0f}, "
            f"least {min(early[name]):,} then {min(late[name]):,}, most {max(early[name]):,} then {max(late[name]):,}"
        )
    assert last["codes"] == [0]
    assert samples[-1]["runs"] >= seconds / 10
    assert median(late["rss"]) < 1.05 * median(early["rss"]) + 4_000_000
    for name in ("files", "tasks", "threads"):
        # At rest nothing is left over; at most two runs meet, in one quarter and perhaps not in the other.
        assert min(late[name]) <= min(early[name]) + 2, name
        assert max(late[name]) <= 2 * max(early[name]) + 8, name
    assert last["own"] < 0.05


async def _measure(outputs: dict[str, bytes], folder: Path, *words: str) -> None:
    done = await anyio.run_process(
        [sys.executable, "-m", "tests.support.soak_process", *words], cwd=folder,
        env={**environment(folder), "PYTHONPATH": str(ROOT)}, stderr=None,
    )  # fmt: skip
    outputs[words[-1]] = done.stdout


def _quarter(samples: Sequence[dict[str, int]], number: int) -> dict[str, list[int]]:
    """Return the figures of a quarter of the time, from 0."""
    size = len(samples) // 4
    part = samples[number * size : (number + 1) * size]
    return {name: [each[name] for each in part] for name in part[0]}


async def _change(platform: Remote, project: str) -> None:
    """Add and remove tasks as people do, at an even number of them."""
    for number in range(10**9):
        new = [{"data": {"image": f"/n/{number}/{each}.png"}, "annotations": [{"result": []}]} for each in range(5)]
        await platform.ask("POST", f"/api/projects/{project}/import", new)
        listing = await platform.ask("GET", f"/api/tasks?project={project}&page_size=5&page=1&fields=all")
        for task in listing["tasks"]:
            await platform.ask("DELETE", f"/api/tasks/{task['id']}/")
        await anyio.sleep(2)
