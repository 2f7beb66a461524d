"""Archives in a real bucket, all three ways: die at any event, SIGKILL at random instants; nothing torn, twice or left.

The story, the edits and the comparison are those of the local folder; only the destination is another one.
"""

import random
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.demo.platform.process import Remote, platform_process
from syncer.sinks.archive import multipart
from tests.support.archive_buckets import WAYS
from tests.support.buckets import Server
from tests.support.command import fresh, start, syncer
from tests.support.destination import Outcome, contents, outcome
from tests.support.engine import Engine
from tests.support.s3 import Bucket
from tests.support.story import Story


@pytest.fixture
def server(seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return a server that clients of this process find, and let uploads have the smallest parts that it takes."""
    monkeypatch.setattr(multipart, "LEAST", 5 << 20)
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)
    return seaweed_server


def downloaded(bucket: Bucket, folder: Path) -> Path:
    """Copy a prefix into a folder, with everything that lies there."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in bucket.names():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bucket.read(name))
    return folder


def nothing_left(bucket: Bucket, where: str) -> None:
    """Check that only what readers may see lies in the bucket."""
    assert [name for name in bucket.names() if name.startswith(".")] == [], where
    assert bucket.uploads() == [], where


class BucketStory(Story):
    """The two passes into archives of a real bucket; after a death the disk may be lost, too."""

    def __init__(self, folder: Path, server: Server, way: str, *, lose_disk: bool = False) -> None:
        """Begin with an empty prefix."""
        # Parts of an upload have 5 MiB at least, so there the documents are larger.
        size, limit = (600_000, 8 << 20) if way == "multipart" else (9000, 65536)
        super().__init__(folder, inline=False, size=size)
        self.bucket = Bucket(server, uuid4().hex)
        if lose_disk:
            self.after_death = lambda: shutil.rmtree(self.folder / "spool")
        self.sinks: Mapping[str, Mapping[str, object]] = {
            "zip": {
                "type": "zip", "url": self.bucket.url, "name": "all.zip", "max_part_size": limit, "upload": way,
                "on_delete": "delete",
            }
        }  # fmt: skip

    def engine(self) -> Engine:
        """Return a process's view of the folder."""
        return Engine(self.folder, self.source, sinks=self.sinks)

    async def outcomes(self) -> list[Outcome]:
        """Return what a reader of the bucket finds."""
        (sink,) = self.engine().opened()
        return [await outcome(sink, "job", downloaded(self.bucket, self.folder / "downloaded"))]


async def matrix(tmp_path: Path, server: Server, way: str, step: int, first: int = 0) -> None:
    """Compare every n-th crash point with a calm story, on the same disk and on another one by turns."""
    calm = BucketStory(tmp_path / "calm", server, way)
    expected = await calm.play()
    assert [len(outcome.rows) for outcome in expected] == [30]
    points = range(first, sum(calm.events), step)
    assert len(points) > 3  # otherwise there is nothing to see
    for turn, point in enumerate(points):
        story = BucketStory(tmp_path / f"crash-{point}", server, way, lose_disk=turn % 2 == 1)
        assert await story.play(point) == expected, f"died at event {point}"
        nothing_left(story.bucket, f"died at event {point}")
        shutil.rmtree(story.folder)


@pytest.mark.parametrize(
    ("way", "step"), [("volumes", 25), *(pytest.param(way, 21, marks=pytest.mark.slow) for way in WAYS)]
)
async def test_invariant_3_dying_at_some_events_changes_nothing(
    tmp_path: Path, server: Server, way: str, step: int
) -> None:
    """A few events of a first and a second pass, every other one followed by the loss of the disk."""
    await matrix(tmp_path, server, way, step=step, first=8)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("way", WAYS)
async def test_invariant_3_dying_at_every_event_changes_nothing(tmp_path: Path, server: Server, way: str) -> None:
    """All events of a first and a second pass, every other one followed by the loss of the disk."""
    await matrix(tmp_path, server, way, step=1)


CONFIG = """
state: sqlite:state.db
platforms:
  studio: {{type: label_studio, url: {platform}, token: {token}, page_size: 50}}
sinks:
{sinks}
jobs:
  job: {{platform: studio, select: {{projects: ["{project}"]}}, sinks: [{names}], commit: {{items: 40}}}}
"""
SINK = '  {name}: {{type: zip, url: {url}/{name}, name: "labels.zip", upload: {name}, max_part_size: 12MiB}}'


def prepare(folder: Path, platform: Remote, urls: Sequence[str]) -> Path:
    """Make a folder with a configuration for the platform's first project and all three ways."""
    folder.mkdir()
    text = CONFIG.format(
        platform=platform.url, token=platform.token, project=next(iter(platform.projects)), names=", ".join(WAYS),
        sinks="\n".join(SINK.format(name=way, url=url) for way, url in zip(WAYS, urls, strict=True)),
    )  # fmt: skip
    (folder / "syncer.yaml").write_text(text)
    return folder


def killed(folder: Path, seconds: float, environment: Mapping[str, str]) -> bool:
    """Run a pass and kill it after a while; tell whether it was still running."""
    process = start("sync", "--progress", "none", "-q", cwd=folder, env=environment)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    _, errors = process.communicate()
    assert b"Traceback" not in errors, errors.decode()
    assert process.returncode in {0, -9}, errors.decode()
    return process.returncode == -9


def large(dice: random.Random) -> dict[str, object]:
    """Return a task whose document is a few hundred kB, and shrinks to half of that."""
    return {"data": {"image": "/1.png", "text": dice.randbytes(150_000).hex()}, "annotations": [{"result": []}]}


async def survive(tmp_path: Path, server: Server, kills: int, tasks: int, large_ones: int) -> None:
    """Kill a run into three buckets again and again, change the platform now and then, compare with a calm one."""
    dice = random.Random(20261128)
    bucket = Bucket(server, uuid4().hex)
    async with platform_process("--tasks", str(tasks), "--latency", "0.02") as platform:
        project = next(iter(platform.projects))
        folder = prepare(tmp_path / "killed", platform, [bucket.url] * 3)
        env = server.environment
        fresh("status", cwd=folder, env=env).ok()
        began = time.monotonic()
        fresh("status", cwd=folder, env=env).ok()
        idle = time.monotonic() - began
        for _ in range(large_ones):  # documents that make an upload of several parts
            await platform.ask("POST", f"/api/projects/{project}/import", [large(dice)])
        done = 0
        while done < kills:
            hit = killed(folder, idle * dice.uniform(0.8, 2.0) + dice.uniform(0, 1.5), env)
            done += hit
            if not hit:
                # Measured while the machine was busy: a process that is always done by then is never killed.
                idle *= 0.9
            if dice.random() < 0.4:  # so that later passes have work: deletions, new tasks
                await platform.ask("POST", f"/api/projects/{project}/import", [large(dice) for _ in range(3)])
                listing = await platform.ask("GET", f"/api/tasks?project={project}&page_size=5&page=last&fields=all")
                for task in listing["tasks"][:2]:
                    await platform.ask("DELETE", f"/api/tasks/{task['id']}/")
        syncer("sync", "--full", "--max-delete", "1000000", "-q", cwd=folder, env=env, timeout=300).ok()
        syncer("verify", "--deep", "-q", cwd=folder, env=env, timeout=300).ok()
        calm = prepare(tmp_path / "calm", platform, ["file:archives"] * 3)
        syncer("sync", "-q", cwd=calm, timeout=300).ok()
    nothing_left(bucket, "in the end")
    there = downloaded(bucket, tmp_path / "downloaded")
    for way in WAYS:
        expected = contents(calm / "archives" / way)
        assert expected, "nothing was exported"
        assert contents(there / way) == expected, way


@pytest.mark.slow
async def test_a_few_kills_change_nothing(tmp_path: Path, server: Server) -> None:
    """Three kills at random instants, with changes in between: all three archives end as if undisturbed."""
    await survive(tmp_path, server, kills=3, tasks=200, large_ones=60)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_thirty_kills_change_nothing(tmp_path: Path, server: Server) -> None:
    """Thirty kills at random instants, with changes in between: all three archives end as if undisturbed."""
    await survive(tmp_path, server, kills=30, tasks=600, large_ones=160)
