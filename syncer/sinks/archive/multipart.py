"""Archives for S3 that grow straight into a multipart upload: of each new archive, only its end is here.

What is sealed is uploaded as a part once there is enough of it; the rest, and the directory, go to the journal like
everything of `volumes`. The upload's object lies in the private corner: completing it is staging it. Another
process goes on with the parts that the service still lists. Updates of published archives grow the way of volumes.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from anyio import from_thread, to_thread
from msgspec.structs import replace

from syncer.blobs.multipart import PartInfo, Uploads
from syncer.model.errors import Conflict
from syncer.ports import Blobs
from syncer.sinks.archive.corner import corner
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.janitor import abort_leftovers
from syncer.sinks.archive.journal import Journal
from syncer.sinks.archive.names import EXTENSION
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.places import Part
from syncer.sinks.archive.spool import MEDIA, lost
from syncer.sinks.archive.store import digest_of
from syncer.sinks.archive.swap import Swap
from syncer.sinks.archive.token import Chain, Mark
from syncer.sinks.archive.volumes import VolumesGrowth
from syncer.sinks.archive.window import forget, read_span, write_span

#: Bytes of a part: the least (S3 asks for 5 MiB), and the most that are in memory at once.
LEAST, MOST = 8 << 20, 64 << 20
#: Bytes of a note about a completed upload, at most.
_NOTE = 4 << 20


class Upload(msgspec.Struct):
    """One archive on its way."""

    key: str
    id: str
    parts: list[PartInfo] = msgspec.field(default_factory=list)
    #: Parts that the journal names already.
    noted: int = 0

    @property
    def size(self) -> int:
        """Bytes uploaded."""
        return sum(size for _, size in self.parts)


class Completed(msgspec.Struct, frozen=True):
    """An upload that is an object now: where the first bytes of an archive lie, and what was staged by it."""

    key: str
    #: Bytes of entries in it that are not here.
    size: int
    mark: Mark | None = None
    swap: Swap | None = None


class MultipartGrowth(VolumesGrowth):
    """New archives grow into multipart uploads. See the door `Growth`."""

    def __init__(
        self, blobs: Blobs, uploads: Uploads, folder: Path, limit: int, epoch: int, *, least: int | None = None
    ) -> None:
        """Take the bucket twice, as there are two clients, the folder, how many bytes may wait, and the epoch."""
        super().__init__(blobs, folder, limit, epoch)
        self._s3, self._least = uploads, least or LEAST
        self._open: dict[str, Upload] = {}
        self._completed: dict[str, Completed] = {}
        #: Archives whose entries all are in the folder again: they go on the way of volumes.
        self._here: set[str] = set()

    # ----------------------------------------------------------------------------------------------- opening

    async def restore(self, token: bytes | None, stems: Collection[str]) -> bytes | None:
        """Bring back what was sealed, and abort uploads of a dead predecessor that nothing names.

        Raises:
            ContainerLost: a piece or a part of it is gone.
        """
        token = await super().restore(token, stems)
        await abort_leftovers(self._s3, stems, self._epoch, {upload.id for upload in self._open.values()})
        return token

    def _check(self, marks: Mapping[str, Mark]) -> None:
        """Take archives of which only the end is here."""

    async def _restored(self, name: str, mark: Mark, chain: Chain) -> Mark:
        journal = self._journals[name] = Journal(self._blobs, name, self._epoch, chain)
        upload: Upload | None = None
        for head in await journal.restore(mark, self.folder / name):
            if "upload" in head:
                key, number, parts = head["upload"]
                if upload is None or upload.id != number:
                    # Another process went on with a copy of what there was: it is among the parts.
                    upload = Upload(str(key), str(number))
                upload.parts += [(str(tag), int(size)) for tag, size in parts]
        if upload is None:
            return mark
        if not upload.parts:
            return mark
        await self._taken_over(name, upload)
        # Perhaps everything is uploaded; the file is there all the same.
        await to_thread.run_sync(write_span, self.folder / f"{name}.partial", b"", upload.size)
        journal.mark = replace(mark, sha256="")
        return journal.mark

    async def _taken_over(self, name: str, upload: Upload) -> None:
        """Go on with a copy of what a predecessor uploaded. Its upload ends: it may not be as dead as it seems.

        Raises:
            ContainerLost: a part of it is missing, or all of it.
        """
        there = await self._s3.parts(upload.key, upload.id)
        if there is not None and not there.issuperset(enumerate(upload.parts, 1)):
            raise lost(name, "a part of its upload is missing")
        if there is None:
            await self._found(name, upload)
        else:
            await self._complete(name, replace(upload, parts=list(upload.parts)))
        ours = await self._begun(name)
        tag = await self._s3.copy(ours.key, ours.id, 1, upload.key, upload.size)
        ours.parts.append((tag, upload.size))

    async def _found(self, name: str, upload: Upload) -> None:
        """Find the object that a completed upload became; that it was completed may not have been recorded.

        Raises:
            ContainerLost: there is none, or it is another one.
        """
        there = await self._blobs.stat(upload.key)
        if there is None:
            raise lost(name, "its upload was aborted by somebody else")
        parts = await self._noted(name, upload)
        if there.size != sum(size for _, size in parts):
            raise lost(name, "its upload is not what was written")
        # An encrypted object has another tag; it has our name, our size and, below, our entries.
        if there.tag != tag_of_parts(parts) and not there.tag.endswith(f"-{len(parts)}"):
            raise lost(name, "its upload was replaced")

    async def _noted(self, name: str, upload: Upload) -> list[PartInfo]:
        """Return the parts that an upload was, or is to be, completed of."""
        note = await self._blobs.get(_note(upload), _NOTE)
        if note is None:
            raise lost(name, "its upload was ended by somebody else")
        values = json.loads(note[0])
        parts = [(str(tag), int(size)) for tag, size in values["parts"]]
        if values["id"] != upload.id or parts[: len(upload.parts)] != upload.parts:
            raise lost(name, "its upload is not what was written")
        return parts

    # ----------------------------------------------------------------------------------------------- growing

    async def _kept(self, journal: Journal, part: Part, fresh: Fresh) -> None:
        if part.published is None and part.name not in self._here and part.name not in self._completed:
            await self._advance(part.name, fresh)
        upload = self._open.get(part.name)
        if upload is None:
            done = self._completed.get(part.name)
            await journal.append(fresh, self.folder, start=done.size if done else 0)
            return
        new: Mapping[str, object] = {"upload": [upload.key, upload.id, upload.parts[upload.noted :]]}
        await journal.append(fresh, self.folder, start=upload.size, extra=new)
        upload.noted = len(upload.parts)

    async def _advance(self, name: str, fresh: Fresh) -> None:
        """Upload what was sealed, once there is enough of it. A seal ends at an entry's end, and so does a part."""
        upload, appender = self._open.get(name), fresh.appender
        done = upload.size if upload else 0
        before, end = done, fresh.sealed.data
        while appender is not None and end - done >= self._part_size(upload):
            upload = upload or await self._begun(name)
            done += await self._put(upload, fresh.beside(".partial"), done, min(end, done + MOST))
        if appender is not None and done > before:
            await to_thread.run_sync(forget, fresh, appender, done)

    def _part_size(self, upload: Upload | None) -> int:
        """Return the least bytes of the next part: larger and larger, as an upload has at most 10,000 of them."""
        return min(MOST, self._least << (len(upload.parts) // 1000 if upload else 0))

    async def _begun(self, name: str) -> Upload:
        key = f"{corner(name, self._epoch)}/upload.zip"
        upload = self._open[name] = Upload(key, await self._s3.begin(key, MEDIA[EXTENSION].media_type))
        return upload

    async def _put(self, upload: Upload, path: Path, start: int, stop: int) -> int:
        data = await to_thread.run_sync(read_span, path, start, stop)
        tag = await self._s3.put(upload.key, upload.id, len(upload.parts) + 1, data)
        upload.parts.append((tag, len(data)))
        return len(data)

    # ---------------------------------------------------------------------------------------------- publishing

    def gather(self, fresh: Fresh) -> None:
        """Bring the entries that were uploaded back into the file; the upload ends there."""
        from_thread.run(self._gathered, fresh.name)

    async def _gathered(self, name: str) -> None:
        upload, done = self._open.get(name), self._completed.get(name)
        if upload is not None:
            await self._complete(name, upload)
            done = Completed(upload.key, upload.size)
        if done is not None:
            await self._fetch(name, done.key, done.size)
            self._here.add(name)
            self._completed.pop(name, None)

    async def staged(self, parts: Parts, swaps: Sequence[Swap]) -> list[Swap]:
        """Complete uploads, and upload what else is staged, but for what is there already."""
        marks = {part.name: fresh.sealed for part, fresh in parts.growing}
        ready = [await self._ready(swap, marks.get(swap.name)) for swap in swaps]
        return await super().staged(parts, ready)

    async def _ready(self, swap: Swap, mark: Mark | None) -> Swap:
        if swap.temp is None or not swap.temp.endswith(".partial"):
            return swap
        upload, done = self._open.get(swap.name), self._completed.get(swap.name)
        if upload is None:
            if done is not None and done.swap is not None and done.mark == mark:
                return done.swap
            if done is not None:
                await self._gathered(swap.name)
            return await self._digested(swap)
        entries = upload.size
        while upload.size < swap.size:
            await self._put(upload, self.folder / swap.temp, upload.size, min(swap.size, upload.size + MOST))
        await self._complete(swap.name, upload)
        sha256 = swap.sha256 or await digest_of(self._blobs, upload.key)
        staged = replace(swap, temp=upload.key, sha256=sha256)
        self._completed[swap.name] = Completed(upload.key, entries, mark, staged)
        return staged

    async def _digested(self, swap: Swap) -> Swap:
        """Fill in the digest of an archive that was not written in one go."""
        if swap.sha256:
            return swap
        return replace(swap, sha256=await to_thread.run_sync(partial(_digest, self.folder / (swap.temp or ""))))

    async def _complete(self, name: str, upload: Upload) -> None:
        """Make an object of an upload; that it is going to be one is noted before, by the first who means to."""
        note = {"id": upload.id, "parts": upload.parts}
        try:
            await self._blobs.put(_note(upload), json.dumps(note).encode(), create=True)
        except Conflict:
            # It may have more parts than we know of: those count that were noted.
            upload.parts = await self._noted(name, upload)
        if not await self._s3.complete(upload.key, upload.id, [tag for tag, _ in upload.parts]):
            await self._found(name, upload)
        self._open.pop(name, None)

    async def _fetch(self, name: str, key: str, size: int) -> None:
        path, at = self.folder / f"{name}.partial", 0
        async for chunk in self._blobs.read(key, 0, size):
            await to_thread.run_sync(write_span, path, chunk, at)
            at += len(chunk)

    async def settled(self, names: Collection[str], *, last: bool) -> None:
        """Forget these archives' uploads; one that was not needed after all is aborted."""
        for name in names:
            upload = self._open.pop(name, None)
            if upload is not None:
                await self._s3.abort(upload.key, upload.id)
            self._completed.pop(name, None)
            self._here.discard(name)
        await super().settled(names, last=last)


def _note(upload: Upload) -> str:
    """Return where it is noted that an upload is going to be completed, and of what."""
    return f"{upload.key.rpartition('/')[0]}/completing"


def tag_of_parts(parts: Sequence[PartInfo]) -> str:
    """Return the ETag of an object made of parts, where each one's is its MD5."""
    try:
        together = b"".join(bytes.fromhex(tag) for tag, _ in parts)
    except ValueError:  # encrypted ones have others
        return ""
    return f"{hashlib.md5(together, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
