"""Reading archives back: the central directory and single entries.

What is read is not trusted: every offset and length is checked against the file, a local header has to be exactly
the one that its directory record implies, and nothing is decompressed past the size that the directory names.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator

from syncer.sinks.zip64.deflate import DEFLATED, MAX_RATIO, STORED, DamagedError, unpack
from syncer.sinks.zip64.readable import Readable, length_of, read_at
from syncer.sinks.zip64.records import (
    CENTRAL,
    CENTRAL_MARK,
    END,
    END64,
    END64_MARK,
    END_MARK,
    LOCATOR64,
    LOCATOR64_MARK,
    MAX16,
    MAX32,
    Record,
    local_header,
)
from syncer.sinks.zip64.writer import pieces

_ENCRYPTED = 1


class Directory:
    """Central directory records, in a closed archive or in the file beside an open one."""

    def __init__(self, file: Readable, start: int, size: int, entries: int) -> None:
        self.file, self.start, self.size, self.entries = file, start, size, entries

    @classmethod
    def find(cls, file: Readable) -> "Directory":
        """Return the directory of a closed archive.

        Raises:
            DamagedError: there is none, or it does not stand where the end records say.
        """
        length = length_of(file)
        base = max(0, length - END.size - MAX16 - LOCATOR64.size)
        tail = read_at(file, length - base, base)
        at = tail.rfind(END_MARK)
        while at >= 0 and (len(tail) - at < END.size or at + END.size + END.unpack_from(tail, at)[7] != len(tail)):
            at = tail.rfind(END_MARK, 0, at)
        if at < 0:
            message = "it has no directory: it is cut short, or no zip archive"
            raise DamagedError(message)
        _, disk, _, here, entries, size, start, _ = END.unpack_from(tail, at)
        end = base + at
        if MAX16 in (here, entries) or MAX32 in (size, start):
            end, entries, size, start = _zip64_end(
                file, tail[max(0, at - LOCATOR64.size) : at], end, entries, size, start
            )
        if disk or start + size != end:
            message = "its directory does not stand where its end says"
            raise DamagedError(message)
        return cls(file, start, size, entries)

    def records(self) -> Iterator[Record]:
        """Yield all records in order.

        Raises:
            DamagedError: something else stands among them, or there are more or fewer than announced.
        """
        return (record for _, record in self.placed())

    def placed(self) -> Iterator[tuple[int, Record]]:
        """Yield all records in order, each with the byte where it begins."""
        rest, found, base = b"", 0, self.start
        for chunk in pieces(self.file, self.start, self.start + self.size):
            buffer, at = rest + chunk, 0
            while len(buffer) - at >= CENTRAL.size:
                fields = CENTRAL.unpack_from(buffer, at)
                name_end = at + CENTRAL.size + fields[10]
                end = name_end + fields[11] + fields[12]
                if fields[0] != CENTRAL_MARK or fields[3] & _ENCRYPTED or fields[4] not in (STORED, DEFLATED):
                    message = f"record {found + 1} of its directory can't be read"
                    raise DamagedError(message)
                if end > len(buffer):
                    break
                record = Record(
                    buffer[at + CENTRAL.size : name_end], fields[4], fields[7], fields[8], fields[9], fields[16]
                )
                yield base + at, _widened(record, buffer[name_end : name_end + fields[11]]) if fields[11] else record
                found += 1
                at = end
            rest = buffer[at:]
            base += at
        if rest or found != self.entries:
            message = f"its directory holds {found} records instead of {self.entries}"
            raise DamagedError(message)


class Index:
    """Where each name's record stands in a directory: 16 bytes an entry in memory, whatever the names are."""

    def __init__(self, directory: Directory) -> None:
        """Read the directory once; its file may be closed afterwards."""
        self._places, hashes = array("Q"), array("Q")
        for number, (place, record) in enumerate(directory.placed()):
            self._places.append(place)
            hashes.append(_bucket(record.name) << 32 | number)
        self._hashes = array("Q", sorted(hashes))

    def find(self, file: Readable, name: bytes) -> Record | None:
        """Return the record of a name in the archive; the last one, where it stands there twice."""
        bucket = _bucket(name)
        at = bisect_left(self._hashes, bucket << 32)
        found = None
        while at < len(self._hashes) and self._hashes[at] >> 32 == bucket:
            place = self._places[self._hashes[at] & MAX32]
            one = read_at(file, CENTRAL.size, place)
            size = CENTRAL.size + sum(CENTRAL.unpack(one)[10:13])
            record = next(Directory(file, place, size, 1).records())
            found = record if record.name == name else found
            at += 1
        return found


def entry_span(file: Readable, record: Record) -> tuple[int, int]:
    """Return where an entry's payload begins and ends.

    Raises:
        DamagedError: its local header is not the one that belongs to the record.
    """
    header = local_header(record)
    if read_at(file, len(header), record.offset) != header:
        message = f"the header of {show(record.name)} at byte {record.offset} is not what the directory says"
        raise DamagedError(message)
    start = record.offset + len(header)
    return start, start + record.length


def check_ratio(record: Record) -> None:
    """Refuse a record that promises more than deflate can hold.

    Raises:
        DamagedError: it does.
    """
    if record.size > record.length * MAX_RATIO or (record.method == STORED and record.size != record.length):
        message = f"{show(record.name)} claims {record.size} bytes in a payload of {record.length}"
        raise DamagedError(message)


def read_entry(file: Readable, record: Record) -> bytes:
    """Return the document of an entry; its size is the caller's to limit.

    Raises:
        DamagedError: header, stream, length or checksum is wrong.
    """
    check_ratio(record)
    start, stop = entry_span(file, record)
    if stop > length_of(file):
        message = f"{show(record.name)} goes on behind the end of the archive"
        raise DamagedError(message)
    return b"".join(unpack(pieces(file, start, stop), record.method, record.size, record.crc))


def show(name: bytes) -> str:
    """Return an entry's name for a message."""
    return repr(name.decode("utf-8", "replace")[:200])


def _bucket(name: bytes) -> int:
    return hash(name) & MAX32


def _widened(record: Record, extra: bytes) -> Record:
    """Take the fields that overflowed from the ZIP64 extra field, in their fixed order."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{min(size, len(extra) - at - 4) // 8}Q", extra, at + 4))
            short = (record.size, record.length, record.offset)
            full = [next(wide, MAX32) if value == MAX32 else value for value in short]
            return record._replace(size=full[0], length=full[1], offset=full[2])
        at += 4 + size
    return record


def _zip64_end(
    file: Readable, locator: bytes, end: int, entries: int, size: int, start: int
) -> tuple[int, int, int, int]:
    """Follow the ZIP64 locator; where there is none, the short fields meant what they said."""
    if len(locator) != LOCATOR64.size or not locator.startswith(LOCATOR64_MARK):
        return end, entries, size, start
    place = LOCATOR64.unpack(locator)[2]
    record = read_at(file, END64.size, place) if place < end else b""
    if len(record) != END64.size or not record.startswith(END64_MARK):
        message = "its ZIP64 end record can't be read"
        raise DamagedError(message)
    entries, size, start = END64.unpack(record)[7:]
    return place, entries, size, start
