"""The zip format as far as we write it: local headers, directory records, end records (APPNOTE 6.3.10). Pure."""

import struct
from typing import NamedTuple

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR64 = struct.Struct("<4sLQL")
LOCAL_MARK, CENTRAL_MARK, END_MARK = b"PK\3\4", b"PK\1\2", b"PK\5\6"
END64_MARK, LOCATOR64_MARK = b"PK\6\6", b"PK\6\7"

#: A field with this value stands in the ZIP64 extra field instead.
MAX32 = 0xFFFFFFFF
MAX16 = 0xFFFF
#: General purpose flag: the name is UTF-8.
UTF8 = 0x800
#: 1980-01-01 00:00:00 as MS-DOS time and date.
TIME, DATE = 0, 0x21
#: The most that closing adds to data and directory.
CLOSING = END64.size + LOCATOR64.size + END.size

_PLAIN, _ZIP64 = 20, 45
_MADE_BY_UNIX = 3 << 8
_REGULAR_FILE = 0o100644 << 16
_EXTRA64 = 1


class Record(NamedTuple):
    """One entry of an archive; a named tuple, as a million of them pass through a merge."""

    name: bytes
    method: int
    crc: int
    #: Bytes of the payload.
    length: int
    #: Bytes of the document.
    size: int
    #: Where the local header begins.
    offset: int


#: What local header and directory record have in common, and what stands around it in a record without ZIP64 fields.
_SHARED = struct.Struct("<5H3L2H")
_BEFORE = struct.pack("<4sH", CENTRAL_MARK, _MADE_BY_UNIX | _PLAIN)
_AFTER = struct.Struct("<3H2L")


def headers(name: bytes, method: int, crc: int, length: int, size: int, offset: int) -> tuple[bytes, bytes]:
    """Return `local_header` and `central_record` of an entry: one step for the many that need no ZIP64 fields."""
    if size >= MAX32 or offset >= MAX32:
        record = Record(name, method, crc, length, size, offset)
        return local_header(record), central_record(record)
    shared = _SHARED.pack(_PLAIN, UTF8, method, TIME, DATE, crc, length, size, len(name), 0)
    after = _AFTER.pack(0, 0, 0, _REGULAR_FILE, offset)
    return LOCAL_MARK + shared + name, _BEFORE + shared + after + name


def local_header(record: Record) -> bytes:
    """Return what stands before an entry's payload."""
    name, method, crc, length, size, _ = record
    if size < MAX32:
        return (
            LOCAL.pack(LOCAL_MARK, _PLAIN, UTF8, method, TIME, DATE, crc, length, size, len(name), 0) + name
        )  # a payload is never longer than its document, so the document's size decides
    extra = struct.pack("<2H2Q", _EXTRA64, 16, size, length)
    return (
        LOCAL.pack(LOCAL_MARK, _ZIP64, UTF8, method, TIME, DATE, crc, MAX32, MAX32, len(name), len(extra))
        + name
        + extra
    )


def central_record(record: Record) -> bytes:
    """Return an entry's line in the central directory; only fields that overflow move to the ZIP64 extra."""
    name, method, crc, length, size, offset = record
    wide = [value for value in (size, length, offset) if value >= MAX32]
    extra = struct.pack(f"<2H{len(wide)}Q", _EXTRA64, 8 * len(wide), *wide) if wide else b""
    need = _ZIP64 if wide else _PLAIN
    return (
        CENTRAL.pack(
            CENTRAL_MARK, _MADE_BY_UNIX | need, need, UTF8, method, TIME, DATE, crc, min(length, MAX32),
            min(size, MAX32), len(name), len(extra), 0, 0, 0, _REGULAR_FILE, min(offset, MAX32),
        )
        + name
        + extra
    )  # fmt: skip


def end_records(count: int, size: int, offset: int) -> bytes:
    """Return what closes an archive whose directory of `count` records and `size` bytes begins at `offset`."""
    end = END.pack(END_MARK, 0, 0, min(count, MAX16), min(count, MAX16), min(size, MAX32), min(offset, MAX32), 0)
    if count < MAX16 and size < MAX32 and offset < MAX32:
        return end
    end64 = END64.pack(END64_MARK, END64.size - 12, _MADE_BY_UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, offset)
    return end64 + LOCATOR64.pack(LOCATOR64_MARK, 0, offset + size, 1) + end
