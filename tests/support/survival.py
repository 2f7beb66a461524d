"""Runs of a real process that are stopped again and again, and compared with one that was left alone."""

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncer.demo.platform_process import Remote, platform_process
from syncer.model.errors import Exit
from tests.support.command import start, syncer
from tests.support.destination import contents

CONFIG = """
state: sqlite:state.db
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}, page_size: 50}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
jobs:
  job: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [folder, archive], commit: {{items: 40}}}}
"""

#: Stops a process that runs; tells whether it was amid its work.
Stop = Callable[["subprocess.Popen[bytes]"], bool]


def prepare(folder: Path, platform: Remote) -> Path:
    """Make a folder with a configuration for the platform's first project."""
    folder.mkdir()
    project = next(iter(platform.projects))
    (folder / "syncer.yaml").write_text(CONFIG.format(url=platform.url, token=platform.token, project=project))
    return folder


def kill(process: "subprocess.Popen[bytes]") -> bool:
    """Send SIGKILL."""
    process.kill()
    _said(process, {Exit.DONE, -signal.SIGKILL})
    return process.returncode == -signal.SIGKILL


def drain(process: "subprocess.Popen[bytes]") -> bool:
    """Send SIGTERM, and let the process end by itself."""
    process.terminate()
    # Before the command is there to handle it, the signal does what it always does.
    _said(process, {Exit.DONE, Exit.NOT_NOW, -signal.SIGTERM})
    return process.returncode == Exit.NOT_NOW


@dataclass(frozen=True, slots=True)
class Evict:
    """Stop a process as Kubernetes does: SIGTERM, some seconds, SIGKILL."""

    seconds: float

    def __call__(self, process: "subprocess.Popen[bytes]") -> bool:
        """Stop it."""
        process.terminate()
        try:
            process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        _said(process, {Exit.DONE, Exit.NOT_NOW, -signal.SIGTERM, -signal.SIGKILL})
        return process.returncode in {Exit.NOT_NOW, -signal.SIGKILL}


def _said(process: "subprocess.Popen[bytes]", codes: set[int]) -> None:
    _, errors = process.communicate()
    assert b"Traceback" not in errors, errors.decode()
    assert process.returncode in codes, f"exit {process.returncode}\n{errors.decode()}"


@dataclass(frozen=True, slots=True)
class Survival:
    """What is done to a process, how often, and with how much work."""

    stop: Stop
    stops: int = 1
    tasks: int = 600
    seed: int = 20261122
    #: What is started, and stopped, each time.
    words: Sequence[str] = ("sync", "--progress", "none", "-q")
    #: Seconds that the platform takes for every answer.
    latency: float = 0.02

    def stopped(self, folder: Path, seconds: float) -> bool:
        """Start a process and stop it after a while; tell whether it was amid its work."""
        process = start(*self.words, cwd=folder)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.stop(process)
        _said(process, {Exit.DONE})
        return False

    async def check(self, folder: Path) -> None:
        """Stop a run again and again, change the platform now and then, and compare with one that was left alone."""
        dice = random.Random(self.seed)
        async with platform_process("--tasks", str(self.tasks), "--latency", str(self.latency)) as platform:
            stopped = prepare(folder / "stopped", platform)
            syncer("status", cwd=stopped).ok()
            started = time.monotonic()
            syncer("status", cwd=stopped).ok()
            idle = time.monotonic() - started
            done = 0
            while done < self.stops:
                done += self.stopped(stopped, idle * dice.uniform(0.7, 1.6) + dice.uniform(0, 0.6))
                if dice.random() < 0.5:  # so that later passes have work: corrections, deletions, new tasks
                    await _change(platform, dice)
            syncer("sync", "--full", "--max-delete", "1000000", "-q", cwd=stopped, timeout=300).ok()
            syncer("verify", "--deep", "-q", cwd=stopped).ok()
            calm = prepare(folder / "calm", platform)
            syncer("sync", "-q", cwd=calm, timeout=300).ok()
        expected = current(calm)
        assert current(stopped) == expected
        assert contents(stopped / "archive") == {**contents(calm / "archive")}
        assert expected, "nothing was exported"
        leftovers = [path.name for path in stopped.rglob("*") if ".partial" in path.name or path.suffix == ".next"]
        assert leftovers == []


async def _change(platform: Remote, dice: random.Random) -> None:
    project = next(iter(platform.projects))
    new = [{"data": {"image": f"/n/{dice.random()}.png"}, "annotations": [{"result": []}]} for _ in range(30)]
    await platform.ask("POST", f"/api/projects/{project}/import", new)
    listing = await platform.ask("GET", f"/api/tasks?project={project}&page_size=5&page=last&fields=all")
    for task in listing["tasks"][:2]:
        await platform.ask("DELETE", f"/api/tasks/{task['id']}/")


def current(folder: Path) -> dict[str, str]:
    """Return sha256 by path of what the folder's manifest calls current."""
    listed = syncer("manifest", "job", "--sink", "folder", "-o", "jsonl", cwd=folder).ok()
    rows = [json.loads(line) for line in listed.out.splitlines()]
    files = contents(folder / "labels")
    for row in rows:
        assert files[row["path"]] == row["sha256"]
    return {row["path"]: row["sha256"] for row in rows}
