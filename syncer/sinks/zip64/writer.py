"""The append-and-recover zip writer: an archive that grows by whole entries, its directory in a file beside it.

While it grows, an archive is only local headers and payloads, each header complete with sizes and checksum (there
are never data descriptors), so that any walk over the headers can recover it. The central directory grows beside it,
record by record as it will stand in the archive. `position` says how far both are; cutting both files there gives
exactly that state again. Closing appends the directory and the end records (APPNOTE 6.3.10, ZIP64 only where needed).

The same sequence of entries gives the same bytes: every entry has one fixed time, 1980-01-01.
"""

import errno
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from syncer.model.errors import ContainerLost
from syncer.sinks.zip64.deflate import CHUNK, Packed, crc32
from syncer.sinks.zip64.readable import Readable, read_at
from syncer.sinks.zip64.records import CLOSING, Record, central_record, end_records, headers

#: Bytes that are gathered for one write, and read of a local file in one go: more at once is no faster, and buffers
#: stay the process's own. What lies behind a network is read by `CHUNK`: each piece may be a request.
STEP = 256 * 1024


class Position(NamedTuple):
    """How far an open archive is, with proof of what lies before."""

    #: Bytes of the data file, and of the directory file.
    data: int
    directory: int
    entries: int
    #: Hex digest of the data (empty: not known, as not all of it is here), checksum of the directory.
    sha256: str
    check: int


class Closed(NamedTuple):
    """A complete archive."""

    size: int
    sha256: str


class Appender:
    """One archive being written; one owner. Blocking. Raises OSError where the disk does; after that, resume anew."""

    def __init__(self, data: FileIO, directory: FileIO, position: Position, digest: "hashlib._Hash") -> None:
        self.data, self.directory = data, directory
        self.entries = position.entries
        self._digest = digest
        self._end, self._directory_end, self._check = position.data, position.directory, position.check
        self._chunks: list[bytes] = []
        self._records: list[bytes] = []
        self._waiting = 0
        self._whole = True

    @classmethod
    def create(cls, data: Path, directory: Path | None = None) -> "Appender":
        """Begin an archive, replacing files of these names; without `directory` that file has no name."""
        with ExitStack() as undo:
            file = undo.enter_context(FileIO(data, "w+"))
            listing = TemporaryFile(dir=data.parent, buffering=0) if directory is None else FileIO(directory, "w+")  # noqa: SIM115  # `close` does
            undo.pop_all()
        return cls(file, listing, Position(0, 0, 0, "", 0), hashlib.sha256())

    @classmethod
    def resume(cls, data: Path, directory: Path, position: Position) -> "Appender":
        """Go on from a position: what lies before is read once and compared, what lies behind is cut off.

        Of a position without a digest the data is taken as it is, and the archive's digest will not be known.

        Raises:
            ContainerLost: a file is missing, shorter than the position, or not what was written.
        """
        digest, check = hashlib.sha256(), 0
        with ExitStack() as undo:
            try:
                file = undo.enter_context(FileIO(data, "r+"))
                listing = undo.enter_context(FileIO(directory, "r+"))
            except FileNotFoundError as error:
                message = f"{Path(str(error.filename)).name} is missing"
                raise ContainerLost(message) from error
            for chunk in pieces(file, 0, position.data if position.sha256 else 0):
                digest.update(chunk)
            for chunk in pieces(listing, 0, position.directory):
                check = crc32(chunk, check)
            if position.sha256 not in ("", digest.hexdigest()) or check != position.check:
                message = f"{data.name} is shorter than committed, or holds something else"
                raise ContainerLost(message)
            file.truncate(position.data)
            listing.truncate(position.directory)
            undo.pop_all()
        resumed = cls(file, listing, position, digest)
        resumed._whole = bool(position.sha256)
        return resumed

    @property
    def size(self) -> int:
        """Bytes of the archive if it were closed now, at most."""
        return self._end + self._directory_end + CLOSING

    def add(self, name: bytes, packed: Packed) -> None:
        """Append one entry; its payload file, if it is one, is closed."""
        method, crc, size, length, payload = packed
        local, record = headers(name, method, crc, length, size, self._end)
        if isinstance(payload, bytes):
            self._append(local + payload, record)
            return
        self._append(local, record)
        with payload:
            for chunk in iter(lambda: payload.read(CHUNK), b""):
                self._append(chunk)

    def copy(self, source: Readable, start: int, stop: int, records: Iterable[Record]) -> None:
        """Append the entries that lie between two offsets of another archive, as they are."""
        begin = self._end
        for record in records:
            self._append(b"", central_record(record._replace(offset=begin + record.offset - start)))
        for chunk in pieces(source, start, stop):
            self._append(chunk)
        if self._end - begin != stop - start:
            raise OSError(errno.EIO, "became shorter while it was read", str(source.name))

    def flush(self) -> None:
        """Hand what waits to the operating system."""
        if self._chunks:
            data = b"".join(self._chunks)
            self._digest.update(data)
            write_at(self.data, data, self._end - self._waiting)
            self._chunks.clear()
            self._waiting = 0
        if self._records:
            listing = b"".join(self._records)
            self._check = crc32(listing, self._check)
            write_at(self.directory, listing, self._directory_end - len(listing))
            self._records.clear()

    def position(self) -> Position:
        """Return how far the files are; durable only after `sync`."""
        self.flush()
        sha256 = self._digest.hexdigest() if self._whole else ""
        return Position(self._end, self._directory_end, self.entries, sha256, self._check)

    def sync(self) -> None:
        """Make all that was appended survive a power cut."""
        self.flush()
        os.fdatasync(self.data.fileno())
        os.fdatasync(self.directory.fileno())

    def finish(self) -> Closed:
        """Close the archive behind its last entry. Repeatable; appending goes on from where the entries end."""
        self.flush()
        digest = self._digest.copy()
        end = self._end
        # Leftovers of an earlier closing must not stand behind a shorter one.
        self.data.truncate(end)
        tail = end_records(self.entries, self._directory_end, end)
        for chunk in itertools.chain(pieces(self.directory, 0, self._directory_end), [tail]):
            digest.update(chunk)
            write_at(self.data, chunk, end)
            end += len(chunk)
        return Closed(end, digest.hexdigest() if self._whole else "")

    def close(self) -> None:
        """Give the files back, as they are."""
        self.data.close()
        self.directory.close()

    def _append(self, data: bytes, record: bytes | None = None) -> None:
        if record is not None:
            self._records.append(record)
            self._directory_end += len(record)
            self.entries += 1
        self._chunks.append(data)
        self._waiting += len(data)
        self._end += len(data)
        if self._waiting >= STEP:
            self.flush()


def pieces(file: Readable, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes between two offsets, fewer where the file ends sooner."""
    step = STEP if isinstance(file, FileIO) else CHUNK
    while start < stop:
        chunk = read_at(file, min(step, stop - start), start)
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def write_at(file: FileIO, data: bytes, offset: int) -> None:
    """Write all of it; the operating system may take less at once, on a disk that is almost full for one."""
    written = os.pwrite(file.fileno(), data, offset)
    while written < len(data):
        written += os.pwrite(file.fileno(), memoryview(data)[written:], offset + written)
