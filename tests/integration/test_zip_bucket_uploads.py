"""Multipart uploads step by step on real S3 servers: listed, resumed, completed, aborted, and what is refused."""

import importlib
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.blobs.access import BucketAccess
from syncer.blobs.multipart import open_uploads
from syncer.blobs.places import Place
from syncer.model.errors import Exit, SettingsError, StoreFailed
from syncer.model.secret import Secret
from syncer.sinks.archive.corner import stem_corner
from syncer.sinks.archive.janitor import abort_leftovers
from syncer.sinks.archive.multipart import tag_of_parts
from tests.support.buckets import Server
from tests.support.s3 import Bucket


@pytest.fixture(params=["seaweed_server", "moto_server"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server that clients of this process find."""
    found = request.getfixturevalue(request.param)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found  # type: ignore[no-any-return]  # pytest does not say what a fixture is


@pytest.fixture
def bucket(server: Server) -> Bucket:
    """Return an empty prefix."""
    return Bucket(server, uuid4().hex)


def place(bucket: Bucket) -> Place:
    """Return the same in the words of the stores."""
    return Place("s3", bucket.server.bucket, bucket.prefix)


async def test_an_upload_goes_on_in_another_client(bucket: Bucket) -> None:
    """Parts are listed with tag and size, replaced by number, and become an object with the tag that was foreseen."""
    parts = [random.Random(number).randbytes(5 << 20) for number in range(2)] + [b"the end"]
    async with open_uploads(place(bucket), BucketAccess()) as uploads:
        upload = await uploads.begin("a b/é.zip", "application/zip")
        before = await uploads.put("a b/é.zip", upload, 1, b"x" * (5 << 20))
        listed = [
            (await uploads.put("a b/é.zip", upload, number, data), len(data))
            for number, data in enumerate(parts[:2], 1)
        ]
        assert listed[0][0] != before
    async with open_uploads(place(bucket), BucketAccess()) as uploads:
        assert await uploads.listed("a b") == [("a b/é.zip", upload)]
        assert await uploads.listed("a") == []
        there = await uploads.parts("a b/é.zip", upload)
        assert there is not None
        assert there - {(1, (before, 5 << 20))} == set(enumerate(listed, 1))
        listed.append((await uploads.put("a b/é.zip", upload, 3, parts[2]), len(parts[2])))
        assert await uploads.complete("a b/é.zip", upload, [tag for tag, _ in listed])
        assert bucket.read("a b/é.zip") == b"".join(parts)
        assert bucket.head("a b/é.zip")["ETag"].strip('"') == tag_of_parts(listed)
        assert bucket.head("a b/é.zip")["ContentType"] == "application/zip"
        # Whoever missed the answer is told that it has ended, and so is one who would give it up.
        assert await uploads.parts("a b/é.zip", upload) is None
        await uploads.abort("a b/é.zip", upload)
        assert bucket.uploads() == []


async def test_the_janitor_aborts_uploads_of_ours_alone(bucket: Bucket) -> None:
    """In the corner of the unit's own archives, only those that no checkpoint names, and none of a successor's."""
    corner, others = stem_corner("7"), stem_corner("8")
    async with open_uploads(place(bucket), BucketAccess()) as uploads:
        names = [
            f"{corner}/00000003/0-1/upload.zip", f"{corner}/00000004/0-2/upload.zip",
            f"{corner}/00000005/0-1/upload.zip", f"{others}/00000003/0-1/upload.zip", "theirs.zip",
        ]  # fmt: skip
        begun = [await uploads.begin(name, "application/zip") for name in names]
        await abort_leftovers(uploads, ["7"], 4, {begun[1]})
        assert sorted(bucket.uploads()) == sorted(f"{bucket.prefix}/{name}" for name in names[1:])
        await abort_leftovers(uploads, ["7"], 4)
        assert sorted(bucket.uploads()) == sorted(f"{bucket.prefix}/{name}" for name in names[2:])


@pytest.mark.parametrize("server", ["moto_server"], indirect=True)  # the other one does not go on
async def test_more_uploads_than_one_answer_lists(bucket: Bucket) -> None:
    """Listings go on where an answer ends."""
    async with open_uploads(place(bucket), BucketAccess()) as uploads:
        for number in range(12):
            await uploads.begin(f"x/{number}.zip", "application/zip")
        client, real = uploads._client, uploads._client.list_multipart_uploads

        async def few(**values: object) -> object:
            return await real(**values, MaxUploads=5)

        client.list_multipart_uploads = few
        assert len({upload for _, upload in await uploads.listed("x")}) == 12


async def test_refusals_are_told_in_our_words(seaweed_server: Server) -> None:
    """A wrong secret, and nobody at the address: each with its exit code, and no secret in it."""
    keys = {name: Secret.literal(value) for name, value in (("access_key", "test"), ("secret_key", "a-wrong-secret"))}
    good = {"access_key": Secret.literal("test"), "secret_key": Secret.literal("testsecret")}
    where = Place("s3", seaweed_server.bucket, "x")
    for access, code in (
        (BucketAccess(endpoint=seaweed_server.endpoint, region="us-east-1", retry_budget=0, **keys), Exit.PERMISSION),
        (BucketAccess(endpoint="http://127.0.0.1:9", region="us-east-1", retry_budget=0, **good), Exit.NOT_NOW),
    ):
        async with open_uploads(where, access) as uploads:
            with pytest.raises(StoreFailed) as caught:
                await uploads.begin("y.zip", "application/zip")
        assert caught.value.exit_code == code
        assert "a-wrong-secret" not in f"{caught.value} {caught.value.hint}"


async def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The option needs an extra; nothing else does."""
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> object:
        if name.startswith("aiobotocore"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(SettingsError, match="aiobotocore") as caught:
        async with open_uploads(Place("s3", "bucket", ""), BucketAccess()):
            pass
    assert caught.value.hint == "pip install 'annotation-syncer[multipart]'"
    assert list(tmp_path.iterdir()) == []
