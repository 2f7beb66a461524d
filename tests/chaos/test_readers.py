"""Readers that loop over whole generations while syncs and compactions go on and are killed: nothing in between."""

import hashlib
import json
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from syncer.app.labels import Labels
from syncer.app.reading import read
from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import NotNow
from tests.support.command import command, environment, fresh, syncer

CONFIG = """
state: sqlite:state.db
platforms:
  studio: {{type: label_studio, url: {url}, token: {token}, page_size: 50}}
sinks:
  prefix: {{type: prefix, url: file:prefix}}
  keep: {{type: prefix, url: file:keep, versions: keep}}
  current: {{type: zip, url: file:current, name: "labels.zip", max_part_size: 64KiB}}
  append: {{type: zip, url: file:append, name: "labels.zip", max_part_size: 64KiB, mode: append}}
  delta: {{type: zip, url: file:delta, name: "labels.zip", mode: delta}}
jobs:
  job:
    {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [prefix, keep, current, append, delta],
      commit: {{items: 40}}}}
"""
SINKS = ("prefix", "keep", "current", "append", "delta")

#: The sha256 of each document, by its path.
Found = dict[str, str]


@dataclass
class Reader:
    """One reader of one destination, going over it again and again."""

    folder: Path
    sink: str
    #: What each generation held.
    seen: dict[int, Found] = field(default_factory=dict)
    passes: int = 0
    #: Passes that a publish overtook, or that met one which had died: said so, and nothing was read wrongly.
    refused: int = 0

    @property
    def url(self) -> str:
        """Where it reads."""
        return str(self.folder / self.sink)

    async def loop(self, done: anyio.Event) -> None:
        """Read whole generations until everything is over."""
        async with read(self.url, patience=0.5) as labels:
            while not done.is_set():
                await labels.refresh()
                await self.once(labels)
                with anyio.move_on_after(0.1):
                    await done.wait()

    async def once(self, labels: Labels) -> None:
        """Read one generation; what it holds is always the same, all of it, and each byte is right."""
        found: Found = {}
        try:
            async for label in labels:
                assert label.path not in found
                found[label.path] = hashlib.sha256(label.content).hexdigest()
                generation = labels.generation
        except NotNow:
            assert self.sink not in {"keep", "delta"}, "what is never replaced is never overtaken"
            self.refused += 1
            return
        told = {row.path: row.sha256 async for row in labels.rows()}
        assert found == told, f"{self.sink}: a part of a generation"
        assert self.seen.setdefault(generation, found) == found, f"{self.sink}: generation {generation} changed"
        self.passes += 1

    async def check(self, latest: Found) -> None:
        """Compare what was seen with former generations as they read now, and the last one with what is current."""
        async with read(self.url) as labels:
            await self.once(labels)
            assert self.seen[labels.generation] == latest
        assert self.passes > 1
        if self.sink in {"keep", "delta"}:
            head = json.loads((self.folder / self.sink / "_manifest/job/HEAD.json").read_bytes())
            # What `compact` rewrote is complete from its floor on.
            for generation in [number for number in self.seen if number >= head["floor"]]:
                async with read(self.url, generation) as former:
                    found = {each.path: hashlib.sha256(each.content).hexdigest() async for each in former}
                assert found == self.seen[generation], f"{self.sink}: generation {generation}"


async def change(platform: Remote, dice: random.Random) -> None:
    """Add tasks, correct some and delete some."""
    project = next(iter(platform.projects))
    new = [{"data": {"image": f"/n/{dice.random()}.png"}, "annotations": [{"result": []}]} for _ in range(10)]
    await platform.ask("POST", f"/api/projects/{project}/import", new)
    listing = await platform.ask("GET", f"/api/tasks?project={project}&page_size=100&page=1&fields=all")
    for task in dice.sample(listing["tasks"], 6):
        for annotation in task["annotations"][:1]:
            changed = {"result": [{"type": "choices", "value": {"choices": [str(dice.random())]}}]}
            await platform.ask("PATCH", f"/api/annotations/{annotation['id']}/", changed)
    for task in dice.sample(listing["tasks"], 2):
        await platform.ask("DELETE", f"/api/tasks/{task['id']}/")


def stopped(folder: Path, words: tuple[str, ...], seconds: float | None) -> bool:
    """Run a command and kill it after a while, if it is still there; tell whether it was."""
    process = subprocess.Popen(
        command(*words, "-q"), cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    _, said = process.communicate()
    assert b"Traceback" not in said, said.decode()
    assert process.returncode in {0, -9}, said.decode()
    return process.returncode == -9


async def survive(folder: Path, rounds: int, tasks: int, seed: int = 20261128) -> tuple[int, list[Reader]]:
    """Let five readers loop while syncs and compactions come and go; return the number of kills, and the readers."""
    dice, kills = random.Random(seed), 0
    async with platform_process("--tasks", str(tasks), "--latency", "0.005") as platform:
        project = next(iter(platform.projects))
        (folder / "syncer.yaml").write_text(CONFIG.format(url=platform.url, token=platform.token, project=project))
        began = anyio.current_time()
        await to_thread.run_sync(lambda: fresh("sync", "-q", cwd=folder, timeout=300).ok())
        usual = anyio.current_time() - began
        readers = [Reader(folder, sink) for sink in SINKS]
        done = anyio.Event()
        async with anyio.create_task_group() as reading:
            for reader in readers:
                reading.start_soon(reader.loop, done)
            for number in range(rounds):
                await change(platform, dice)
                words = ("compact", "job") if number % 4 == 3 else ("sync", "job", "--full")
                seconds = dice.uniform(0.4, 1.1) * usual if number % 3 != 2 else None
                kills += await to_thread.run_sync(stopped, folder, words, seconds)
            last = ("sync", "--full", "--max-delete", "1000000", "-q")
            await to_thread.run_sync(lambda: syncer(*last, cwd=folder, timeout=300).ok())
            done.set()
    async with read(str(folder / "current")) as labels:
        latest = {row.path: row.sha256 async for row in labels.rows()}
    assert len(latest) > tasks
    for reader in readers:
        expected = latest
        if reader.sink == "keep":  # names carry versions there
            async with read(reader.url) as labels:
                expected = {row.path: row.sha256 async for row in labels.rows()}
            assert sorted(expected.values()) == sorted(latest.values())
        await reader.check(expected)
    await to_thread.run_sync(lambda: syncer("verify", "--deep", "-q", cwd=folder, timeout=300).ok())
    return kills, readers


async def test_readers_see_whole_generations_during_some_syncs(tmp_path: Path) -> None:
    """Five readers, four syncs and compactions of which some are killed: one generation or the next, never between."""
    _, readers = await survive(tmp_path, rounds=4, tasks=40)
    assert all(len(reader.seen) > 1 for reader in readers)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_readers_see_whole_generations_during_a_hundred_syncs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred syncs and compactions, two of three aimed at with a kill: no wrong hash, no missing object, ever."""
    kills, readers = await survive(tmp_path, rounds=100, tasks=100)
    assert kills > 20
    with capsys.disabled():
        for reader in readers:
            print(
                f"\n{reader.sink}: {reader.passes} passes over {len(reader.seen)} generations, {reader.refused} refused"
            )
        print(f"{kills} kills")
