"""A writer that is thought dead: stopped in front of any step, replaced, woken up. What its successor wrote stays.

Two engines with one state in PostgreSQL: the lease of the first is taken away while it stands in front of its n-th
request (or system call), the second one brings a newer version of everything and publishes; then the first goes on.
"""

import random
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from syncer.flow.verify import verify
from syncer.model.errors import Exit
from syncer.model.report import Report
from syncer.sinks.archive import multipart
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.chaos.test_bucket_archives import downloaded
from tests.support.bucket_faults import Gateway, gateway
from tests.support.buckets import Server
from tests.support.destination import Outcome, outcome, outcome_of
from tests.support.engine import Engine
from tests.support.frozen import LEASH, Leash, folders_on_leash
from tests.support.postgres import Postgres
from tests.support.s3 import Bucket


class Scene(ABC):
    """One destination, the platform behind it, and the two that write to it."""

    def __init__(self, folder: Path, size: int) -> None:
        """Begin with some items."""
        folder.mkdir()
        self.folder, self.size = folder, size
        self.platform = MemoryPlatform()
        for number in range(12):
            self.platform.put(str(number), self.bytes(f"first {number}"))

    def bytes(self, seed: str) -> bytes:
        """Return a document that does not shrink."""
        return random.Random(seed).randbytes(self.size)

    @abstractmethod
    def sink(self, *, frozen: bool) -> Mapping[str, object]:
        """Return the options of the sink, as one of the two has them."""

    @abstractmethod
    async def outcome(self) -> Outcome:
        """Return what a reader finds."""

    def engine(self, state: str, *, frozen: bool) -> Engine:
        """Return one of the two, on a machine of its own."""
        home = self.folder / ("frozen" if frozen else "successor")
        home.mkdir(exist_ok=True)
        source = MemorySource(self.platform, inline=True)
        return Engine(home, source, sinks={"lake": self.sink(frozen=frozen)}, state=state)

    def first_edit(self) -> None:
        """Change what the first writer sees."""
        for number in range(5):
            self.platform.put(str(number), self.bytes(f"second {number}"))
        self.platform.delete("8")
        self.platform.delete("9")
        for number in range(20, 23):
            self.platform.put(str(number), self.bytes(f"second {number}"))

    def second_edit(self) -> None:
        """Change it once more, before the successor looks; what was gone for the first is there again."""
        for number in (0, 1, 9, 20):
            self.platform.put(str(number), self.bytes(f"third {number}"))
        self.platform.put("30", self.bytes("third 30"))
        self.platform.delete("2")


class FolderScene(Scene):
    """A folder that both machines share."""

    kind = "prefix"

    def sink(self, *, frozen: bool) -> Mapping[str, object]:
        """Return the same folder for both."""
        del frozen
        named = {"name": "all.zip", "max_part_size": 65536} if self.kind == "zip" else {}
        return {"type": self.kind, "url": f"file:{self.folder}/lake", "on_delete": "delete", **named}

    async def outcome(self) -> Outcome:
        """Look into it."""
        (sink,) = self.engine("", frozen=False).opened()
        return await outcome(sink, "job", self.folder / "lake")


class ZipFolderScene(FolderScene):
    """Archives there."""

    kind = "zip"


class BucketScene(Scene):
    """A bucket, which the first writer reaches through a gateway."""

    def __init__(self, folder: Path, size: int, server: Server, door: Gateway, way: str) -> None:
        """Take the server, and the way into it."""
        super().__init__(folder, size)
        self.bucket, self.door, self.way = Bucket(server, uuid4().hex), door, way

    def sink(self, *, frozen: bool) -> Mapping[str, object]:
        """Return the bucket, by one endpoint or the other."""
        endpoint = self.door.url if frozen else self.bucket.server.endpoint
        common = {"url": self.bucket.url, "endpoint": endpoint, "on_delete": "delete"}
        if self.way == "prefix":
            return {"type": "prefix", **common}
        limit = (8 << 20) if self.way == "multipart" else 65536
        return {"type": "zip", "name": "all.zip", "max_part_size": limit, "upload": self.way, **common}

    async def outcome(self) -> Outcome:
        """Look into it, past the gateway."""
        (sink,) = self.engine("", frozen=False).opened()
        if self.way == "prefix":
            return await outcome_of(sink, "job", self.bucket.contents())
        seen = downloaded(self.bucket, self.folder / "downloaded")
        # What a writer leaves in its private corner when it wakes up is nobody's, and goes with the next run.
        shutil.rmtree(seen / ".syncer", ignore_errors=True)
        return await outcome(sink, "job", seen)


class Play:
    """Plays a scene: calm, or with a first writer that stops in front of a step."""

    def __init__(self, server: Postgres) -> None:
        """Take the server that states live in."""
        self.server = server

    async def calm(self, scene: Scene) -> Outcome:
        """Let the second writer do all of it."""
        with self.server.schema() as schema:
            engine = scene.engine(self.server.url(schema), frozen=False)
            await done(engine)
            scene.first_edit()
            scene.second_edit()
            await done(engine)
            return await scene.outcome()

    async def steps(self, scene: Scene) -> int:
        """Return how many steps the first writer makes in its second pass."""
        with self.server.schema() as schema:
            url = self.server.url(schema)
            await done(scene.engine(url, frozen=False))
            scene.first_edit()
            leash = Leash(None)
            async with on(scene, leash):
                await done(scene.engine(url, frozen=True))
            return len(leash.steps)

    async def frozen(self, scene: Scene, point: int, *, refused: bool = False) -> Outcome:
        """Stop the first writer, let the second one work, wake the first one up; return what lies there in the end.

        With `refused`, the second one is not let in before the first one has ended.
        """
        with self.server.schema() as schema:
            url = self.server.url(schema)
            await done(scene.engine(url, frozen=False))
            scene.first_edit()
            leash = Leash(point)
            async with on(scene, leash), anyio.create_task_group() as machines:
                machines.start_soon(self._first, scene, url, leash)
                await leash.stopped.wait()
                with self.server.connect(schema) as connection:
                    connection.execute("DELETE FROM leases")
                scene.second_edit()
                report = await scene.engine(url, frozen=False).run()
                # It went on with the listing that it found: what was gone by then shows in the next one.
                await scene.engine(url, frozen=False).run()
                turned_away = refused and report.exit_code() is Exit.NOT_NOW
                assert turned_away or report.exit_code() is Exit.DONE, (point, leash.steps[-3:], report.problems)
                leash.release()
            if turned_away:
                with self.server.connect(schema) as connection:
                    connection.execute("DELETE FROM leases")
                await done(scene.engine(url, frozen=False))
                await done(scene.engine(url, frozen=False))
            found = await scene.outcome()
            (sink,) = scene.engine(url, frozen=False).opened()
            assert [one async for one in verify(sink, "job", deep=True)] == [], (point, leash.steps[point])
            if isinstance(scene, BucketScene):
                await done(scene.engine(url, frozen=False))
                assert [name for name in scene.bucket.names() if name.startswith(".")] == [], point
                assert scene.bucket.uploads() == [], point
            return found

    async def _first(self, scene: Scene, url: str, leash: Leash) -> None:
        LEASH.set(leash)
        try:
            report = await scene.engine(url, frozen=True).run()
        finally:
            leash.stopped.set()
        # However it ends, it is not by a bug.
        assert report.exit_code() is not Exit.BUG, report.problems


async def done(engine: Engine) -> Report:
    """Run to the end, and nothing may be wrong."""
    report = await engine.run()
    assert report.exit_code() is Exit.DONE, report.problems
    return report


@asynccontextmanager
async def on(scene: Scene, leash: Leash) -> AsyncIterator[None]:
    """Put the first writer on a leash; whatever happens, it is let go in the end."""
    token = LEASH.set(leash if isinstance(scene, FolderScene) and leash.point is None else None)
    if isinstance(scene, BucketScene):
        scene.door.held = leash.step
    try:
        yield
    finally:
        leash.release()
        LEASH.reset(token)
        if isinstance(scene, BucketScene):
            scene.door.held = None


async def matrix(make: Callable[[str], Scene], play: Play, *, points: int | None, refused: bool = False) -> None:
    """Compare some points, spread over all there are, or every one, with the successor alone."""
    expected = await play.calm(make("calm"))
    assert len(expected.rows) == 14
    count = await play.steps(make("steps"))
    every = range(count) if points is None else [count * number // points for number in range(points)]
    for point in every:
        assert await play.frozen(make(f"at {point}"), point, refused=refused) == expected, f"step {point} of {count}"


@pytest.fixture
def play(postgres_server: Postgres) -> Play:
    """Return what plays scenes."""
    return Play(postgres_server)


@pytest.fixture
def keys(seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Set the variables by which clients find the server, and let uploads have the smallest parts that it takes."""
    monkeypatch.setattr(multipart, "LEAST", 5 << 20)
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)
    return seaweed_server


async def bucket_matrix(tmp_path: Path, server: Server, play: Play, way: str, points: int | None) -> None:
    """Play it in a bucket."""
    size = {"prefix": 3000, "multipart": 900_000}.get(way, 9000)
    async with gateway(server.endpoint) as door:
        await matrix(lambda name: BucketScene(tmp_path / name, size, server, door, way), play, points=points)


async def folder_matrix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, play: Play, kind: type[FolderScene], points: int | None
) -> None:
    """Play it in a folder."""
    with folders_on_leash(monkeypatch, str(tmp_path)):
        await matrix(lambda name: kind(tmp_path / name, 9000), play, points=points, refused=kind is ZipFolderScene)


@pytest.mark.parametrize(("way", "points"), [("prefix", 4), pytest.param("volumes", 2, marks=pytest.mark.slow)])
async def test_a_frozen_writer_harms_nothing_in_a_bucket(
    tmp_path: Path, keys: Server, play: Play, way: str, points: int
) -> None:
    """Stopped in front of some requests, the successor's bytes and manifest stay as they are when it is alone."""
    await bucket_matrix(tmp_path, keys, play, way, points)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", ["prefix", "spool", "volumes", "multipart"])
async def test_a_frozen_writer_harms_nothing_in_a_bucket_at_any_request(
    tmp_path: Path, keys: Server, play: Play, way: str
) -> None:
    """The same in front of every single request."""
    await bucket_matrix(tmp_path, keys, play, way, None)


async def test_a_frozen_writer_harms_nothing_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, play: Play
) -> None:
    """The same in a shared folder, in front of some calls of the operating system and of the store."""
    await folder_matrix(tmp_path, monkeypatch, play, FolderScene, 5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [FolderScene, ZipFolderScene])
async def test_a_frozen_writer_harms_nothing_in_a_folder_at_any_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, play: Play, kind: type[FolderScene]
) -> None:
    """The same in front of each; where archives grow, the successor begins when the first one has ended."""
    await folder_matrix(tmp_path, monkeypatch, play, kind, None)
