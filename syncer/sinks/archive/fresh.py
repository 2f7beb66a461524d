"""What is new for one archive and not published yet: `<archive>.partial` with two files beside it.

`.partial` holds the new entries, `.partial.dir` their directory records, `.partial.ops` what becomes of older ones: a
line `[n, kind, path]` says that the entry of this name, published or among the first n new ones, goes ("drop"; "erase"
and "purge" for a current and a superseded one that is erased), or stays as a dead one ("dead"). A `Mark` says how far
all three are; only what a mark covers is ever published.
"""

import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Literal

from syncer.model.errors import ContainerLost
from syncer.sinks.archive.names import EXTENSION, PartId
from syncer.sinks.archive.token import Mark
from syncer.sinks.zip64.deflate import Packed, crc32
from syncer.sinks.zip64.read import Directory
from syncer.sinks.zip64.readable import Readable
from syncer.sinks.zip64.records import Record
from syncer.sinks.zip64.writer import Appender, Position, pieces, write_at

OpKind = Literal["drop", "dead", "erase", "purge"]

#: What lies beside an archive while its next state grows, and while it is staged.
BESIDE = (".partial", ".partial.dir", ".partial.ops", ".next")


class Fresh:
    """The unpublished changes of one archive. Blocking, one owner; OSError where the disk does."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.name = root, name
        self.archive = root / name
        self.sealed = Mark()
        self.appender: Appender | None = None
        self._ops: FileIO | None = None
        self._ops_end = self._ops_check = 0
        self._waiting: list[bytes] = []
        self._named = True

    @classmethod
    def resume(cls, root: Path, name: str, mark: Mark) -> "Fresh":
        """Go on from a mark; everything behind it is cut off.

        Raises:
            ContainerLost: a file is missing, shorter than the mark, or not what was written.
        """
        fresh = cls(root, name)
        try:
            if mark.entries:
                fresh.appender = Appender.resume(fresh.beside(".partial"), fresh.beside(".partial.dir"), mark.position)
            if mark.ops:
                fresh._ops = _resumed(fresh.beside(".partial.ops"), mark.ops, mark.ops_check)
        except BaseException:  # whatever it is, the file that did open is closed
            fresh.close()
            raise
        fresh._ops_end, fresh._ops_check, fresh.sealed = mark.ops, mark.ops_check, mark
        return fresh

    def beside(self, ending: str) -> Path:
        """Return a file beside the archive (`.partial`, `.next` ...)."""
        return self.archive.with_name(self.archive.name + ending)

    @property
    def files(self) -> dict[str, FileIO]:
        """The open files by ending."""
        grown = (
            {} if self.appender is None else {".partial": self.appender.data, ".partial.dir": self.appender.directory}
        )
        return grown if self._ops is None else {**grown, ".partial.ops": self._ops}

    @property
    def size(self) -> int:
        """Bytes that the new entries take in an archive."""
        return 0 if self.appender is None else self.appender.size

    @property
    def entries(self) -> int:
        """New entries, superseded ones included."""
        return 0 if self.appender is None else self.appender.entries

    @property
    def pending(self) -> bool:
        """Whether something was accepted since the last mark."""
        return self.entries != self.sealed.entries or self._ops_end != self.sealed.ops

    def add(self, path: str, packed: Packed) -> None:
        """Append an entry."""
        self._growing().add(path.encode(), packed)

    def copy(self, source: Readable, record: Record, stop: int) -> None:
        """Append an entry of another archive, which ends at `stop` there, as it is."""
        self._growing().copy(source, record.offset, stop, [record])

    def note(self, kind: OpKind, path: str) -> None:
        """Say what becomes of the entry that has this name so far."""
        line = json.dumps([self.entries, kind, path], separators=(",", ":")).encode() + b"\n"
        self._waiting.append(line)
        self._ops_end += len(line)
        self._ops_check = crc32(line, self._ops_check)

    def flush(self) -> None:
        """Hand what waits to the operating system."""
        if self.appender is not None:
            self.appender.flush()
        if self._waiting:
            if self._ops is None:
                self._name_files()
                self._ops = FileIO(self.beside(".partial.ops"), "w+")
            data = b"".join(self._waiting)
            write_at(self._ops, data, self._ops_end - len(data))
            self._waiting.clear()

    def seal(self, *, durable: bool) -> Mark:
        """Make everything accepted so far durable and return how far that is."""
        if not self.pending:
            return self.sealed
        self.flush()
        position = Position(0, 0, 0, "", 0) if self.appender is None else self.appender.position()
        if durable:
            if self.appender is not None:
                self.appender.sync()
            if self._ops is not None:
                os.fdatasync(self._ops.fileno())
            if self._named:
                sync_folders(self.archive.parent, self.root)
                self._named = False
        self.sealed = Mark(*position, self._ops_end, self._ops_check)
        return self.sealed

    def directory(self) -> Directory | None:
        """Return the directory of the sealed new entries, None if there are none."""
        if self.appender is None or not self.sealed.entries:
            return None
        self.appender.flush()
        return Directory(self.appender.directory, 0, self.sealed.directory, self.sealed.entries)

    def ops(self) -> Iterator[tuple[int, OpKind, bytes]]:
        """Yield the sealed operations in order."""
        if self._ops is None:
            return
        rest = b""
        for chunk in pieces(self._ops, 0, self.sealed.ops):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                at, kind, path = json.loads(line)
                yield at, kind, path.encode()

    def settle(self) -> None:
        """Forget what was published; what was accepted since the mark stays, in new files under the same names."""
        later = self._later()
        sealed, former, ops = self.sealed, self.appender, self._ops
        self.remove_files()
        self.appender, self._ops, self.sealed = None, None, Mark()
        self._ops_end = self._ops_check = 0
        self._named = True
        if former is not None and former.entries > sealed.entries:
            position = former.position()
            size, entries = position.directory - sealed.directory, position.entries - sealed.entries
            rest = Directory(former.directory, sealed.directory, size, entries)
            self._growing().copy(former.data, sealed.data, position.data, rest.records())
        for line in later:
            self._waiting.append(line)
            self._ops_end += len(line)
            self._ops_check = crc32(line, self._ops_check)
        self.flush()
        for file in (former, ops):
            if file is not None:
                file.close()

    def remove_files(self) -> None:
        """Remove all files beside the archive."""
        for ending in BESIDE:
            self.beside(ending).unlink(missing_ok=True)

    def close(self) -> None:
        """Give the files back, as they are."""
        for file in (self.appender, self._ops):
            if file is not None:
                file.close()

    def _later(self) -> list[bytes]:
        """Return the operations since the mark, counted from the entries since the mark."""
        self.flush()
        if self._ops is None:
            return []
        lines = b"".join(pieces(self._ops, self.sealed.ops, self._ops_end)).splitlines()
        later = (json.loads(line) for line in lines)
        shifted = ([at - self.sealed.entries, kind, path] for at, kind, path in later)
        return [json.dumps(values, separators=(",", ":")).encode() + b"\n" for values in shifted]

    def _growing(self) -> Appender:
        if self.appender is None:
            self._name_files()
            self.appender = Appender.create(self.beside(".partial"), self.beside(".partial.dir"))
        return self.appender

    def _name_files(self) -> None:
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        self._named = True


def remove_strays(root: Path, stem: str, marks: Mapping[str, Mark], ending: str = EXTENSION) -> None:
    """Remove what a dead predecessor left beside the archives of a stem, but for what a token's marks cover."""
    keep = {f"{name}{end}" for name, mark in marks.items() if mark.entries for end in (".partial", ".partial.dir")}
    keep |= {f"{name}.partial.ops" for name, mark in marks.items() if mark.ops}
    folder, slash, _ = stem.rpartition("/")
    if not (root / folder).is_dir():
        return
    for path in (root / folder).iterdir():
        name = folder + slash + path.name
        archive = next((name.removesuffix(beside) for beside in BESIDE if name.endswith(beside)), "")
        part = PartId.parse(archive)
        if part is not None and (part.stem, part.ending) == (stem, ending) and name not in keep:
            path.unlink(missing_ok=True)


def sync_folders(folder: Path, root: Path) -> None:
    """Make names durable: in a folder, and in those between it and the root."""
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if folder in (root, folder.parent):
            return
        folder = folder.parent


def _resumed(path: Path, size: int, check: int) -> FileIO:
    try:
        file = FileIO(path, "r+")
    except FileNotFoundError as error:
        message = f"{path.name} is missing"
        raise ContainerLost(message) from error
    found = 0
    for chunk in pieces(file, 0, size):
        found = crc32(chunk, found)
    if found != check:
        file.close()
        message = f"{path.name} is shorter than committed, or holds something else"
        raise ContainerLost(message)
    file.truncate(size)
    return file
