"""Zip archives in a real S3 bucket: through the command line all three ways, and what verification finds there."""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.blobs.objects import ObjectBlobs
from syncer.demo.platform.process import platform_process
from syncer.model.errors import Exit
from syncer.ports import Found
from syncer.sinks.archive import multipart
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.archive_buckets import WAYS
from tests.support.archive_buckets import Bucket as Place
from tests.support.archives import Book, Died, documents
from tests.support.buckets import Server
from tests.support.command import syncer
from tests.support.engine import Engine
from tests.support.s3 import Bucket
from tests.unit.flow.test_verify import findings, healed


@pytest.fixture
def bucket(seaweed_server: Server) -> Bucket:
    """Return an empty prefix of a real bucket."""
    return Bucket(seaweed_server, uuid4().hex)


@pytest.fixture
def place(seaweed_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return the same for sinks of this process."""
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)
    return Place.on(seaweed_server, "spool", tmp_path)


def entries(bucket: Bucket) -> dict[str, str]:
    """Return the sha256 of every entry by path, as another reader sees them; nothing else may lie there."""
    found: dict[str, str] = {}
    for name in bucket.names():
        if name.startswith("_manifest/"):
            continue
        assert name.endswith(".zip"), name
        with zipfile.ZipFile(io.BytesIO(bucket.read(name))) as archive:
            assert archive.testzip() is None
            for path in archive.namelist():
                assert path not in found, "an entry stands twice"
                found[path] = hashlib.sha256(archive.read(path)).hexdigest()
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_an_archive_in_one_line(tmp_path: Path, bucket: Bucket, way: str) -> None:
    """A bucket gets the same archive as a folder; again nothing is fetched; verify reads it without a state."""
    async with platform_process("--tasks", "120") as platform:
        env: Mapping[str, str] = {
            "LABEL_STUDIO_URL": platform.url, "LABEL_STUDIO_API_KEY": platform.token, **bucket.server.environment,
        }  # fmt: skip
        line = ("export", "label_studio", "--project", "1", "-o", "json", "--set", f"sink.upload={way}", "--to")
        url = f"{bucket.url}/labels.zip"
        first = syncer(*line, url, cwd=tmp_path, env=env).ok().json()[0]
        syncer(*line, "labels.zip", cwd=tmp_path, env=env).ok()
        local = documents(tmp_path / "labels.zip")
        assert first["counts"]["stored"] > 0
        assert entries(bucket) == {path: hashlib.sha256(body).hexdigest() for path, body in local.items()}
        again = syncer(*line, url, cwd=tmp_path, env=env).ok().json()[0]["counts"]
        assert again["stored"] == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    syncer("verify", "--deep", url, cwd=elsewhere, env=env).ok()
    listed = syncer("manifest", url, "-o", "jsonl", cwd=elsewhere, env=env).ok().out
    assert {row["path"]: row["sha256"] for row in map(json.loads, listed.splitlines())} == entries(bucket)
    assert bucket.uploads() == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_large_archive_is_resumed_and_published_once(
    place: Place, seaweed_server: Server, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """22 MB in parts, by three processes that died after a commit, after staging, and in between."""
    monkeypatch.setattr(multipart, "LEAST", 5 << 20)
    dice = random.Random(way)
    bodies = {f"item-{number}": dice.randbytes(1 << 20) for number in range(22)}
    book = Book(place.sink(upload=way))
    for number, (item, body) in enumerate(bodies.items()):
        await book.put({item: body})
        await book.commit()
        if number in {9, 15}:
            await book.crash()
            book.sink = place.sink(upload=way)
    with pytest.raises(Died):
        await book.publish(die_after="staged")
    await book.crash()
    book.sink = place.sink(upload=way)
    await book.session()
    await book.publish()
    await book.leave()
    assert book.lost == 0
    assert await place.documents(book) == {f"{item}.json": [body] for item, body in bodies.items()}
    assert await place.private() == []
    assert Bucket(seaweed_server, place.url.rpartition("/")[2]).uploads() == []


async def scanned(book: Book, *, deep: bool) -> list[Found]:
    """Return everything that a scan calls damaged."""
    return [one async for one in book.sink.scan(book.containers, deep=deep) if one.damage is not None]


def flipped(data: bytes) -> bytes:
    """Change one bit in the middle of the first entry."""
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


def extended(data: bytes) -> bytes:
    """Add an entry, as another tool would."""
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("extra.json", "{}")
    return file.getvalue()


@pytest.mark.parametrize("harm", ["a flipped byte", "an extra entry", "a truncated part", "a missing part"])
async def test_verification_finds_harm_in_a_bucket(place: Place, seaweed_server: Server, harm: str) -> None:
    """Each kind of harm to one of three parts is found, in that part, and nothing in the others."""
    bucket = Bucket(seaweed_server, place.url.rpartition("/")[2])
    dice = random.Random(harm)
    book = Book(place.sink(max_part_size=100_000))
    await book.sync({f"{number}": dice.randbytes(9000) for number in range(30)})
    await book.leave()
    assert len(book.containers) == 3
    assert await scanned(book, deep=True) == await scanned(book, deep=False) == []
    name = "x.part-00002.zip"
    data = bucket.read(name)
    if harm == "a missing part":
        bucket.delete(name)
    else:
        change = {"a flipped byte": flipped, "an extra entry": extended, "a truncated part": lambda d: d[:-3000]}[harm]
        bucket.write(name, change(data))
    found = await scanned(book, deep=True)
    assert {one.container for one in found} == {name}
    quick = await scanned(book, deep=False)
    assert [one.container for one in quick] == ([] if harm == "a flipped byte" else [name])
    if harm == "an extra entry":
        names = [one.path async for one in book.sink.scan(book.containers) if one.container == name]
        assert "extra.json" in names


async def test_verification_reads_each_part_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep or not, no byte of an archive is asked for twice, and a quick look asks for directories only."""
    dice = random.Random(1)
    book = Book(place.sink(max_part_size=9 << 20))
    await book.sync({f"{number}": dice.randbytes(1 << 20) for number in range(24)})
    await book.leave()
    asked: dict[str, list[tuple[int, int]]] = {}
    read = ObjectBlobs.read

    def counting(self: ObjectBlobs, name: str, start: int = 0, stop: int | None = None) -> object:
        assert stop is not None
        asked.setdefault(name, []).append((start, stop))
        return read(self, name, start, stop)

    monkeypatch.setattr(ObjectBlobs, "read", counting)
    assert await scanned(book, deep=True) == []
    assert sorted(asked) == sorted(book.containers)
    for name, spans in asked.items():
        assert sum(stop - start for start, stop in spans) == book.containers[name].size
    asked.clear()
    assert await scanned(book, deep=False) == []
    assert all(len(spans) <= 2 for spans in asked.values())


async def test_foreign_names_are_refused(place: Place, seaweed_server: Server, tmp_path: Path) -> None:
    """An archive that somebody else put there is never replaced: 78, and the object is named."""
    Bucket(seaweed_server, place.url.rpartition("/")[2]).write("labels.zip", b"theirs")
    async with platform_process("--tasks", "3") as platform:
        env = {"LABEL_STUDIO_URL": platform.url, "LABEL_STUDIO_API_KEY": platform.token, **seaweed_server.environment}
        line = ("export", "label_studio", "--project", "1", "--to", f"{place.url}/labels.zip")
        ended = syncer(*line, cwd=tmp_path, env=env)
    assert ended.code == Exit.SETTINGS
    assert f"{place.url}/labels.zip exists already" in ended.err


@pytest.mark.parametrize("harm", ["a missing part", "a truncated part"])
async def test_a_lost_part_is_made_anew_with_the_fewest_fetches(
    place: Place, seaweed_server: Server, tmp_path: Path, harm: str
) -> None:
    """Only what was in it is fetched again; a damaged one is kept under another name; then nothing is wrong."""
    bucket = Bucket(seaweed_server, place.url.rpartition("/")[2])
    platform = MemoryPlatform()
    for number in range(30):
        platform.put(str(number), random.Random(number).randbytes(9000))
    source = MemorySource(platform, inline=False)
    sinks = {"zip": {"type": "zip", "url": place.url, "name": "x.zip", "max_part_size": 100_000}}
    engine = Engine(tmp_path, source, sinks=sinks)
    assert (await engine.run()).exit_code() is Exit.DONE
    name = "x.part-00002.zip"
    data = bucket.read(name)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inside = len(archive.namelist())
    if harm == "a missing part":
        bucket.delete(name)
    else:
        bucket.write(name, data[:-3000])
    found = await findings(engine, "zip")
    assert found
    source.opened.clear()
    assert await healed(engine, "zip", found) is Exit.DONE
    assert sum(source.opened.values()) == inside
    assert await findings(engine, "zip") == []
    damaged = [f"{name}.damaged"] if harm == "a truncated part" else []
    assert [one for one in bucket.names() if one.endswith(".damaged")] == damaged
