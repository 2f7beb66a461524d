"""`syncer demo`: the whole tool on the embedded platform, in real processes, with a real SIGKILL."""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
from rich.console import Console
from rich.table import Table

from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import ProcessFailed, SettingsError

#: Tasks on the embedded platform; some are skipped, drafts, or not annotated.
TASKS = 5000

CONFIG = """\
# What `syncer demo` ran; the platform that it names ended with the demo.
state: sqlite:state.db
platforms:
  studio: {{type: label_studio, url: {url}, token: env:LABEL_STUDIO_API_KEY}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
jobs:
  demo: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [folder, archive]}}
"""


class Step(msgspec.Struct):
    """One line of the table at the end."""

    what: str
    outcome: str
    requests: int
    seconds: float


class Demo(msgspec.Struct):
    """The stages of the demonstration."""

    folder: Path
    platform: Remote
    console: Console
    steps: list[Step] = msgspec.field(default_factory=list)
    _asked: int = 0

    async def play(self) -> None:
        """Export, kill, resume, edit, sync again, verify."""
        await self.platform.fault("status", route="tasks", status=503, after=3, times=2, html=True)
        await self.platform.fault("status", route="tasks", status=429, retry_after=0.2, after=9, times=1)
        await self.platform.fault("latency", seconds=0.08, times=None)
        await self._killed()
        await self._run("resumed: the rest, from the last checkpoint on")
        await self._edit()
        await self._run("second pass: only what changed")
        await self._run("third pass: nothing new")
        await self._verify()

    async def _killed(self) -> None:
        started = time.monotonic()
        stored = 0
        async with self._syncer("sync", "--progress", "none") as process:
            while process.returncode is None and stored < TASKS // 3:
                await anyio.sleep(0.01)
                stored = await anyio.to_thread.run_sync(_documents, self.folder / "labels")
            if process.returncode is not None:
                raise ProcessFailed("the first run ended before it could be interrupted")
            process.send_signal(signal.SIGKILL)
            await process.wait()
        await self._note(f"export, killed (SIGKILL) with {stored:,} files written", "killed", started)

    async def _run(self, what: str) -> None:
        started = time.monotonic()
        async with self._syncer("sync", "--progress", "none", "-o", "json") as process:
            output = await _read(process)
        if process.returncode:
            raise ProcessFailed(f"syncer sync left with {process.returncode}")
        counts = json.loads(output)
        counts = (counts[0] if isinstance(counts, list) else counts)["counts"]
        parts = [f"{counts[name]:,} {name}" for name in ("stored", "updated", "withdrawn", "deleted") if counts[name]]
        parts.append(f"{counts['unchanged']:,} unchanged")
        await self._note(what, ", ".join(parts), started)

    async def _edit(self) -> None:
        """Correct 10 labels, delete 3 tasks, import 20 new ones, as annotators would over a day."""
        project = next(iter(self.platform.projects))
        listing = await self.platform.ask("GET", f"/api/tasks?project={project}&page_size=60&fields=all")
        finished = [task for task in listing["tasks"] if any(not each["was_cancelled"] for each in task["annotations"])]
        for task in finished[:10]:
            annotation = next(each for each in task["annotations"] if not each["was_cancelled"])
            await self.platform.ask("PATCH", f"/api/annotations/{annotation['id']}/", {"lead_time": 99.5})
        for task in finished[10:13]:
            await self.platform.ask("DELETE", f"/api/tasks/{task['id']}/")
        new = [{"data": {"image": f"/new/{number}.png"}, "annotations": [{"result": []}]} for number in range(20)]
        await self.platform.ask("POST", f"/api/projects/{project}/import", new)
        self._asked = await self._requests()

    async def _verify(self) -> None:
        started = time.monotonic()
        async with self._syncer("verify", "--deep") as process:
            await _read(process)
        if process.returncode:
            raise ProcessFailed(f"syncer verify left with {process.returncode}")
        documents = await anyio.to_thread.run_sync(_documents, self.folder / "labels")
        await self._note("verify --deep", f"every byte of {documents:,} documents, twice: as recorded", started)

    @asynccontextmanager
    async def _syncer(self, command: str, *options: str) -> AsyncIterator[anyio.abc.Process]:
        environment = {**os.environ, "LABEL_STUDIO_API_KEY": self.platform.token}
        words = [sys.executable, "-m", "syncer", command, "-c", str(self.folder / "syncer.yaml"), "-q", *options]
        async with await anyio.open_process(words, env=environment, stderr=None) as process:
            yield process

    async def _note(self, what: str, outcome: str, started: float) -> None:
        asked = await self._requests()
        self.steps.append(Step(what, outcome, asked - self._asked, time.monotonic() - started))
        self._asked = asked
        self.console.print(f"  {what}: {outcome}", highlight=False)

    async def _requests(self) -> int:
        counters = await self.platform.stats()
        return sum(counters["requests"].values())


async def run(folder: Path | None, console: Console | None = None) -> int:
    """Play the demonstration in a folder (a new one, if none is given); return the exit code.

    Raises:
        SettingsError: the folder is not empty.
        ProcessFailed: a step did not do what it shows.
    """
    shown = console or Console()
    target = await anyio.to_thread.run_sync(_prepared, folder)
    async with platform_process("--tasks", str(TASKS)) as platform:
        project = next(iter(platform.projects))
        config = CONFIG.format(url=platform.url, project=project)
        await anyio.Path(target / "syncer.yaml").write_text(config)
        shown.print(f"an embedded Label Studio with {TASKS:,} tasks on {platform.url}, everything in {target}")
        demo = Demo(target, platform, shown)
        await demo.play()
    table = Table(title="what happened")
    for heading in ("step", "outcome", "requests", "seconds"):
        table.add_column(heading, justify="right" if heading in {"requests", "seconds"} else "left")
    for step in demo.steps:
        table.add_row(step.what, step.outcome, str(step.requests), f"{step.seconds:.1f}")
    shown.print(table)
    shown.print(f"look at {target / 'labels'}, {target / 'archive' / 'labels.zip'} and {target / 'syncer.yaml'}")
    return 0


def _prepared(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="syncer-demo-"))
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingsError(f"{folder} is not empty", hint="name an empty or new folder, or none at all")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _documents(root: Path) -> int:
    """Count documents, without the manifest and context."""
    if not root.is_dir():
        return 0
    return sum(not name.startswith("_") for name in os.listdir(root))  # noqa: PTH208  # ten times as fast as iterdir


async def _read(process: anyio.abc.Process) -> bytes:
    chunks: list[bytes] = []
    if process.stdout is not None:
        async for chunk in process.stdout:
            chunks.append(chunk)  # noqa: PERF401  # an asynchronous stream
    await process.wait()
    return b"".join(chunks)
