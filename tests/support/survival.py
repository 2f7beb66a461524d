"""Runs of a real process that are stopped again and again, and compared with one that was left alone."""

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import Exit
from tests.support.command import command, environment, fresh, syncer
from tests.support.destination import contents

CONFIG = """
state: {state}
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}, page_size: 50}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
  lines: {{type: jsonl, url: file:lines, compression: zst}}
  columns: {{type: parquet, url: file:columns}}
jobs:
  job:
    {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [{sinks}], commit: {{items: 40}},
      schedule: {{every: 1s}}}}
"""

#: Stops a process that runs; tells whether it was amid its work.
Stop = Callable[["subprocess.Popen[bytes]"], bool]


def prepare(
    folder: Path, platform: Remote, state: str = "sqlite:state.db", sinks: Sequence[str] = ("folder", "archive")
) -> Path:
    """Make a folder with a configuration for the platform's first project."""
    folder.mkdir()
    project = next(iter(platform.projects))
    (folder / "syncer.yaml").write_text(
        CONFIG.format(state=state, url=platform.url, token=platform.token, project=project, sinks=", ".join(sinks))
    )
    return folder


def kill(process: "subprocess.Popen[bytes]") -> bool:
    """Send SIGKILL."""
    process.kill()
    return process.wait() == -signal.SIGKILL


def drain(process: "subprocess.Popen[bytes]") -> bool:
    """Send SIGTERM, and let the process end by itself."""
    process.terminate()
    return process.wait() == Exit.NOT_NOW


def drain_daemon(process: "subprocess.Popen[bytes]") -> bool:
    """Send SIGTERM to a process that would never end by itself, and let it end well."""
    process.terminate()
    return process.wait() == Exit.DONE


@dataclass(frozen=True, slots=True)
class Evict:
    """Stop a process as Kubernetes does: SIGTERM, some seconds, SIGKILL."""

    seconds: float
    #: How a process ends that was quick enough.
    code: int = Exit.NOT_NOW

    def __call__(self, process: "subprocess.Popen[bytes]") -> bool:
        """Stop it."""
        process.terminate()
        try:
            process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() in {self.code, -signal.SIGKILL}


#: How a process that is stopped may end. Before the command is there to handle SIGTERM, it does what it always does.
ENDS = frozenset({Exit.DONE, Exit.NOT_NOW, -signal.SIGTERM, -signal.SIGKILL})


@dataclass(frozen=True, slots=True)
class Survival:
    """What is done to a process, how often, and with how much work."""

    stop: Stop
    stops: int = 1
    tasks: int = 600
    seed: int = 20261122
    #: What is started, and stopped, each time.
    words: Sequence[str] = ("sync", "--progress", "none")
    #: Wait for a run to begin before the random time does; else also the start of the process is hit.
    amid: bool = False
    #: Seconds that the platform takes for every answer.
    latency: float = 0.02
    #: Where the stopped process remembers; the one that is left alone has a file.
    state: str = "sqlite:state.db"
    #: Where everything goes: the folder, whose manifest is compared, and others, whose content is.
    sinks: Sequence[str] = ("folder", "archive")

    def stopped(self, folder: Path, seconds: float) -> bool:
        """Start a process and stop it after a while; tell whether it was amid its work."""
        log = ("-v", "--log-format", "json") if self.amid else ("-q",)
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command(*self.words, *log), cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=said
            )
            while self.amid and process.poll() is None and b'"run started"' not in _read(said):
                time.sleep(0.005)
            try:
                hit = process.wait(seconds) not in ENDS
            except subprocess.TimeoutExpired:
                hit = self.stop(process)
            words = _read(said).decode()
        assert "Traceback" not in words, words
        assert process.returncode in ENDS, f"exit {process.returncode}\n{words}"
        return hit

    async def check(self, folder: Path) -> None:
        """Stop a run again and again, change the platform now and then, and compare with one that was left alone."""
        dice = random.Random(self.seed)
        async with platform_process("--tasks", str(self.tasks), "--latency", str(self.latency)) as platform:
            stopped = prepare(folder / "stopped", platform, self.state, self.sinks)
            fresh("status", cwd=stopped).ok()
            started = time.monotonic()
            fresh("status", cwd=stopped).ok()
            idle = time.monotonic() - started
            if self.amid:
                idle = 0.0
            done = 0
            while done < self.stops:
                hit = self.stopped(stopped, idle * dice.uniform(0.7, 1.6) + dice.uniform(0, 0.6))
                done += hit
                if not hit:
                    # Measured while the machine was busy: a process that is always done by then is never stopped.
                    idle *= 0.9
                if dice.random() < 0.5:  # so that later passes have work: corrections, deletions, new tasks
                    await _change(platform, dice)
            settle(stopped, "--full", "--max-delete", "1000000")
            syncer("verify", "--deep", "-q", cwd=stopped).ok()
            calm = prepare(folder / "calm", platform, sinks=self.sinks)
            syncer("sync", "-q", cwd=calm, timeout=900).ok()
        expected = current(calm)
        assert current(stopped) == expected
        for sink in self.sinks[1:]:
            assert contents(stopped / sink) == contents(calm / sink), sink
        assert expected, "nothing was exported"
        leftovers = [path.name for path in stopped.rglob("*") if ".partial" in path.name or path.suffix == ".next"]
        assert leftovers == []


def settle(folder: Path, *words: str) -> None:
    """Run a pass to its end, as soon as the lease of a process that was killed has run out."""
    until = time.monotonic() + 60
    while True:
        done = syncer("sync", *words, "-q", cwd=folder, timeout=900)
        if done.code != Exit.NOT_NOW or time.monotonic() > until:
            done.ok()
            return


def _read(file: IO[bytes]) -> bytes:
    # The process writes through the same open file: its place in it is left alone.
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


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
