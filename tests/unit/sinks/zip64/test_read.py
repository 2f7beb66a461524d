"""Reading archives back, without trust."""

import struct
import zipfile
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.sinks.zip64 import read
from syncer.sinks.zip64.deflate import STORED, DamagedError, pack
from syncer.sinks.zip64.read import Directory, Index, entry_span, read_entry
from syncer.sinks.zip64.records import CENTRAL, END, MAX32, Record, central_record, end_records, local_header
from syncer.sinks.zip64.writer import Appender

BODIES = {f"folder/{number}.json": b'{"number": %d}' % number * 20 for number in range(50)}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of fifty entries."""
    return written(tmp_path / "x.zip", list(BODIES.items()))


def written(path: Path, bodies: list[tuple[str, bytes]]) -> Path:
    """Write an archive."""
    out = Appender.create(path)
    for name, body in bodies:
        out.add(name.encode(), pack(body))
    out.finish()
    out.close()
    return path


def test_the_directory_lists_what_was_written(archive: Path) -> None:
    """Names, sizes and offsets are those that another reader finds."""
    with FileIO(archive) as file, zipfile.ZipFile(archive) as other:
        mine = [(r.name.decode(), r.method, r.crc, r.length, r.size, r.offset) for r in Directory.find(file).records()]
        theirs = [
            (i.filename, i.compress_type, i.CRC, i.compress_size, i.file_size, i.header_offset)
            for i in other.infolist()
        ]
        assert mine == theirs


def test_a_directory_longer_than_one_read_is_the_same(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that straddle two reads are put together."""
    with FileIO(archive) as file:
        whole = list(Directory.find(file).records())
        monkeypatch.setattr("syncer.sinks.zip64.writer.CHUNK", 61)
        assert list(Directory.find(file).records()) == whole
        index = Index(Directory.find(file))
        for record in whole:
            assert index.find(file, record.name) == record


def test_an_archive_of_another_tool_with_a_comment_is_found(tmp_path: Path) -> None:
    """The end record is looked for behind a comment, even one that looks like an end record."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as other:
        other.writestr("a", b"1")
        other.comment = b"PK\5\6 is how an archive ends, and this is none: PK\5\6"
    with FileIO(path) as file:
        assert [record.name for record in Directory.find(file).records()] == [b"a"]


def test_fields_from_the_zip64_extra_come_back(tmp_path: Path) -> None:
    """Each field that overflowed is read from its place, also behind an extra field of another kind."""
    records = [
        Record(b"a", STORED, 1, 5, 5, MAX32),
        Record(b"b", STORED, 1, 5, MAX32, 7),
        Record(b"c", STORED, 1, MAX32 + 1, MAX32 + 2, MAX32 + 3),
    ]
    listing = b"".join(map(central_record, records))
    plain = bytearray(central_record(records[0]))
    foreign = struct.pack("<2H4s", 0x5455, 4, b"time")
    plain[30:32] = struct.pack("<H", len(foreign) + 12)
    plain[CENTRAL.size + 1 : CENTRAL.size + 1] = foreign
    (tmp_path / "dir").write_bytes(listing + plain)
    with FileIO(tmp_path / "dir") as file:
        found = list(Directory(file, 0, len(listing) + len(plain), 4).records())
    assert found == [*records, records[0]]


def test_one_entry_is_found_among_many(archive: Path) -> None:
    """The index answers for every name, and for no other."""
    with FileIO(archive) as file:
        index = Index(Directory.find(file))
        for name, body in BODIES.items():
            record = index.find(file, name.encode())
            assert record is not None
            assert read_entry(file, record) == body
        assert index.find(file, b"folder/") is None
        assert index.find(file, b"") is None


def test_of_two_entries_with_one_name_the_later_is_found(tmp_path: Path) -> None:
    """As every zip reader does."""
    path = written(tmp_path / "x.zip", [("a", b"old"), ("b", b"other"), ("a", b"new")])
    with FileIO(path) as file:
        record = Index(Directory.find(file)).find(file, b"a")
        assert record is not None
        assert read_entry(file, record) == b"new"


def test_names_with_equal_hashes_are_kept_apart(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index compares names where hashes are the same."""
    monkeypatch.setattr(read, "_bucket", len)
    with FileIO(archive) as file:
        index = Index(Directory.find(file))
        for name, body in BODIES.items():
            record = index.find(file, name.encode())
            assert record is not None
            assert read_entry(file, record) == body


@pytest.mark.parametrize("cut", [1, 10, 22, 60, 500])
def test_an_archive_that_is_cut_short_is_damaged(archive: Path, cut: int) -> None:
    """Wherever the end is missing, that is said, and nothing is guessed."""
    data = archive.read_bytes()
    archive.write_bytes(data[:-cut])
    with FileIO(archive) as file, pytest.raises(DamagedError, match="it has no directory"):
        Directory.find(file)


@given(data=st.data())
def test_no_flipped_byte_of_the_directory_goes_unnoticed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Either the directory can't be read, or the entry that it describes is not there, or is no longer the same."""
    path = written(tmp_path_factory.getbasetemp() / "flip.zip", list(BODIES.items())[:4])
    content = bytearray(path.read_bytes())
    with FileIO(path) as file:
        directory = Directory.find(file)
        before = list(directory.records())
    at = data.draw(st.integers(directory.start, len(content) - END.size - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with FileIO(path) as file:
        try:
            after = list(Directory.find(file).records())
            documents = [read_entry(file, record) for record in after]
        except DamagedError:
            return
    # Only what readers ignore may differ: time, attributes, versions.
    assert after == before
    assert documents == list(BODIES.values())[:4]


@pytest.mark.parametrize("size", [(1 << 40), 1032 * 5 + 1])
def test_a_promise_that_deflate_can_not_keep_is_refused(tmp_path: Path, size: int) -> None:
    """A directory that claims terabytes in five bytes is damage before anything is decompressed."""
    record = Record(b"bomb", 8, 1, 5, size, 0)
    header, listing = local_header(record), central_record(record)
    (tmp_path / "x.zip").write_bytes(header + b"12345" + listing + end_records(1, len(listing), len(header) + 5))
    with FileIO(tmp_path / "x.zip") as file:
        found = next(Directory.find(file).records())
        with pytest.raises(DamagedError, match=f"claims {size} bytes in a payload of 5"):
            read_entry(file, found)


def test_an_entry_whose_header_is_another_one_is_damaged(archive: Path) -> None:
    """The local header has to be the one that the directory implies, to the byte."""
    data = bytearray(archive.read_bytes())
    with FileIO(archive) as file:
        record = next(Directory.find(file).records())
        data[record.offset + 14] ^= 1
        archive.write_bytes(data)
        with pytest.raises(DamagedError, match=r"the header of .folder/0\.json. at byte 0"):
            entry_span(file, record)
