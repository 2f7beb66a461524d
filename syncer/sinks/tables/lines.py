"""Tables in lines of JSON: `.jsonl`, plain or compressed as one stream, so that every reader takes all of it."""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from pathlib import Path

from syncer.model.containers import HISTORY, LINES
from syncer.model.entries import Container, Entry
from syncer.model.errors import TooLarge
from syncer.model.running import beat
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.tables.files import LinesOut, Output, chunks_of, compression_of, expanded
from syncer.sinks.tables.grown import grown_lines
from syncer.sinks.tables.row import LARGEST, name_of, read_line, row_of, write_line
from syncer.sinks.zip64.deflate import STORED, DamagedError, Packed, crc32, pack
from syncer.sinks.zip64.merge import Listing
from syncer.sinks.zip64.read import Directory
from syncer.sinks.zip64.readable import Readable, length_of, read_at
from syncer.sinks.zip64.scan import Scanned, Tape
from syncer.sinks.zip64.writer import Closed

#: No line of ours is longer: base64 of the largest document, and what stands before it.
_LONGEST = LARGEST // 3 * 4 + (1 << 20)
#: Rows after which a long merge says that it goes on.
_BEAT = 4096


class LinesForm:
    """The door `Form`."""

    known = frozenset(f"{ending}{more}" for ending in LINES.values() for more in ("", HISTORY))
    grows = False

    def __init__(self, ending: str) -> None:
        """Take the ending of new files, which says how they are compressed."""
        self.ending = ending
        self._plain = compression_of(ending) == "none"

    def pack(self, entry: Entry, scratch: Path) -> Packed:  # noqa: ARG002  # a row is held in memory
        """Return the line of an entry, compressed if the file will be: then both have about the same size."""
        return packed_line(write_line(*row_of(entry)), plain=self._plain)

    def listing(self, file: Readable, name: str) -> "LinesListing":
        """Count the rows."""
        return LinesListing(file, name)

    def merge(
        self,
        target: Path,
        name: str,
        published: tuple[Listing, Readable] | None,
        fresh: tuple[Directory, Readable] | None,
        alive: bytearray,
    ) -> Closed:
        """Write the lines that are alive, as they are."""
        with Output(target) as out:
            try:
                lines = LinesOut(out, name)
                at = 0
                if published is not None:
                    at = published[0].entries
                    for number, line in enumerate(lines_of(published[1], name)):
                        if alive[number]:
                            lines.add(line)
                        if not number % _BEAT:
                            beat()
                if fresh is not None:
                    for line in grown_lines(*fresh, memoryview(alive)[at:]):
                        lines.add(line)
                lines.end()
                return out.finished()
            except BaseException:  # half a file is of no use, and its space may be what is missing
                target.unlink(missing_ok=True)
                raise

    def index(self, file: Readable, name: str) -> "LinesIndex":
        """Read the file once."""
        return LinesIndex(file, name)

    def scan(self, file: Readable, container: Container, *, deep: bool) -> Generator[Scanned, None, None]:
        """Yield every row; with `deep`, with the digest of its document as it is there."""
        tape = Tape(file)
        try:
            for number, line in enumerate(split(expanded(tape.until(length_of(file)), container.name)), 1):
                try:
                    row, data = read_line(line)
                except DamagedError:
                    yield Scanned(None, len(line), damage=f"line {number:,} can't be read")
                    continue
                yield Scanned(row.path, row.size, hashlib.sha256(data).hexdigest() if deep else None)
        except DamagedError as error:
            yield Scanned(None, length_of(file), damage=str(error), unreadable=True)
            return
        tape.skip(length_of(file))
        if deep and (tape.at, tape.digest.hexdigest()) != (container.size, container.sha256):
            yield Scanned(None, tape.at, tape.digest.hexdigest(), "it is not the file that was published")


class LinesListing:
    """The rows of a published file."""

    def __init__(self, file: Readable, name: str) -> None:
        """Read the file once, to know how many there are."""
        self._file, self._name = file, name
        self.entries = sum(1 for _ in lines_of(file, name))

    def records(self) -> "Iterator[RowName]":
        """Yield the names of all rows."""
        return (RowName(name_of(line)) for line in lines_of(self._file, self._name))


class RowName:
    """One row of a published file."""

    __slots__ = ("name",)

    def __init__(self, name: bytes) -> None:
        """Take its path."""
        self.name = name


class LinesIndex:
    """Where each row stands: 16 bytes a row. Rows of a compressed file are found by reading on from the last one."""

    def __init__(self, file: Readable, name: str) -> None:
        """Read the file once; it may be closed afterwards."""
        self._name, self._plain = name, compression_of(name) == "none"
        self._starts, places = array("Q", [0]), array("Q")
        for number, line in enumerate(lines_of(file, name)):
            places.append(bucket_of(name_of(line)) << 32 | number)
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._places = array("Q", sorted(places))
        self._open: tuple[Readable, Iterator[bytes], int] | None = None

    def read(self, file: Readable, path: str, limit: int) -> bytes | None:
        """Return the document of a row; see the door."""
        line = self._find(file, path.encode("utf-8", "surrogatepass"))
        if line is None:
            return None
        row, data = read_line(line)
        if row.size > limit:
            message = f"{path} in {self._name} is larger than {limit:,} bytes"
            raise TooLarge(message)
        return data

    def copy(self, file: Readable, path: str, fresh: Fresh) -> bool:
        """Append a row to the new ones of another file; see the door."""
        line = self._find(file, path.encode())
        if line is not None:
            fresh.add(path, packed_line(line, plain=self._plain))
        return line is not None

    def _find(self, file: Readable, name: bytes) -> bytes | None:
        bucket = bucket_of(name)
        at = bisect_left(self._places, bucket << 32)
        while at < len(self._places) and self._places[at] >> 32 == bucket:
            line = self._line(file, self._places[at] & 0xFFFF_FFFF)
            if name_of(line) == name:
                return line
            at += 1
        return None

    def _line(self, file: Readable, number: int) -> bytes:
        if self._plain:
            start, stop = self._starts[number], self._starts[number + 1] - 1
            return read_at(file, stop - start, start)
        if self._open is None or self._open[0] is not file or self._open[2] > number:
            self._open = file, lines_of(file, self._name), 0
        _, lines, at = self._open
        line = b""
        for _ in range(at, number + 1):
            line = next(lines)
        self._open = file, lines, number + 1
        return line


def packed_line(line: bytes, *, plain: bool) -> Packed:
    """Return a line as it grows."""
    return Packed(STORED, crc32(line, 0), len(line), len(line), line) if plain else pack(line)


def lines_of(file: Readable, name: str) -> Iterator[bytes]:
    """Yield the lines of a published file.

    Raises:
        DamagedError: it is cut short, or not what its name says.
    """
    return split(expanded(chunks_of(file), name))


def split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of some text, without their ends.

    Raises:
        DamagedError: the last one has no end, or one is longer than any of ours.
    """
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        waiting.append(first)
        size += len(first)
        if size > _LONGEST:
            break
        if more:
            yield b"".join(waiting)
            yield from more[:-1]
            waiting, size = [more[-1]], len(more[-1])
    if size:
        message = "its last line has no end" if size <= _LONGEST else "a line of it is too long"
        raise DamagedError(message)


def bucket_of(name: bytes) -> int:
    """Return the half of an index's word that a name is looked for by."""
    return hash(name) & 0xFFFF_FFFF
