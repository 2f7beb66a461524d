"""Archives whose directory is lost."""

import zipfile
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.sinks.zip64.deflate import pack
from syncer.sinks.zip64.walk import Walk, salvage
from syncer.sinks.zip64.writer import Appender
from tests.support.archives import accepted_by_all

BODIES = [(f"{number}.json", b'{"number": %d}' % number * 20) for number in range(9)]


def partial(path: Path, bodies: list[tuple[str, bytes]] = BODIES, *, finish: bool = False) -> Path:
    """Write an archive as it stands while it grows."""
    out = Appender.create(path)
    for name, body in bodies:
        out.add(name.encode(), pack(body))
    if finish:
        out.finish()
    out.flush()
    out.close()
    return path


def contents(path: Path) -> list[tuple[str, bytes]]:
    """Return what another reader finds."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


@pytest.mark.parametrize("finish", [False, True])
def test_rule_6_an_archive_is_salvaged_from_its_data_alone(tmp_path: Path, finish: bool) -> None:
    """State and sidecar lost: the data file gives every entry, and every tool accepts what comes out."""
    data = partial(tmp_path / "x.zip.partial", finish=finish)
    found = salvage(data, tmp_path / "out.zip")
    assert (found.entries, found.superseded, found.damaged, found.skipped, found.complete) == (9, 0, 0, 0, finish)
    assert contents(tmp_path / "out.zip") == BODIES
    accepted_by_all(tmp_path / "out.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.zip", "x.zip.partial"]


def test_the_later_of_two_entries_with_one_name_is_kept(tmp_path: Path) -> None:
    """An item that was written again before the archive was closed comes out once."""
    data = partial(tmp_path / "data", [*BODIES, ("3.json", b"newer")])
    found = salvage(data, tmp_path / "out.zip")
    assert (found.entries, found.superseded) == (9, 1)
    assert contents(tmp_path / "out.zip") == [*BODIES[:3], *BODIES[4:], ("3.json", b"newer")]


def test_salvage_may_replace_its_own_source(tmp_path: Path) -> None:
    """The result takes the place of the damaged file in one step."""
    data = partial(tmp_path / "x.zip")
    assert salvage(data, data).entries == 9
    assert contents(data) == BODIES


@given(cut=st.integers(0, 2000))
def test_any_cut_keeps_the_entries_before_it(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file that ends anywhere gives the entries that are whole, and says how many bytes are not."""
    folder = tmp_path_factory.getbasetemp()
    data = partial(folder / "cut")
    whole = data.read_bytes()
    data.write_bytes(whole[: max(0, len(whole) - cut)])
    found = salvage(data, folder / "cut.zip")
    assert contents(folder / "cut.zip") == BODIES[: found.entries]
    with zipfile.ZipFile(folder / "cut.zip") as archive:
        ends = [info.header_offset for info in archive.infolist()]
    assert found.stopped == data.stat().st_size
    assert found.entries == 9 or whole[data.stat().st_size :]
    assert len(ends) == found.entries


@given(at=st.integers(0, 470), mask=st.integers(1, 255), finish=st.booleans())
def test_a_flipped_byte_costs_no_more_than_its_entry(
    at: int,
    mask: int,
    finish: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """In a header or in a payload, the walk finds its way to the next entry; a flipped name may be another's."""
    folder = tmp_path_factory.getbasetemp()
    data = partial(folder / "flip", finish=finish)
    content = bytearray(data.read_bytes())
    content[at] ^= mask
    data.write_bytes(content)
    found = salvage(data, folder / "flip.zip")
    assert found.entries >= 8
    assert len([one for one in contents(folder / "flip.zip") if one in BODIES]) >= 7


def test_garbage_between_entries_is_skipped(tmp_path: Path) -> None:
    """Whatever lies between, also what looks like a header, is counted and left out."""
    first, second = partial(tmp_path / "a", BODIES[:4]), partial(tmp_path / "b", BODIES[4:])
    garbage = b"PK\3\4" + b"\0PK\3" + bytes(3000)
    (tmp_path / "data").write_bytes(first.read_bytes() + garbage + second.read_bytes())
    found = salvage(tmp_path / "data", tmp_path / "out.zip")
    assert (found.entries, found.skipped) == (9, len(garbage))
    assert contents(tmp_path / "out.zip") == BODIES


def test_an_unsafe_name_is_never_salvaged(tmp_path: Path) -> None:
    """A file from elsewhere can't bring a path that leaves the folder."""
    data = partial(tmp_path / "data", [BODIES[0], ("../../etc/passwd", b"x"), ("/abs", b"x"), BODIES[1]])
    assert salvage(data, tmp_path / "out.zip").entries == 2
    assert contents(tmp_path / "out.zip") == BODIES[:2]


def test_a_walk_finds_headers_across_its_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that straddles two reads of the search is found."""
    monkeypatch.setattr("syncer.sinks.zip64.walk.CHUNK", 7)
    data = tmp_path / "data"
    data.write_bytes(b"x" * 40 + partial(tmp_path / "a").read_bytes())
    with FileIO(data) as file:
        walk = Walk(file)
        assert len(list(walk.entries())) == 9
        assert walk.skipped == 40


def test_nothing_to_salvage_gives_an_empty_archive(tmp_path: Path) -> None:
    """An empty file, or one of another kind, has no entries."""
    for content in (b"", b"not a zip file" * 100):
        (tmp_path / "data").write_bytes(content)
        found = salvage(tmp_path / "data", tmp_path / "out.zip")
        assert (found.entries, found.skipped) == (0, len(content))
        assert contents(tmp_path / "out.zip") == []
