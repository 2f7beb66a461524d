"""Archives without a directory: from local header to local header, and a valid archive of what is found.

This works because every local header that we write is complete: there are never data descriptors.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from syncer.model.paths import is_safe
from syncer.sinks.zip64.deflate import CHUNK, DEFLATED, STORED, DamagedError, unpack
from syncer.sinks.zip64.merge import copy_alive, survivors
from syncer.sinks.zip64.read import Directory, check_ratio
from syncer.sinks.zip64.readable import Readable, length_of, read_at
from syncer.sinks.zip64.records import (
    CENTRAL_MARK,
    END64_MARK,
    END_MARK,
    LOCAL,
    LOCAL_MARK,
    MAX16,
    MAX32,
    Record,
    central_record,
    local_header,
)
from syncer.sinks.zip64.writer import Appender, pieces, write_at

_CLOSING = (CENTRAL_MARK, END_MARK, END64_MARK)
_EXTRA64 = 20


class Walk:
    """From local header to local header; where one is damaged, on to the next that can be found."""

    def __init__(self, file: Readable, at: int = 0) -> None:
        self._file, self.at, self._length = file, at, length_of(file)
        #: Entries whose payload is damaged, and bytes that belong to no entry.
        self.damaged = self.skipped = 0
        #: The walk came to a directory, so nothing is missing at the end.
        self.complete = False

    def entries(self) -> Iterator[tuple[Record, str]]:
        """Yield every entry whose checksum is right, with the digest of its document."""
        while self.at < self._length:
            record = self._record(self.at)
            if record is None and read_at(self._file, 4, self.at) in _CLOSING:
                self.complete = True
                return
            if record is None:
                self._search(self.at + 1)
                continue
            start = self.at + len(local_header(record))
            stop = start + record.length
            digest = self._digest(record, start, stop)
            if digest is not None:
                self.at = stop
                yield record, digest
                continue
            self.damaged += 1
            if self._begins(stop):
                self.at = stop
            else:
                self._search(start)

    def _digest(self, record: Record, start: int, stop: int) -> str | None:
        digest = hashlib.sha256()
        if stop > self._length:
            return None
        try:
            check_ratio(record)
            for piece in unpack(pieces(self._file, start, stop), record.method, record.size, record.crc):
                digest.update(piece)
        except DamagedError:
            return None
        return digest.hexdigest()

    def _record(self, at: int) -> Record | None:
        """Read the local header at an offset, None if there is none of ours."""
        raw = read_at(self._file, LOCAL.size + MAX16 + _EXTRA64, at)
        if len(raw) < LOCAL.size or not raw.startswith(LOCAL_MARK):
            return None
        fields = LOCAL.unpack_from(raw)
        method, crc, length, size, name_length = fields[3], fields[6], fields[7], fields[8], fields[9]
        name = raw[LOCAL.size : LOCAL.size + name_length]
        if size == MAX32 and len(raw) >= LOCAL.size + name_length + _EXTRA64:
            size, length = struct.unpack_from("<2Q", raw, LOCAL.size + name_length + 4)
        record = Record(name, method, crc, length, size, at)
        ours = method in (STORED, DEFLATED) and raw.startswith(local_header(record))
        return record if ours and _usable(name) else None

    def _begins(self, at: int) -> bool:
        """Tell whether an entry or the directory begins at an offset."""
        return self._record(at) is not None or read_at(self._file, 4, at) in _CLOSING

    def _search(self, start: int) -> None:
        """Go on to the next local header."""
        at = start
        while at < self._length:
            chunk = read_at(self._file, CHUNK, at)
            found = chunk.find(LOCAL_MARK)
            at += found if found >= 0 else max(1, len(chunk) - len(LOCAL_MARK) + 1)
            if found >= 0:
                if self._record(at) is not None:
                    break
                at += 1
        self.skipped += min(at, self._length) - self.at
        self.at = min(at, self._length)


def _usable(name: bytes) -> bool:
    try:
        return is_safe(name.decode())
    except UnicodeDecodeError:
        return False


class Salvaged(msgspec.Struct, frozen=True):
    """What came out of a file whose directory was lost."""

    entries: int
    #: Entries that a later one of the same name replaced.
    superseded: int
    #: Entries whose payload is damaged, and bytes that belong to no entry.
    damaged: int
    skipped: int
    #: Byte where the walk ended, and whether a directory stood there.
    stopped: int
    complete: bool


def salvage(data_file: Path, out: Path) -> Salvaged:
    """Make a valid archive of a file that has lost its directory and every record about it. Blocking.

    Entries whose checksum is right are copied as they are, of two with the same name the later one. Removals that
    were not yet carried out are not in the file: such entries come back.

    Raises:
        OSError: a file can't be read or written; `out` is complete or untouched.
    """
    with ExitStack() as stack:
        source = stack.enter_context(FileIO(data_file))
        listing = stack.enter_context(TemporaryFile(dir=out.parent, buffering=0))
        walk = Walk(source)
        size = found = 0
        for record, _ in walk.entries():
            line = central_record(record)
            write_at(listing, line, size)
            size += len(line)
            found += 1
        directory = Directory(listing, 0, size, found)
        alive = survivors([directory])
        temporary = out.with_name(f"{out.name}.next")
        target = Appender.create(temporary)
        stack.callback(target.close)
        stack.callback(temporary.unlink, missing_ok=True)
        copy_alive(directory, source, alive, target)
        target.finish()
        os.fsync(target.data.fileno())
        temporary.replace(out)
    kept = sum(alive)
    return Salvaged(kept, found - kept, walk.damaged, walk.skipped, walk.at, walk.complete)
