"""Bodies on their way into an archive and back: deflate, checksums, bounds. Pure, but for the files it is handed.

Deflate is isal at level 1 where its wheel exists, else zlib at level 6: on label documents the same size, at an
eighth of the time. Both write raw streams (RFC 1951) that every zip reader takes.
"""

import errno
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

_engine: Any
try:
    from isal import isal_zlib

    _engine, LEVEL = isal_zlib, 1
except ImportError:  # no wheel for this machine
    _engine, LEVEL = zlib, 6

#: CRC-32 of some bytes, going on from a value.
crc32: Callable[[bytes, int], int] = _engine.crc32

#: Compression methods of APPNOTE 4.4.5.
STORED, DEFLATED = 0, 8
#: Bytes moved at once.
CHUNK = 1 << 20
#: A deflate stream can't grow by more than this factor (zlib technical details: 1032:1).
MAX_RATIO = 1032

_RAW, _GZIP = -15, 31
#: Bytes before the stream in a member of gzip without a name, and what follows: checksum and size (RFC 1952 §2.3).
_GZIP_HEAD, _GZIP_TAIL = 10, Struct("<2L")
_PACKED_ALREADY = ("image/jpeg", "image/png", "image/webp", "video/", "audio/", "application/zip", "application/gzip")


class DamagedError(ValueError):
    """Bytes that are not what an archive says about them. The message names what, without a file name."""


class Packed(NamedTuple):
    """A body as it will stand in an archive; a named tuple, as there is one for every entry."""

    method: int
    crc: int
    #: Bytes of the document.
    size: int
    #: Bytes of the payload.
    length: int
    #: An open file, read from its start and closed by whoever appends it, where the body is large.
    payload: bytes | IO[bytes]


def pack(data: bytes, media_type: str = "") -> Packed:
    """Deflate a document; one that doesn't shrink, or is compressed already, is stored as it is."""
    size = len(data)
    if not media_type.startswith(_PACKED_ALREADY):
        # A member of gzip is the same stream with its checksum behind it, in one step: each step hands the interpreter
        # over to other threads, and waits until it gets it back.
        member = _engine.compress(data, LEVEL, _GZIP)
        length = len(member) - _GZIP_HEAD - _GZIP_TAIL.size
        if length < size:
            crc, _ = _GZIP_TAIL.unpack_from(member, _GZIP_HEAD + length)
            return Packed(DEFLATED, crc, size, length, member[_GZIP_HEAD : _GZIP_HEAD + length])
    return Packed(STORED, crc32(data, 0), size, size, data)


def pack_file(path: Path, size: int, scratch: Path, media_type: str = "") -> Packed:
    """Deflate a large document in constant memory, by way of an unnamed file in `scratch`.

    The local header of an entry holds sizes and checksum, so they have to be known before the first byte is appended.

    Raises:
        OSError: the file can't be read, is not `size` bytes long, or the disk is full.
    """
    source = path.open("rb")
    squeezed = None if media_type.startswith(_PACKED_ALREADY) else TemporaryFile(dir=scratch)  # noqa: SIM115  # the appender closes it
    try:
        crc = _deflate(source, squeezed, path, size)
        if squeezed is not None:
            length = squeezed.tell()
            if length < size:
                squeezed.seek(0)
                source.close()
                return Packed(DEFLATED, crc, size, length, squeezed)
            squeezed.close()
        source.seek(0)
    except BaseException:  # also when cancelled: open files are ours until the appender has them
        source.close()
        if squeezed is not None:
            squeezed.close()
        raise
    return Packed(STORED, crc, size, size, source)


def _deflate(source: IO[bytes], target: IO[bytes] | None, path: Path, size: int) -> int:
    """Copy, compressed, and return the checksum of what was read."""
    stream = _engine.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    crc = found = 0
    while chunk := source.read(CHUNK):
        crc = crc32(chunk, crc)
        found += len(chunk)
        if target is not None:
            target.write(stream.compress(chunk))
    if target is not None:
        target.write(stream.flush())
        target.flush()
    if found != size:
        raise OSError(errno.EIO, f"holds {found} bytes instead of {size}", str(path))
    return crc


def unpack(chunks: Iterator[bytes], method: int, size: int, crc: int) -> Iterator[bytes]:
    """Yield the document of one entry, never more than `size` bytes of it.

    Raises:
        DamagedError: after the last good bytes: it is no deflate stream, or has another length or checksum.
    """
    found, check = 0, 0
    for piece in _inflate(chunks, size) if method == DEFLATED else chunks:
        found += len(piece)
        if found > size:
            break
        check = crc32(piece, check)
        yield piece
    if found != size:
        message = f"holds {'more than ' if found > size else ''}{min(found, size)} bytes instead of {size}"
        raise DamagedError(message)
    if check != crc:
        message = "its checksum is wrong"
        raise DamagedError(message)


def unpacked(payload: bytes, method: int, size: int, crc: int) -> bytes:
    """Return the document of one entry that is trusted to be small: it was written by us, lately.

    Raises:
        DamagedError: it is no deflate stream, or has another length or checksum.
    """
    try:
        data: bytes = _engine.decompress(payload, _RAW, size) if method == DEFLATED else payload
    except (zlib.error, _engine.error) as error:
        message = "it is no deflate stream"
        raise DamagedError(message) from error
    if len(data) != size or crc32(data, 0) != crc:
        message = "its length or checksum is wrong"
        raise DamagedError(message)
    return data


def _inflate(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    # zlib, not isal, whose streams keep output back when they are asked for a bounded piece.
    stream = zlib.decompressobj(_RAW)
    # One byte more than there should be, so that a stream that goes on is found out.
    room = size + 1
    try:
        for chunk in chunks:
            tail = chunk
            while tail and room and not stream.eof:
                piece = stream.decompress(tail, min(room, CHUNK))
                tail = stream.unconsumed_tail
                room -= len(piece)
                yield piece
            if stream.eof or not room:
                break
    except zlib.error as error:
        message = "it is no deflate stream"
        raise DamagedError(message) from error
    if room and (not stream.eof or stream.unused_data or next(chunks, b"")):
        message = "bytes follow its deflate stream" if stream.eof else "its deflate stream is cut short"
        raise DamagedError(message)
