"""Reading whole archives from end to end: every byte once, every entry checked, what is wrong named."""

import hashlib
from collections.abc import Generator, Iterator

import msgspec

from syncer.sinks.zip64.deflate import CHUNK, DamagedError, unpack
from syncer.sinks.zip64.read import Directory, check_ratio
from syncer.sinks.zip64.readable import Readable, keep, length_of, read_at
from syncer.sinks.zip64.records import Record, local_header
from syncer.sinks.zip64.walk import Walk


class Scanned(msgspec.Struct, frozen=True):
    """One entry, or something about the archive as a whole."""

    #: None: the archive as a whole.
    name: str | None
    #: Bytes of the document, or of the archive.
    size: int
    sha256: str | None = None
    damage: str | None = None
    #: The archive has no directory that can be read: what it should hold can't be said.
    unreadable: bool = False


class Tape:
    """A file read once, from its start to its end, with the digest of all that went by."""

    def __init__(self, file: Readable) -> None:
        self._file, self.at, self.digest = file, 0, hashlib.sha256()

    def until(self, stop: int) -> Iterator[bytes]:
        """Yield the bytes up to an offset."""
        while self.at < stop and (chunk := read_at(self._file, min(CHUNK, stop - self.at), self.at)):
            self.at += len(chunk)
            self.digest.update(chunk)
            yield chunk

    def skip(self, stop: int) -> None:
        """Let the bytes up to an offset go by."""
        for _ in self.until(stop):
            pass


def scan_names(file: Readable) -> Generator[Scanned, None, None]:
    """Yield what the directory of an archive says; no document is read."""
    try:
        for record in Directory.find(file).records():
            yield Scanned(_text(record), record.size)
    except DamagedError as error:
        yield Scanned(None, length_of(file), damage=str(error), unreadable=True)


def scan_archive(file: Readable, size: int, sha256: str) -> Generator[Scanned, None, None]:
    """Yield every entry with the digest of its document, and what is wrong with the archive as a whole.

    Where the directory can't be read (on), the entries that a walk still finds follow.
    """
    tape, strangers = Tape(file), 0
    try:
        directory = Directory.find(file)
        keep(file, directory.start)
        for record in directory.records():
            before = tape.at
            found = _scan_entry(tape, record, directory.start)
            strangers += record.offset - before if tape.at > before else 0
            yield found
    except DamagedError as error:
        yield Scanned(None, length_of(file), damage=str(error), unreadable=True)
        for record, digest in Walk(file, tape.at).entries():
            yield Scanned(_text(record), record.size, digest)
        return
    strangers += max(0, directory.start - tape.at)
    tape.skip(length_of(file))
    if strangers:
        damage = f"{strangers:,} bytes between its entries belong to none of them"
        yield Scanned(None, tape.at, damage=damage)
    if (tape.at, tape.digest.hexdigest()) != (size, sha256):
        yield Scanned(None, tape.at, tape.digest.hexdigest(), "it is not the archive that was published")


def _scan_entry(tape: Tape, record: Record, limit: int) -> Scanned:
    name = _text(record)
    if record.offset < tape.at:
        return Scanned(name, record.size, damage="it overlaps another entry")
    if record.offset + len(local_header(record)) + record.length > limit:
        return Scanned(name, record.size, damage="it goes on behind the last entry")
    tape.skip(record.offset)
    header = local_header(record)
    end = record.offset + len(header) + record.length
    if b"".join(tape.until(record.offset + len(header))) != header:
        tape.skip(end)
        return Scanned(name, record.size, damage="its header is not what the directory says")
    digest = hashlib.sha256()
    try:
        check_ratio(record)
        for piece in unpack(tape.until(end), record.method, record.size, record.crc):
            digest.update(piece)
    except DamagedError as error:
        return Scanned(name, record.size, damage=str(error))
    finally:
        tape.skip(end)
    return Scanned(name, record.size, digest.hexdigest())


def _text(record: Record) -> str:
    return record.name.decode("utf-8", "replace")
