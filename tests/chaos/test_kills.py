"""SIGKILL at random instants of a real process: what is left goes on to the same result."""

import json
import random
import subprocess
import time
from pathlib import Path

import pytest

from syncer.demo.platform_process import Remote, platform_process
from syncer.model.errors import Exit
from tests.support.command import start, syncer
from tests.support.destination import contents

CONFIG = """
state: {state}
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}, page_size: 50}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
jobs:
  job: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [folder, archive], commit: {{items: 40}}}}
"""


def prepare(folder: Path, platform: Remote, state: str = "sqlite:state.db") -> Path:
    """Make a folder with a configuration for the platform's first project."""
    folder.mkdir()
    project = next(iter(platform.projects))
    (folder / "syncer.yaml").write_text(
        CONFIG.format(state=state, url=platform.url, token=platform.token, project=project)
    )
    return folder


def killed(folder: Path, seconds: float) -> bool:
    """Run a pass and kill it after a while; tell whether it was still running."""
    process = start("sync", "--progress", "none", "-q", cwd=folder)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    _, errors = process.communicate()
    assert b"Traceback" not in errors, errors.decode()
    # After a kill the state may wait until the lease of the dead process has run out.
    held = process.returncode == Exit.NOT_NOW and b"is being worked on by" in errors
    assert held or process.returncode in {0, -9}, errors.decode()
    return process.returncode == -9


def settle(folder: Path, *words: str) -> None:
    """Run a pass to its end, as soon as nobody is believed to be at work any more."""
    until = time.monotonic() + 60
    while True:
        done = syncer("sync", *words, "-q", cwd=folder, timeout=300)
        if done.code != Exit.NOT_NOW or time.monotonic() > until:
            done.ok()
            return


async def survive(tmp_path: Path, kills: int, tasks: int, seed: int = 20261122, state: str = "sqlite:state.db") -> None:
    """Kill a run again and again, change the platform now and then, and compare with a run that was left alone."""
    dice = random.Random(seed)
    async with platform_process("--tasks", str(tasks), "--latency", "0.02") as platform:
        project = next(iter(platform.projects))
        folder = prepare(tmp_path / "killed", platform, state)
        syncer("status", cwd=folder).ok()
        started = time.monotonic()
        syncer("status", cwd=folder).ok()
        idle = time.monotonic() - started
        done = 0
        while done < kills:
            done += killed(folder, idle * dice.uniform(0.7, 1.6) + dice.uniform(0, 0.6))
            if dice.random() < 0.5:  # so that later passes have work: corrections, deletions, new tasks
                new = [
                    {"data": {"image": f"/n/{dice.random()}.png"}, "annotations": [{"result": []}]} for _ in range(30)
                ]
                await platform.ask("POST", f"/api/projects/{project}/import", new)
                listing = await platform.ask("GET", f"/api/tasks?project={project}&page_size=5&page=last&fields=all")
                for task in listing["tasks"][:2]:
                    await platform.ask("DELETE", f"/api/tasks/{task['id']}/")
        settle(folder, "--full", "--max-delete", "1000000")
        syncer("verify", "--deep", "-q", cwd=folder).ok()
        calm = prepare(tmp_path / "calm", platform)
        syncer("sync", "-q", cwd=calm, timeout=300).ok()
    expected = current(calm)
    assert current(folder) == expected
    assert contents(folder / "archive") == {**contents(calm / "archive")}
    assert expected, "nothing was exported"
    leftovers = [path.name for path in folder.rglob("*") if ".partial" in path.name or path.suffix == ".next"]
    assert leftovers == []


def current(folder: Path) -> dict[str, str]:
    """Return sha256 by path of what the folder's manifest calls current."""
    listed = syncer("manifest", "job", "--sink", "folder", "-o", "jsonl", cwd=folder).ok()
    rows = [json.loads(line) for line in listed.out.splitlines()]
    files = contents(folder / "labels")
    for row in rows:
        assert files[row["path"]] == row["sha256"]
    return {row["path"]: row["sha256"] for row in rows}


async def test_a_few_kills_change_nothing(tmp_path: Path) -> None:
    """Six kills at random instants, with changes in between: folder, archive and manifest end as if undisturbed."""
    await survive(tmp_path, kills=6, tasks=600)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [20261122, 2, 3])
async def test_fifty_kills_change_nothing(tmp_path: Path, seed: int) -> None:
    """Fifty kills at random instants, with changes in between: folder, archive and manifest end as if undisturbed."""
    await survive(tmp_path, kills=50, tasks=3000, seed=seed)
