"""Zip sinks on buckets, on real servers and in memory: made, looked into from outside, and killed at any request."""

import hashlib
import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from syncer.blobs.corners import names_below
from syncer.blobs.memory import MemoryBlobs
from syncer.blobs.multipart import PartInfo, Uploads, open_uploads
from syncer.blobs.objects import ObjectBlobs
from syncer.blobs.places import place_of
from syncer.ports import Blobs
from syncer.sinks.archive.corner import ROOT
from syncer.sinks.archive.growth import Growth
from syncer.sinks.archive.multipart import MultipartGrowth
from syncer.sinks.archive.sink import ArchiveSink
from syncer.sinks.archive.volumes import passing_folder
from tests.support.archives import Book, Died, zip_sink
from tests.support.buckets import Server

#: Ways into a bucket.
WAYS = ("spool", "volumes", "multipart")


class MemoryUploads:
    """Multipart uploads to a store in memory; parts may be of any size."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        """Take the store that completed ones appear in."""
        self.blobs = blobs
        self.open: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.begun = 0

    async def begin(self, name: str, media_type: str) -> str:
        """Begin an upload."""
        assert media_type == "application/zip"
        self.begun += 1
        self.open[f"upload-{self.begun}"] = name, {}
        return f"upload-{self.begun}"

    async def put(self, name: str, upload: str, number: int, data: bytes) -> str:
        """Write a part."""
        assert self.open[upload][0] == name
        self.open[upload][1][number] = data
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    async def copy(self, name: str, upload: str, number: int, source: str, size: int) -> str:
        """Copy the first bytes of an object as a part."""
        return await self.put(name, upload, number, self.blobs.objects[source][0][:size])

    async def parts(self, name: str, upload: str) -> set[tuple[int, PartInfo]] | None:
        """List the parts."""
        if upload not in self.open:
            return None
        assert self.open[upload][0] == name
        parts = self.open[upload][1]
        return {(n, (hashlib.md5(part, usedforsecurity=False).hexdigest(), len(part))) for n, part in parts.items()}

    async def complete(self, name: str, upload: str, tags: Sequence[str]) -> bool:
        """Make an object of them."""
        if upload not in self.open:
            return False
        _, parts = self.open.pop(upload)
        digests = [hashlib.md5(parts[n + 1], usedforsecurity=False) for n in range(len(tags))]
        assert [digest.hexdigest() for digest in digests] == list(tags)
        together = hashlib.md5(b"".join(digest.digest() for digest in digests), usedforsecurity=False)
        data = b"".join(parts[n + 1] for n in range(len(tags)))
        self.blobs.objects[name] = data, f"{together.hexdigest()}-{len(tags)}"
        return True

    async def abort(self, name: str, upload: str) -> None:
        """Give it up."""
        assert self.open.get(upload, (name,))[0] == name
        self.open.pop(upload, None)

    async def listed(self, folder: str) -> list[tuple[str, str]]:
        """List what is under way."""
        return [(name, upload) for upload, (name, _) in self.open.items() if name.startswith(f"{folder}/")]


@dataclass
class Bucket:
    """A prefix in a bucket, and what is asked of it from outside."""

    url: str
    options: dict[str, Any]
    spool: Path
    memory: MemoryUploads | None = None
    #: Least bytes of a part of an upload to memory.
    least: int = 2000
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def in_memory(cls, way: str, spool: Path) -> "Bucket":
        """Return an empty store in memory."""
        url = f"memory:{uuid4()}"
        return cls(url, {"upload": way}, spool, MemoryUploads(MemoryBlobs.shared(url.removeprefix("memory:"))))

    @classmethod
    def on(cls, server: Server, way: str, spool: Path) -> "Bucket":
        """Return an empty prefix on a server."""
        url = server.url(str(uuid4()))
        return cls(url, {"upload": way}, spool, environment=dict(server.environment))

    def sink(self, **options: Any) -> ArchiveSink:
        """Return a bound sink, as a new process makes it."""
        given = {"url": self.url, **self.options, **options}
        memory = self.memory
        if memory is None or given["upload"] != "multipart":
            return zip_sink(self.spool, **given)
        sink = zip_sink(self.spool, **{**given, "upload": "volumes"})
        place, limit, least = sink._place, sink._place.limit, self.least  # a way that memory does not offer

        @asynccontextmanager
        async def growth(claims: Collection[str], epoch: int) -> AsyncIterator[Growth]:
            del claims
            async with passing_folder(self.spool / "spool") as folder:
                yield MultipartGrowth(memory.blobs, memory, folder, limit, epoch, least=least)  # type: ignore[arg-type]  # a fake

        place.growth = growth  # type: ignore[method-assign]  # see above
        return sink

    def blobs(self) -> Blobs:
        """Return a client of its own."""
        return zip_sink(self.spool, url=self.url)._blobs  # what the sink writes to

    async def public(self) -> dict[str, bytes]:
        """Return every object that a listing shows."""
        blobs = self.blobs()
        return {one.name: b"".join([c async for c in blobs.read(one.name)]) async for one in blobs.list()}

    async def private(self) -> list[str]:
        """Return the names of objects in the private corner, and of uploads under way."""
        if self.memory is not None:
            return [
                *(name for name in self.memory.blobs.objects if name.startswith(f"{ROOT}/")),
                *(name for name, _ in self.memory.open.values()),
            ]
        blobs = self.blobs()
        assert isinstance(blobs, ObjectBlobs)
        found = [name for name in await _all_names(blobs) if name.startswith(f"{ROOT}/")]
        async with self.uploads() as uploads:
            return found + [name for name, _ in await uploads.listed(ROOT)]

    @asynccontextmanager
    async def uploads(self) -> AsyncIterator[Uploads]:
        """Return a client for uploads."""
        options = zip_sink(self.spool, url=self.url)._options  # how the sink gets there
        async with open_uploads(place_of("s3", self.url.partition(":")[2]), options.access()) as uploads:
            yield uploads

    async def documents(self, book: Book) -> dict[str, list[bytes]]:
        """Return every document of every archive by path; check that nothing else is there."""
        there = await self.public()
        assert set(there) == set(book.containers)
        found: dict[str, list[bytes]] = {}
        for name, container in book.containers.items():
            data = there[name]
            assert (len(data), hashlib.sha256(data).hexdigest()) == (container.size, container.sha256)
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                assert archive.testzip() is None
                assert len(archive.namelist()) == container.live + container.dead
                for info in archive.infolist():
                    found.setdefault(info.filename, []).append(archive.read(info))
        return found


async def _all_names(blobs: ObjectBlobs) -> list[str]:
    return await names_below(await blobs._opened(), ROOT)  # the same client


#: Requests that change something.
_CALLS: dict[type, tuple[str, ...]] = {
    MemoryBlobs: ("put_many", "put", "copy", "delete_many", "remove_all"),
    ObjectBlobs: ("put_many", "put", "copy", "delete_many", "remove_all"),
    MemoryUploads: ("begin", "put", "copy", "complete", "abort"),
    Uploads: ("begin", "put", "copy", "complete", "abort"),
}


@contextmanager
def dying_at_request(count: int, monkeypatch: pytest.MonkeyPatch, *, done: bool) -> Iterator[list[str]]:
    """Let the process die at its `count`-th request that changes something: instead of it, or when it is `done`."""
    made: list[str] = []

    def dying(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            if len(made) <= count:
                return await real(*args, **kwargs)
            if done and len(made) == count + 1:
                await real(*args, **kwargs)
            raise Died(name)

        return call

    with monkeypatch.context() as patch:
        for kind, names in _CALLS.items():
            for name in names:
                patch.setattr(kind, name, dying(getattr(kind, name), f"{kind.__name__}.{name}"))
        yield made


def random_documents(count: int, size: int, seed: str) -> dict[str, bytes]:
    """Return documents that do not shrink."""
    return {f"{seed}-{number}": f"{seed}{number}".encode() + os.urandom(size) for number in range(count)}
