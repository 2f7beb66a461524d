"""A growing archive of which only the end is here: what came before lies in a bucket. Blocking."""

import os
from io import FileIO
from pathlib import Path

from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.zip64.writer import Appender, pieces, write_at


def forget(fresh: Fresh, appender: Appender, before: int) -> None:
    """Give the disk space before an offset back; offsets stay as they are."""
    end = appender.position().data
    path = fresh.beside(".next")
    file = FileIO(path, "w+")
    try:
        file.truncate(end)
        _copy(appender.data, file, before, end)
        path.replace(fresh.beside(".partial"))
    except BaseException:  # whatever it is, the old file goes on
        file.close()
        path.unlink(missing_ok=True)
        raise
    appender.data.close()
    appender.data = file


def read_span(path: Path, start: int, stop: int) -> bytes:
    """Return the bytes between two offsets of a file."""
    with FileIO(path) as file:
        return b"".join(pieces(file, start, stop))


def write_span(path: Path, data: bytes, offset: int) -> None:
    """Write bytes at an offset of a file, made if it is not there."""
    with FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
        write_at(file, data, offset)


def _copy(source: FileIO, target: FileIO, start: int, stop: int) -> None:
    for chunk in pieces(source, start, stop):
        write_at(target, chunk, start)
        start += len(chunk)
