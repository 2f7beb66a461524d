"""Bytes at rest: the scratch space of a process, and the root of a destination."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from syncer.model.entries import SpooledFile


class Spool(Protocol):
    """Local scratch space for bodies that are too large for memory. Emptied at start: nothing in it is a truth."""

    #: Bodies above this many bytes are spooled.
    threshold: int

    def writer(self, key: str) -> "AbstractAsyncContextManager[SpoolWriter]":
        """Open a new file; it is removed if the block raises."""

    def keep(self, key: str) -> "AbstractAsyncContextManager[KeptFile]":
        """Open the file of a key that outlives the process, with all that an earlier one left of it.

        Raises on entering:
            NotNow: another process has it, or the disk does not allow it.
        """

    async def discard(self, file: SpooledFile) -> None:
        """Remove a file whose entry has settled. Idempotent."""


class SpoolWriter(Protocol):
    """One growing file of the spool."""

    #: Bytes written so far.
    size: int

    async def write(self, chunk: bytes) -> None:
        """Append."""

    async def finish(self) -> SpooledFile:
        """Close and return it with its size and sha256."""


class KeptFile(Protocol):
    """One file that is written at many places, and goes on after its process died."""

    path: Path

    async def note(self) -> bytes:
        """Return what was noted last; empty if nothing was."""

    async def write(self, offset: int, data: bytes) -> None:
        """Write at a place."""

    async def mark(self, note: bytes) -> None:
        """Make durable what was written so far, then the note that says so."""

    async def finish(self, size: int) -> SpooledFile:
        """Return the complete file; it stays until it is discarded."""

    async def drop(self) -> None:
        """Forget all of it."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """One object of a store."""

    name: str
    #: Bytes.
    size: int
    #: Changes whenever the object gets other bytes: an ETag, or `size-mtime_ns` of a local file.
    tag: str
    #: `About.metadata` of who wrote it, as `stat` of a bucket tells it; None from listings, and of local files.
    metadata: "Mapping[str, str] | None" = field(default=None, compare=False)


class About(msgspec.Struct, frozen=True):
    """What a bucket tells of an object beside its bytes; local files have no place for it."""

    media_type: str = "application/json"
    #: Keys of `[a-z_][a-z0-9_]*`, values of printable ASCII: what every service takes.
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)


class Blobs(Protocol):
    """Bytes at rest below one root: a local folder, or a prefix in a bucket.

    Names are relative, with forward slashes. A reader never sees a torn object. Nothing outside
    the root is ever touched: a name that would leave it raises `SettingsError`. There are no locks: what two
    processes could both change is moved by `put` with `create` or `match`.
    """

    #: Canonical URL of the root, without credentials.
    url: str
    #: The folder behind it, where there is one.
    folder: Path | None

    async def put_many(
        self,
        files: "Sequence[tuple[str, bytes | SpooledFile]]",
        scratch: str,
        *,
        about: Sequence[About] = (),
        match: Sequence[str | None] = (),
        create: bool = False,
    ) -> Sequence[str]:
        """Write or replace; return tags. `scratch` names the private corner for temporary files.

        Each object is atomic and complete; durability follows with `sync`. `about` says more about each file, or is
        empty. With `create`, an object that exists with other bytes raises `Conflict`, as with `put`. `match` is empty,
        or says which tag each object must have to be replaced (None: whatever is there), else `Conflict`; of bodies too
        large for one request, that is compared before the first byte is sent and again before the last one.
        """

    async def sync(self) -> None:
        """Make everything put so far durable, as far as the store's policy asks for it."""

    async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
        """Write one small object durably; return its tag.

        With `create`, an object that exists with other bytes raises `Conflict`; with the same bytes it is ours, and
        fine. With `match`, it is replaced only if its tag is still that one, else `Conflict`.
        """

    async def get(self, name: str, limit: int) -> tuple[bytes, str] | None:
        """Return content and tag, None if absent.

        Raises:
            TooLarge: it is larger than `limit` bytes.
        """

    def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream bytes `start` to `stop` (exclusive). FileNotFoundError if absent."""

    async def stat(self, name: str) -> BlobInfo | None:
        """Return what is known of an object without reading it."""

    def list(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """Yield all objects below a prefix, in no particular order; temporary files are left out."""

    async def folders(self, folder: str = "") -> Sequence[str]:
        """Return the whole names of the folders right below a folder, sorted; private ones and links are left out.

        What lies in them is not looked at, so one of them may hold private names alone, or on a local disk nothing.
        """

    async def delete_many(self, names: Sequence[str], scratch: str = "", *, match: Sequence[str] = ()) -> None:
        """Delete; absent names are fine.

        With `scratch`, only while that private corner is the writer's, as with `put_many`. `match` is empty, or says
        which tag each object must have to be deleted, else `Conflict`, after those before it are gone. A store that
        deletes on no condition compares just before.
        """

    async def adopt(self, path: Path, name: str) -> str:
        """Move a complete, synced local file into the store under `name`, replacing it atomically; return its tag."""

    async def take_scratch(self, scratch: str) -> None:
        """Make a private corner, and take away those beside it whose names come before: their owners write no more.

        Nothing is to be done where writes have no temporary files.
        """

    async def clear_scratch(self, scratch: str) -> None:
        """Remove a private corner, with the temporary files that were left in it."""

    async def copy(self, source: str, name: str, *, create: bool = False, match: str | None = None) -> str:
        """Let an object have a copy under another name, replacing atomically, without moving its bytes; return its tag.

        With `create`, nothing may have that name, with `match` only what has this tag, else `Conflict`. A store that
        copies on no condition compares just before.

        Raises:
            FileNotFoundError: there is no such object.
        """

    async def remove_all(self, folder: str, *, until: str | None = None) -> None:
        """Delete everything below a folder, private names too; nothing there is fine.

        With `until`, whatever comes after that name in the folder stays.
        """
