"""Rows that are new and not published yet, read back from where they grew: once, in order, in large pieces."""

from collections.abc import Iterator

from syncer.sinks.zip64.deflate import CHUNK, DamagedError, unpacked
from syncer.sinks.zip64.read import Directory, show
from syncer.sinks.zip64.readable import Readable, read_at
from syncer.sinks.zip64.records import local_header


def grown_lines(directory: Directory, data: Readable, alive: bytes | bytearray | memoryview) -> Iterator[bytes]:
    """Yield the lines that are marked alive. Blocking.

    Raises:
        DamagedError: one is not what was written.
    """
    window, begin = b"", 0
    for record, keep in zip(directory.records(), alive, strict=True):
        if not keep:
            continue
        header = local_header(record)
        size = len(header) + record.length
        at = record.offset - begin
        if at < 0 or at + size > len(window):
            window, begin, at = read_at(data, max(CHUNK, size), record.offset), record.offset, 0
        if window[at : at + len(header)] != header:
            message = f"the header of {show(record.name)} is not what was written"
            raise DamagedError(message)
        payload = window[at + len(header) : at + size]
        yield unpacked(payload, record.method, record.size, record.crc)
