"""The append-and-recover zip writer."""

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.errors import ContainerLost
from syncer.sinks.zip64.deflate import STORED, Packed, pack, pack_file
from syncer.sinks.zip64.records import END, END64_MARK, MAX32, Record, central_record, end_records, local_header
from syncer.sinks.zip64.writer import Appender, Position
from tests.support.archives import accepted_by_all

BODIES = [
    ("plain.json", b'{"a": 1}' * 50),
    ("folder/ümläut ñ 漢字.json", b"[1, 2, 3]" * 99),
    ("empty.json", b""),
    ("noise.bin", hashlib.sha512(b"x").digest() * 3),
    ("a/b/c/d.json", b"{}"),
]


def write(path: Path, bodies: Sequence[tuple[str, bytes]]) -> Path:
    """Write an archive in one go."""
    out = Appender.create(path)
    for name, body in bodies:
        out.add(name.encode(), pack(body))
    out.finish()
    out.close()
    return path


def test_rule_6_every_zip_tool_accepts_an_archive(tmp_path: Path) -> None:
    """Deflated, stored and empty entries, names beyond ASCII: all tools read them, and the bytes are the same."""
    path = write(tmp_path / "x.zip", BODIES)
    accepted_by_all(path)
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == BODIES
        assert {info.flag_bits for info in archive.infolist()} == {0x800}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}


def test_an_archive_without_entries_is_valid(tmp_path: Path) -> None:
    """The first part of an emptied archive is 22 bytes that tools know as an empty archive."""
    path = write(tmp_path / "x.zip", [])
    assert path.stat().st_size == END.size
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == []


@pytest.mark.parametrize("count", [65_534, 65_535, 65_536])
def test_rule_6_more_entries_than_16_bits_count(count: int, tmp_path: Path) -> None:
    """From 65,535 entries on the ZIP64 end records say how many there are, and every tool follows them."""
    packed = pack(b"{}")
    out = Appender.create(tmp_path / "x.zip")
    for number in range(count):
        out.add(b"%d" % number, packed)
    closed = out.finish()
    out.close()
    data = (tmp_path / "x.zip").read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == closed
    assert (END64_MARK in data[-200:]) == (count >= 65_535)
    if count == 65_535:
        accepted_by_all(tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert len(archive.namelist()) == count


def test_zip64_fields_stand_only_where_they_are_needed() -> None:
    """Each of the three fields moves to the extra field of the directory on its own; local headers have both sizes."""
    small = Record(b"n", STORED, 1, 5, 5, 9)
    assert (len(local_header(small)), len(central_record(small))) == (31, 47)
    last = small._replace(offset=MAX32 - 1, size=MAX32 - 1)
    assert (len(local_header(last)), len(central_record(last))) == (31, 47)
    assert len(central_record(small._replace(offset=MAX32))) == 47 + 4 + 8
    large = small._replace(size=MAX32)
    assert (len(local_header(large)), len(central_record(large))) == (31 + 20, 47 + 4 + 8)
    assert len(central_record(Record(b"n", STORED, 1, MAX32, MAX32, MAX32))) == 47 + 4 + 24
    assert len(end_records(65_534, 0, 0)) == END.size
    for count, size, offset in ((65_535, 0, 0), (1, MAX32, 0), (1, 0, MAX32)):
        assert end_records(count, size, offset).startswith(END64_MARK)


def test_rule_10_the_same_sequence_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of an archive depends on when, where or in how many steps it was written."""
    once = write(tmp_path / "one.zip", BODIES)
    out = Appender.create(tmp_path / "two.zip", tmp_path / "two.dir")
    for number, (name, body) in enumerate(BODIES):
        out.add(name.encode(), pack(body))
        out.finish()
        if number % 2:
            out.sync()
    position = out.position()
    out.close()
    again = Appender.resume(tmp_path / "two.zip", tmp_path / "two.dir", position)
    closed = again.finish()
    assert closed == again.finish()
    again.close()
    assert once.read_bytes() == (tmp_path / "two.zip").read_bytes()


def sealed(folder: Path) -> tuple[Position, bytes, bytes, bytes]:
    """Write three entries, take the position, write one more; return the position, the files, the closed archive."""
    out = Appender.create(folder / "data", folder / "dir")
    for name, body in BODIES[:3]:
        out.add(name.encode(), pack(body))
    position = out.position()
    out.add(b"later", pack(b"not committed" * 20))
    out.flush()
    out.close()
    files = (folder / "data").read_bytes(), (folder / "dir").read_bytes()
    return position, *files, write(folder / "expected", BODIES).read_bytes()


def test_rule_6_whatever_tail_a_dead_writer_left_the_archive_comes_out_the_same(tmp_path: Path) -> None:
    """For every length of the uncommitted tail, of both files, and for garbage in it: the same final bytes."""
    position, data, listing, expected = sealed(tmp_path)
    tails = [(data[: position.data + cut], listing) for cut in range(len(data) - position.data)]
    tails += [(data, listing[: position.directory + cut]) for cut in range(len(listing) - position.directory)]
    tails += [(data[: position.data] + b"\xffgarbage" * size, listing + bytes(size)) for size in (1, 40, 9000)]
    for number, (torn, torn_listing) in enumerate(tails):
        (tmp_path / "data").write_bytes(torn)
        (tmp_path / "dir").write_bytes(torn_listing)
        out = Appender.resume(tmp_path / "data", tmp_path / "dir", position)
        for name, body in BODIES[3:]:
            out.add(name.encode(), pack(body))
        out.finish()
        out.close()
        assert (tmp_path / "data").read_bytes() == expected, number


def test_rule_1_a_file_that_lost_something_committed_is_refused(tmp_path: Path) -> None:
    """Missing, shorter than the position, or other bytes before it: never continued, whichever file it is."""
    position, data, listing, _ = sealed(tmp_path)
    broken: list[tuple[bytes | None, bytes | None]] = [
        (None, listing),
        (data, None),
        (data[: position.data - 1], listing),
        (data, listing[: position.directory - 1]),
        (b"P" + b"x" + data[2:], listing),
        (data, listing[:20] + b"x" + listing[21:]),
    ]
    for torn, torn_listing in broken:
        for path, content in ((tmp_path / "data", torn), (tmp_path / "dir", torn_listing)):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        with pytest.raises(ContainerLost):
            Appender.resume(tmp_path / "data", tmp_path / "dir", position)


def test_appending_goes_on_after_closing(tmp_path: Path) -> None:
    """A closed archive that grows again loses its directory, not an entry."""
    out = Appender.create(tmp_path / "x.zip")
    for name, body in BODIES:
        out.add(name.encode(), pack(body))
        out.finish()
    closed = out.finish()
    out.close()
    assert (tmp_path / "x.zip").read_bytes() == write(tmp_path / "y.zip", BODIES).read_bytes()
    assert closed.sha256 == hashlib.sha256((tmp_path / "y.zip").read_bytes()).hexdigest()


def test_the_size_is_never_less_than_what_closing_gives(tmp_path: Path) -> None:
    """The roll-over to the next part counts with it."""
    out = Appender.create(tmp_path / "x.zip")
    for name, body in BODIES:
        out.add(name.encode(), pack(body))
        assert out.size >= out.finish().size
    out.close()


def test_a_large_body_is_appended_from_its_file(tmp_path: Path) -> None:
    """Payloads in files and in memory stand side by side, and the files are closed."""
    body = b'{"frame": 1}' * 300_000
    (tmp_path / "spooled").write_bytes(body)
    out = Appender.create(tmp_path / "x.zip")
    out.add(b"before", pack(b"{}"))
    out.add(b"large", pack_file(tmp_path / "spooled", len(body), tmp_path))
    out.add(b"stored", pack_file(tmp_path / "spooled", len(body), tmp_path, "video/mp4"))
    out.add(b"after", pack(b"{}"))
    out.finish()
    out.close()
    accepted_by_all(tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read("large") == archive.read("stored") == body
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spooled", "x.zip"]


@given(bodies=st.lists(st.tuples(st.text(min_size=1, max_size=8), st.binary(max_size=200)), max_size=6))
def test_any_entries_come_back(bodies: list[tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever the names and bodies, another reader finds them in order."""
    usable = [(name, body) for name, body in bodies if "\0" not in name]
    path = write(tmp_path_factory.getbasetemp() / "any.zip", usable)
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == usable


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("media_type", ["video/mp4", "application/json"])
def test_rule_6_more_bytes_than_32_bits_count(media_type: str, tmp_path: Path) -> None:
    """An entry over 4 GiB and entries behind it, stored (all offsets grow) and deflated (only one size does)."""
    size = (4 << 30) + 5
    with (tmp_path / "spooled").open("wb") as file:
        file.truncate(size)
    out = Appender.create(tmp_path / "x.zip")
    out.add(b"large", pack_file(tmp_path / "spooled", size, tmp_path, media_type))
    for number in range(12):
        out.add(b"small-%d" % number, Packed(STORED, 0xA505DF1B, 1, 1, b"\x01"))
    out.finish()
    out.close()
    accepted_by_all(tmp_path / "x.zip", large=True)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.getinfo("large").file_size == size
        assert archive.read("small-11") == b"\x01"
    for path in tmp_path.iterdir():
        path.unlink()
