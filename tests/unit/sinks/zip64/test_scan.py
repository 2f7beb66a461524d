"""Whole archives read from end to end: every kind of damage has its name."""

import hashlib
import zipfile
from io import FileIO
from pathlib import Path

import pytest

from syncer.sinks.zip64.deflate import DEFLATED, Packed, pack
from syncer.sinks.zip64.records import Record, central_record, end_records, local_header
from syncer.sinks.zip64.scan import Scanned, scan_archive, scan_names
from syncer.sinks.zip64.writer import Appender, Closed

BODIES = {f"{number}.json": b'{"number": %d}' % number * 20 for number in range(9)}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of nine entries."""
    return tmp_path / "x.zip"


@pytest.fixture
def closed(archive: Path) -> Closed:
    """Write it, and return what HEAD knows of it."""
    out = Appender.create(archive)
    for name, body in BODIES.items():
        out.add(name.encode(), pack(body))
    closed = out.finish()
    out.close()
    return closed


def scan(path: Path, closed: Closed) -> tuple[dict[str, str | None], list[Scanned]]:
    """Return the digests of the good entries, and everything that is damage."""
    with FileIO(path) as file:
        found = list(scan_archive(file, *closed))
    good = {one.name: one.sha256 for one in found if one.damage is None and one.name is not None}
    return good, [one for one in found if one.damage is not None]


def names_in(path: Path) -> list[Scanned]:
    """Return what the quick look finds."""
    with FileIO(path) as file:
        return list(scan_names(file))


def digests(*without: str) -> dict[str, str]:
    """Return the digests that there should be."""
    return {name: hashlib.sha256(body).hexdigest() for name, body in BODIES.items() if name not in without}


def test_a_sound_archive_has_every_entry_and_no_damage(archive: Path, closed: Closed) -> None:
    """Digests are those of the documents."""
    assert scan(archive, closed) == (digests(), [])


def test_names_alone_need_no_document(archive: Path, closed: Closed) -> None:
    """The quick look reads the directory."""
    assert names_in(archive) == [Scanned(name, len(body)) for name, body in BODIES.items()]
    archive.write_bytes(archive.read_bytes()[:-5])
    (only,) = names_in(archive)
    assert only.unreadable
    assert only.damage is not None


def test_a_flipped_byte_names_its_entry_and_spares_the_others(archive: Path, closed: Closed) -> None:
    """Payload or header: one entry is damaged, the archive is not what was published, the rest is fine."""
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as other:
        payload = other.getinfo("3.json").header_offset + 30 + 6 + 4
        header = other.getinfo("5.json").header_offset + 20
    data[payload] ^= 0x40
    data[header] ^= 1
    archive.write_bytes(data)
    good, damage = scan(archive, closed)
    assert good == digests("3.json", "5.json")
    assert [one.name for one in damage] == ["3.json", "5.json", None]
    assert damage[1].damage == "its header is not what the directory says"
    assert damage[2].damage == "it is not the archive that was published"
    assert not damage[2].unreadable


@pytest.mark.parametrize(("left", "whole"), [(0.1, 1), (0.3, 5), (0.6, 9), (0.95, 9)])
def test_a_truncated_archive_still_shows_what_it_has(archive: Path, closed: Closed, left: float, whole: int) -> None:
    """Without a directory a walk finds the entries before the cut; the archive as a whole is unreadable."""
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * left)])
    good, damage = scan(archive, closed)
    assert len(damage) == 1
    assert damage[0].unreadable
    assert damage[0].damage == "it has no directory: it is cut short, or no zip archive"
    assert good.items() <= digests().items()
    assert len(good) == whole


def test_a_directory_that_breaks_off_is_told_once(archive: Path, closed: Closed) -> None:
    """Entries before the broken record are not told twice, those behind it are found by walking."""
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)] = 0
    archive.write_bytes(data)
    with FileIO(archive) as file:
        found = list(scan_archive(file, *closed))
    names = [one.name for one in found]
    assert sorted(name for name in names if name) == sorted(BODIES)
    assert [one.damage for one in found if one.unreadable] == ["record 2 of its directory can't be read"]


def test_an_extra_entry_is_seen(archive: Path, closed: Closed) -> None:
    """Somebody added a document with another tool: it is there, and the archive is not ours any more."""
    with zipfile.ZipFile(archive, "a") as other:
        other.writestr("extra.json", b"{}")
    good, damage = scan(archive, closed)
    assert good == digests()
    assert [one.name for one in damage] == ["extra.json", None]
    assert "extra.json" in [one.name for one in names_in(archive)]


def test_bytes_that_no_entry_owns_are_seen(archive: Path, closed: Closed) -> None:
    """A payload that hides between entries is told, with its size."""
    out = Appender.create(archive)
    records = []
    for name, body in BODIES.items():
        offset = out.position().data
        packed = pack(body)
        out.add(name.encode(), packed)
        records.append(Record(name.encode(), packed.method, packed.crc, packed.length, packed.size, offset))
    out.flush()
    out.close()
    hidden = Record(b"hidden", 0, 0, 3, 3, 0)
    data = archive.read_bytes() + local_header(hidden) + b"..."
    listing = b"".join(map(central_record, records))
    archive.write_bytes(data + listing + end_records(len(records), len(listing), len(data)))
    good, damage = scan(archive, closed)
    assert good == digests()
    assert damage[0].damage == f"{len(local_header(hidden)) + 3} bytes between its entries belong to none of them"


def test_entries_that_overlap_are_refused(archive: Path, closed: Closed) -> None:
    """Many directory records over one payload are how small files hold huge contents."""
    packed = pack(bytes(100_000))
    assert isinstance(packed.payload, bytes)
    record = Record(b"one", DEFLATED, packed.crc, packed.length, packed.size, 0)
    data = local_header(record) + packed.payload
    listing = central_record(record) * 3
    archive.write_bytes(data + listing + end_records(3, len(listing), len(data)))
    good, damage = scan(archive, closed)
    assert list(good) == ["one"]
    assert [one.damage for one in damage[:2]] == ["it overlaps another entry"] * 2


def test_a_false_size_in_the_directory_is_bounded(archive: Path, closed: Closed) -> None:
    """An entry that says less than it holds is cut at what it says; one that says more is damage at once."""
    packed = pack(bytes(100_000))
    assert isinstance(packed, Packed)
    assert isinstance(packed.payload, bytes)
    for size in (10, 1 << 40):
        record = Record(b"liar", DEFLATED, packed.crc, packed.length, size, 0)
        data = local_header(record) + packed.payload
        listing = central_record(record)
        archive.write_bytes(data + listing + end_records(1, len(listing), len(data)))
        _, damage = scan(archive, closed)
        assert damage[0].name == "liar"
