"""Files as tables are written and read: compressed as their names say, hashed on the way, read at any offset."""

import hashlib
import io
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

from syncer.model.containers import HISTORY, LINES
from syncer.model.errors import SettingsError
from syncer.sinks.zip64.deflate import CHUNK, DamagedError
from syncer.sinks.zip64.readable import Readable, length_of, read_at
from syncer.sinks.zip64.writer import Closed, pieces, write_at

_gzip: Any
try:
    from isal import isal_zlib

    _gzip, _LEVEL = isal_zlib, 1
except ImportError:  # no wheel for this machine
    _gzip, _LEVEL = zlib, 6

#: Both say that what follows is a gzip stream, with its header.
_GZIP = 31
_ZSTD_LEVEL = 3


class Squeezer(Protocol):
    """A stream that compresses."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what is ready of it."""

    def flush(self) -> bytes:
        """Return the rest."""


class Output(io.RawIOBase):
    """A file that is written once, from its start to its end, with the digest of all that went by."""

    def __init__(self, path: Path) -> None:
        """Create it, replacing one of this name."""
        super().__init__()
        self._file, self._at, self._digest = FileIO(path, "w"), 0, hashlib.sha256()

    def writable(self) -> bool:
        """Tell that it is."""
        return True

    def tell(self) -> int:
        """Return how many bytes there are."""
        return self._at

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # whatever is a buffer
        """Append some bytes."""
        view = bytes(data)
        self._digest.update(view)
        write_at(self._file, view, self._at)
        self._at += len(view)
        return len(view)

    def finished(self) -> Closed:
        """Return what the file is now."""
        return Closed(self._at, self._digest.hexdigest())

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
        super().close()


class Input(io.RawIOBase):
    """A published file for those who seek and read; the file itself stays where it is."""

    def __init__(self, file: Readable) -> None:
        """Take an open file; closing this leaves it open."""
        super().__init__()
        self._file, self._at, self._size = file, 0, length_of(file)

    def readable(self) -> bool:
        """Tell that it is."""
        return True

    def seekable(self) -> bool:
        """Tell that it is."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to an offset."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401  # whatever is a buffer
        """Read as many bytes as there is room for."""
        found = read_at(self._file, len(buffer), self._at)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


class LinesOut:
    """Lines on their way into a file."""

    def __init__(self, out: Output, name: str) -> None:
        """Take the file, and the name that it will have."""
        self._out, self._squeezer = out, _squeezer(compression_of(name))
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, line: bytes) -> None:
        """Append a line."""
        self._waiting += (line, b"\n")
        self._size += len(line) + 1
        if self._size >= CHUNK:
            self._flush()

    def end(self) -> None:
        """Write what waits."""
        self._flush()
        if self._squeezer is not None:
            self._out.write(self._squeezer.flush())

    def _flush(self) -> None:
        data = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        if data:
            self._out.write(data if self._squeezer is None else self._squeezer.compress(data))


def compression_of(name: str) -> str:
    """Return how a file of lines is compressed, by its name."""
    plain = name.removesuffix(HISTORY)
    return next(kind for kind in ("gz", "zst", "none") if plain.endswith(LINES[kind]))


def expanded(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yield the content of a file of lines in pieces of bounded size.

    Raises:
        DamagedError: it is cut short, or not what its name says.
    """
    kind = compression_of(name)
    if kind == "gz":
        return _gunzipped(chunks)
    return chunks if kind == "none" else _unzstd(chunks)


def chunks_of(file: Readable) -> Iterator[bytes]:
    """Yield a file's bytes in order."""
    return pieces(file, 0, length_of(file))


def zstandard() -> Any:  # noqa: ANN401  # an optional module
    """Return the library for zstd.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        import zstandard as library  # noqa: PLC0415  # optional
    except ImportError as error:
        message = "files compressed with zstd need a library that is not installed"
        raise SettingsError(message, hint="pip install 'annotation-syncer[zstd]', or `compression: gz`") from error
    return library


def _squeezer(kind: str) -> Squeezer | None:
    if kind == "none":
        return None
    squeezer: Squeezer
    if kind == "gz":
        squeezer = _gzip.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    else:
        squeezer = zstandard().ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj()
    return squeezer


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    # zlib, not isal, whose streams keep output back when they are asked for a bounded piece.
    stream = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            tail = chunk
            while tail and not stream.eof:
                yield stream.decompress(tail, CHUNK)
                tail = stream.unconsumed_tail
    except zlib.error as error:
        message = "it is no gzip stream"
        raise DamagedError(message) from error
    if not stream.eof or stream.unused_data:
        message = "bytes follow its gzip stream" if stream.eof else "its gzip stream is cut short"
        raise DamagedError(message)


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    library = zstandard()
    stream = library.ZstdDecompressor().stream_reader(_Pulled(chunks))
    try:
        while piece := stream.read(CHUNK):
            yield piece
    except library.ZstdError as error:
        message = "it is no zstd stream"
        raise DamagedError(message) from error


class _Pulled:
    """Chunks for a library that asks for so many bytes; it takes fewer."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def read(self, size: int) -> bytes:
        data = self._rest or next(self._chunks, b"")
        self._rest = data[size:]
        return data[:size]
