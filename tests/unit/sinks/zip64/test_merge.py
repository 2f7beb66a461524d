"""Merging archives without recompression."""

import tracemalloc
import zipfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.sinks.zip64 import merge
from syncer.sinks.zip64.deflate import pack
from syncer.sinks.zip64.merge import copy_alive, survivors
from syncer.sinks.zip64.read import Directory
from syncer.sinks.zip64.records import Record, central_record, local_header
from syncer.sinks.zip64.writer import Appender

names = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])


@given(
    listed=st.lists(st.lists(names, max_size=8), min_size=1, max_size=3),
    drops=st.lists(st.tuples(st.integers(0, 24), names), max_size=6),
    at_once=st.sampled_from([1, 3, 1000]),
    many=st.sampled_from([1, 1000]),
)
def test_survivors_are_those_of_a_replay(
    listed: list[list[bytes]], drops: list[tuple[int, bytes]], at_once: int, many: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """In one pass or in many, with a filter or without: a later record wins, a drop ends what came before it."""
    total = sum(map(len, listed))
    drops = sorted((min(at, total), name) for at, name in drops)
    latest: dict[bytes, int] = {}
    number = 0
    for number, name in enumerate([*(name for one in listed for name in one), None]):
        for at, dropped in drops:
            if at == number:
                latest.pop(dropped, None)
        if name is not None:
            latest[name] = number
    expected = bytearray(1 if index in latest.values() else 0 for index in range(total))
    directories = []
    folder = tmp_path_factory.getbasetemp()
    for index, one in enumerate(listed):
        (folder / f"dir{index}").write_bytes(b"".join(central_record(Record(name, 0, 0, 0, 0, 0)) for name in one))
        file = FileIO(folder / f"dir{index}")
        directories.append(Directory(file, 0, (folder / f"dir{index}").stat().st_size, len(one)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "NAMES_AT_ONCE", at_once)
        patch.setattr(merge, "MANY", many)
        assert survivors(directories, lambda: drops) == expected
    for directory in directories:
        directory.file.close()


class Numbered:
    """A listing of so many entries, of which none stands there twice; nothing of it is kept in memory."""

    def __init__(self, entries: int) -> None:
        self.entries = entries

    def records(self) -> Iterator[Record]:
        """Yield them."""
        return (Record(b"folder/%07d.json" % number, 0, 0, 0, 0, 0) for number in range(self.entries))


def test_a_calm_archive_needs_some_bytes_an_entry() -> None:
    """Names that stand there once are not kept, but for one in a hundred: memory hardly grows with an archive."""
    entries = 100_000
    tracemalloc.start()
    try:
        assert survivors([Numbered(entries)]) == bytearray(b"\1") * entries
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * entries


def test_rule_7_copies_are_raw_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What survives is copied byte for byte, whatever gaps are between, and every tool's view is the live set."""
    archive = tmp_path / "x.zip"
    whole = Appender.create(archive)
    for number in range(50):
        whole.add(b"folder/%d.json" % number, pack(b'{"number": %d}' % number * 20))
    whole.finish()
    whole.close()
    monkeypatch.setattr(merge, "_RUN", 3)
    with FileIO(archive) as file:
        directory = Directory.find(file)
        before = list(directory.records())
        alive = bytearray(number % 7 not in (0, 3, 4) for number in range(50))
        out = Appender.create(tmp_path / "y.zip")
        out.add(b"first", pack(b"{}"))
        copy_alive(directory, file, alive, out)
        out.finish()
        out.close()
    kept = [record for record, keep in zip(before, alive, strict=True) if keep]
    old, new = archive.read_bytes(), (tmp_path / "y.zip").read_bytes()
    with FileIO(tmp_path / "y.zip") as file:
        after = list(Directory.find(file).records())[1:]
        assert [record._replace(offset=0) for record in after] == [record._replace(offset=0) for record in kept]
        for one, other in zip(kept, after, strict=True):
            length = len(local_header(one)) + one.length
            assert old[one.offset :][:length] == new[other.offset :][:length]
    with zipfile.ZipFile(tmp_path / "y.zip") as other_view:
        assert other_view.testzip() is None


def test_a_source_that_shrinks_while_it_is_copied_is_an_error(tmp_path: Path) -> None:
    """Half an entry is never taken for a whole one."""
    path = tmp_path / "x.zip"
    whole = Appender.create(path)
    whole.add(b"a", pack(bytes(range(256)) * 30, "video/mp4"))
    whole.finish()
    whole.close()
    with FileIO(path, "r+") as file:
        directory = list(Directory.find(file).records())
        file.truncate(1000)
        out = Appender.create(tmp_path / "y.zip")
        with pytest.raises(OSError, match="became shorter"):
            out.copy(file, 0, 7000, directory)
        out.close()
