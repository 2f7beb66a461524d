"""Reading archives at any offset, wherever they lie: an open file, or something that reads ranges."""

import os
from io import FileIO
from typing import Protocol


class Ranged(Protocol):
    """Bytes that are read by ranges, such as an object in a bucket. Blocking."""

    #: What it is called in messages.
    name: str
    #: Changes when it is replaced.
    tag: str

    def read_at(self, size: int, offset: int) -> bytes:
        """Return up to so many bytes from an offset; fewer only where it ends."""

    def length(self) -> int:
        """Return its size in bytes."""

    def keep(self, start: int) -> None:
        """Keep what is read from this offset on: it will be read again."""


Readable = FileIO | Ranged


def read_at(file: Readable, size: int, offset: int) -> bytes:
    """Return up to so many bytes from an offset."""
    return os.pread(file.fileno(), size, offset) if isinstance(file, FileIO) else file.read_at(size, offset)


def length_of(file: Readable) -> int:
    """Return the size in bytes."""
    return os.fstat(file.fileno()).st_size if isinstance(file, FileIO) else file.length()


def tag_of(file: Readable) -> str:
    """Return what changes when the file is replaced."""
    if not isinstance(file, FileIO):
        return file.tag
    status = os.fstat(file.fileno())
    return f"{status.st_size}-{status.st_mtime_ns}"


def keep(file: Readable, start: int) -> None:
    """Say that what lies behind an offset will be read twice; of a local file the system remembers it anyway."""
    if not isinstance(file, FileIO):
        file.keep(start)
