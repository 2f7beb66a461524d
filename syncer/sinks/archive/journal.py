"""What grows in a folder that may vanish, kept in the bucket piece by piece: one object a seal, each written once.

A segment is a line of JSON (format, the mark that it reaches, and for each of its pieces: file, offset, length, CRC),
then the bytes of the pieces. Applied in order up to a mark they give back the files beside an archive as they were.
"""

import json
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec
from anyio import CancelScope, to_thread
from msgspec.structs import replace

from syncer.model.entries import SpooledFile
from syncer.model.errors import TooLarge
from syncer.ports import Blobs
from syncer.sinks.archive.corner import corner, segment_name
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.spool import lost
from syncer.sinks.archive.token import FORMAT, Chain, Mark
from syncer.sinks.zip64.deflate import CHUNK, crc32
from syncer.sinks.zip64.writer import pieces, write_at

#: The first line of a segment is shorter than this.
_HEAD = 1 << 20


def same_place(one: Mark, other: Mark) -> bool:
    """Tell whether two marks reach equally far; a digest may be unknown."""
    return replace(one, sha256="") == replace(other, sha256="")


class Journal(msgspec.Struct):
    """The segments of one archive."""

    blobs: Blobs
    name: str
    #: Whose corner new segments go to.
    epoch: int
    #: Whose corners the segments so far lie in.
    chain: Chain = ()
    #: Segments written, and the mark that they reach.
    number: int = 0
    mark: Mark = msgspec.field(default_factory=Mark)

    async def append(
        self, fresh: Fresh, scratch: Path, *, start: int = 0, extra: Mapping[str, object] = {}
    ) -> None:  # never changed
        """Write what was sealed since the last segment; data from `start` on at most."""
        path = scratch / "segment"
        try:
            file = await to_thread.run_sync(self._written, fresh, path, start, extra or {})
            name = segment_name(self.name, self.epoch, self.number + 1)
            await self.blobs.put_many([(name, file)], corner(self.name, self.epoch))
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(lambda: path.unlink(missing_ok=True))
        self.number += 1
        self.mark = fresh.sealed
        before = self.chain if not self.chain or self.chain[-1][0] != self.epoch else self.chain[:-1]
        self.chain = (*before, (self.epoch, self.number))

    def _written(self, fresh: Fresh, path: Path, start: int, extra: Mapping[str, object]) -> SpooledFile:
        fresh.flush()
        new, old = fresh.sealed, self.mark
        spans = {".partial": (max(start, old.data), new.data), ".partial.dir": (old.directory, new.directory),
                 ".partial.ops": (old.ops, new.ops)}  # fmt: skip
        files = fresh.files
        listed = [
            (ending, begin, end - begin, _check(files[ending], begin, end))
            for ending, (begin, end) in spans.items()
            if end > begin
        ]
        head = {"format": FORMAT, "mark": new.written(), "pieces": listed, **extra}
        with path.open("wb") as out:
            out.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
            for ending, begin, length, _ in listed:
                for chunk in pieces(files[ending], begin, begin + length):
                    out.write(chunk)
            return SpooledFile(path, out.tell(), "")

    async def restore(self, mark: Mark, archive: Path) -> list[dict[str, Any]]:
        """Write the files beside an archive again, as they were at a mark; return what else the segments say.

        Raises:
            ContainerLost: a segment is missing, or is not what was written.
        """
        heads: list[dict[str, Any]] = []
        await to_thread.run_sync(lambda: archive.parent.mkdir(parents=True, exist_ok=True))
        while not same_place(self.mark, mark):
            epoch = next((epoch for epoch, last in self.chain if self.number < last), None)
            if epoch is None:
                raise lost(self.name, "its position does not say where it is kept")
            heads.append(await self._applied(segment_name(self.name, epoch, self.number + 1), archive))
            self.number += 1
            self.mark = Mark.read(heads[-1]["mark"])
        return heads

    async def _applied(self, segment: str, archive: Path) -> dict[str, Any]:
        waiting, head, target = b"", None, None
        try:
            async for chunk in self.blobs.read(segment):
                waiting += chunk
                if head is None:
                    line, found, rest = waiting.partition(b"\n")
                    if not found and len(waiting) < _HEAD:
                        continue
                    head, waiting = _head(line), rest
                    target = _Target(archive, head["pieces"])
                if target is not None and len(waiting) >= CHUNK:
                    await to_thread.run_sync(target.take, waiting)
                    waiting = b""
            if head is None or target is None:
                raise ValueError("it is cut short")  # noqa: TRY301  # named by the handler below
            await to_thread.run_sync(target.take, waiting)
            target.finish()
        except FileNotFoundError as error:
            raise lost(self.name, "a piece of it is missing in the bucket") from error
        except (ValueError, KeyError, TypeError, TooLarge) as error:
            raise lost(self.name, "a piece of it is not what was written") from error
        finally:
            if target is not None:
                target.close()
        return head


class _Target:
    """Spreads the bytes of a segment over the files that they came from. Blocking."""

    def __init__(self, archive: Path, listed: list[list[Any]]) -> None:
        self._pieces = [(str(ending), int(at), int(length), int(check)) for ending, at, length, check in listed]
        self._archive, self._at, self._found = archive, 0, 0
        self._file: FileIO | None = None

    def take(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if not self._pieces:
                raise ValueError("it goes on")  # its caller says what it means
            ending, offset, length, _ = self._pieces[0]
            part = bytes(rest[: length - self._at])
            write_at(self._opened(ending), part, offset + self._at)
            self._at, self._found, rest = self._at + len(part), crc32(part, self._found), rest[len(part) :]
            if self._at == length:
                self._next()

    def _next(self) -> None:
        _, _, _, check = self._pieces.pop(0)
        if self._found != check:
            raise ValueError("its checksum is wrong")  # its caller says what it means
        self._at = self._found = 0
        self.close()

    def finish(self) -> None:
        if self._pieces:
            raise ValueError("it is cut short")  # its caller says what it means

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self, ending: str) -> FileIO:
        if self._file is None:
            if ending not in {".partial", ".partial.dir", ".partial.ops"}:
                raise ValueError("it names another file")  # its caller says what it means
            path = self._archive.with_name(self._archive.name + ending)
            self._file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
        return self._file


def _head(line: bytes) -> dict[str, Any]:
    head = json.loads(line)
    if head["format"] != FORMAT:
        raise ValueError("another version wrote it")  # its caller says what it means
    return dict(head)


def _check(file: FileIO, start: int, stop: int) -> int:
    check = 0
    for chunk in pieces(file, start, stop):
        check = crc32(chunk, check)
    return check
