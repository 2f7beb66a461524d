"""The client of object stores on real servers: what it does where the servers, or time, work against it."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from syncer.blobs.access import BucketAccess
from syncer.blobs.objects import ObjectBlobs
from syncer.blobs.places import place_of
from syncer.blobs.roots import open_root
from syncer.model.entries import SpooledFile
from syncer.model.errors import Conflict, Exit, SettingsError, StoreFailed
from syncer.model.secret import Secret
from syncer.ports import About
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.bucket_faults import Fault, Gateway, gateway
from tests.support.buckets import Server
from tests.support.engine import Engine
from tests.support.s3 import Bucket
from tests.support.tree import ROOT

SCRATCH = "_manifest/.tmp/x"
LARGE = 24 << 20


@pytest.fixture
def bucket(seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Return an empty prefix of a real bucket, to which the environment has the keys."""
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)
    return Bucket(seaweed_server, uuid4().hex)


@pytest.fixture
async def door(seaweed_server: Server) -> AsyncIterator[Gateway]:
    """Return a gateway to the server."""
    async with gateway(seaweed_server.endpoint) as made:
        yield made


def through(bucket: Bucket, door: Gateway, **options: object) -> ObjectBlobs:
    """Return the prefix as seen through a gateway."""
    _, _, rest = bucket.url.partition(":")
    return ObjectBlobs(place_of("s3", rest), BucketAccess(endpoint=door.url, **options))  # type: ignore[arg-type]  # options of the dataclass


async def test_a_cancelled_upload_leaves_no_parts(bucket: Bucket, door: Gateway, tmp_path: Path) -> None:
    """An upload that is cancelled between its parts is aborted: nothing is visible, and no part stays behind."""
    blobs = through(bucket, door)
    file = tmp_path / "large"
    file.write_bytes(os.urandom(LARGE))
    begun = anyio.Event()
    door.seen = lambda request: begun.set() if "partNumber=2" in request else None
    # It never gets through, so that no upload is done before it is cancelled.
    door.faults = [Fault(503, "SlowDown", methods="PUT", path="partNumber=2")]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(blobs.adopt, file, "large.bin")
        await begun.wait()
        tasks.cancel_scope.cancel()
    door.faults = []
    assert bucket.names() == []
    assert bucket.uploads() == []
    assert file.exists()
    tag = await blobs.adopt(file, "large.bin")
    assert bucket.names() == ["large.bin"]
    found = await blobs.stat("large.bin")
    assert found is not None
    assert (found.tag, found.size) == (tag, LARGE)


async def test_a_failed_upload_leaves_no_parts(bucket: Bucket, door: Gateway, tmp_path: Path) -> None:
    """An upload one of whose parts fails for good is aborted; the file stays for the next attempt."""
    blobs = through(bucket, door, retry_budget=0.2)
    file = tmp_path / "large"
    file.write_bytes(os.urandom(LARGE))
    door.faults = [Fault(500, "InternalError", path="partNumber=2")]
    with pytest.raises(StoreFailed):
        await blobs.adopt(file, "large.bin")
    assert (bucket.names(), bucket.uploads(), file.exists()) == ([], [], True)


async def test_a_body_that_was_cut_short_is_not_stored(bucket: Bucket, tmp_path: Path) -> None:
    """A spooled file that is not as long as it was is an error, in one piece and in parts, and leaves nothing."""
    blobs = open_root(bucket.url, tmp_path)
    for size in (1000, LARGE):
        file = tmp_path / "cut"
        file.write_bytes(bytes(size - 1))
        with pytest.raises(OSError, match="cut short"):
            await blobs.put_many([("cut", SpooledFile(file, size, ""))], SCRATCH)
    assert (bucket.names(), bucket.uploads()) == ([], [])


async def test_parts_arrive_whole_and_in_order(bucket: Bucket, tmp_path: Path) -> None:
    """A large body in memory and one in a file are read back as they were."""
    blobs = open_root(bucket.url, tmp_path)
    data = os.urandom(LARGE)
    (tmp_path / "file").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    await blobs.put_many([("a", data), ("b", SpooledFile(tmp_path / "file", LARGE, digest))], SCRATCH)
    assert [hashlib.sha256(bucket.read(name)).hexdigest() for name in ("a", "b")] == [digest, digest]


async def test_a_conflict_is_not_mistaken_for_our_own_write(bucket: Bucket, tmp_path: Path) -> None:
    """Of two who replace one version by the same bytes one is told of the conflict: it did not write."""
    blobs = open_root(bucket.url, tmp_path)
    tag = await blobs.put("n", b"0")
    await blobs.put("n", b"1", match=tag)
    with pytest.raises(Conflict):
        await blobs.put("n", b"1", match=tag)


async def test_a_write_that_was_answered_late_is_our_own(bucket: Bucket, door: Gateway) -> None:
    """A conditional write whose answer is lost meets its own bytes when it is repeated, and succeeds."""
    blobs = through(bucket, door, retry_budget=5)
    tag = await blobs.put("n", b"0", create=True)
    door.faults = [Fault(0, times=1, methods="PUT", done=True)]
    assert await blobs.put("n", b"1", match=tag) != tag
    door.faults = [Fault(500, "InternalError", times=1, methods="PUT", done=True)]
    await blobs.put("new", b"2", create=True)
    assert (bucket.read("n"), bucket.read("new")) == (b"1", b"2")


async def test_no_more_requests_at_once_than_asked_for(bucket: Bucket, door: Gateway) -> None:
    """The limit holds over all batches of a sink."""
    blobs = through(bucket, door, concurrency=3)
    async with anyio.create_task_group() as tasks:
        for turn in range(4):
            tasks.start_soon(blobs.put_many, [(f"{turn}/{n}", b"x") for n in range(10)], SCRATCH)
    assert len(bucket.names()) == 40
    assert door.most <= 3


async def test_names_that_only_look_dangerous(bucket: Bucket, tmp_path: Path) -> None:
    """Blanks, letters of any language and signs that URLs reserve are stored and listed as they are."""
    blobs = open_root(bucket.url, tmp_path)
    names = ["a b/é.json", "100%.json", "a+b&c=d?e#f.json", "道路/🚦.json", "~x@1.json", "[1]{2}.json"]
    await blobs.put_many([(name, name.encode()) for name in names], SCRATCH)
    assert sorted([info.name async for info in blobs.list()]) == sorted(names)
    assert sorted(bucket.names()) == sorted(names)
    for name in names:
        assert await blobs.get(name, 100) is not None
    with pytest.raises(SettingsError):
        await blobs.put("a\nb", b"")
    await blobs.delete_many(names)
    assert bucket.names() == []


async def test_many_are_deleted_by_few_requests(bucket: Bucket, door: Gateway) -> None:
    """Deleting goes in bulk, absent names included."""
    blobs = through(bucket, door)
    await blobs.put_many([(str(number), b"") for number in range(300)], SCRATCH)
    door.requests.clear()
    await blobs.delete_many([str(number) for number in range(310)])
    assert (len(door.requests), bucket.names()) == (1, [])


async def test_classes_and_encryption_are_asked_for(bucket: Bucket, door: Gateway) -> None:
    """Storage class, encryption and metadata go with every object."""
    blobs = through(bucket, door, storage_class="STANDARD_IA", encryption="AES256")
    about = [About("text/xml", {"version": "7"})]
    await blobs.put_many([("a", b"x")], SCRATCH, about=about)
    sent = next(headers for request, headers in zip(door.requests, door.headers, strict=True) if "PUT" in request)
    assert sent["x-amz-storage-class"] == "STANDARD_IA"
    assert sent["x-amz-server-side-encryption"] == "AES256"
    assert (sent["Content-Type"], sent["x-amz-meta-version"]) == ("text/xml", "7")


async def test_keys_of_a_sink_win(seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and endpoint of the sink are used, whatever the variables of the cloud's tools say."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    mine = BucketAccess(
        endpoint=seaweed_server.endpoint, region="us-east-1", access_key=Secret.literal("test"),
        secret_key=Secret.literal("testsecret"),
    )  # fmt: skip
    blobs = ObjectBlobs(place_of("s3", f"//{seaweed_server.bucket}/{uuid4().hex}"), mine)
    assert await blobs.put("a", b"x")


@pytest.mark.parametrize("fixture", ["moto_server", "azure_server", "gcs_server"])
async def test_a_whole_job_on_other_services(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixture: str
) -> None:
    """Two passes with corrections and deletions: what is current is there, verified to the byte, and nothing else."""
    server = request.getfixturevalue(fixture)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    platform = MemoryPlatform(30)
    sink = {"type": "prefix", "url": server.url(uuid4().hex), "on_delete": "delete"}
    engine = Engine(tmp_path, MemorySource(platform), sinks={"lake": sink})
    assert (await engine.run()).exit_code() is Exit.DONE
    platform.put("3", b"corrected")
    platform.delete("4")
    report = await engine.run()
    assert (report.exit_code(), report.counts.stored, report.counts.deleted) == (Exit.DONE, 1, 1)
    blobs = open_root(str(sink["url"]), ROOT)
    names = sorted([info.name async for info in blobs.list() if not info.name.startswith("_manifest/")])
    assert names == sorted(f"{number}.json" for number in range(1, 31) if number != 4)
    assert await blobs.get("3.json", 100) is not None
