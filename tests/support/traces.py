"""Looking for what should be gone: every byte of every file, compressed entries unpacked."""

import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def traces(root: Path, needles: Iterable[str], *, ignoring: Iterable[str] = ()) -> list[str]:
    """Return `file: needle` for everything below a folder, names included, that holds one of some texts."""
    wanted = [needle.encode() for needle in needles]
    passed_over = tuple(ignoring)
    found: list[str] = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name in passed_over:
            continue
        texts = [name.encode()]
        if path.is_file():
            texts += [path.read_bytes(), *_unpacked(path)]
        found += [f"{name}: {needle.decode()}" for needle in wanted if any(needle in text for text in texts)]
    return found


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield what is compressed in a file, also where no directory names it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    data = path.read_bytes()
    at = data.find(b"PK\3\4")
    while at >= 0:
        start = (
            at
            + 30
            + int.from_bytes(data[at + 26 : at + 28], "little")
            + int.from_bytes(data[at + 28 : at + 30], "little")
        )
        if int.from_bytes(data[at + 8 : at + 10], "little") == zipfile.ZIP_DEFLATED:
            yield _inflated(data[start:])
        at = data.find(b"PK\3\4", at + 1)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data)
    except zlib.error:
        return b""


def rows_of(state: Path) -> int:
    """Return how many items a state in a file holds."""
    connection = sqlite3.connect(state)
    try:
        (count,) = connection.execute("SELECT count(*) FROM items").fetchone()
    finally:
        connection.close()
    return int(count)
