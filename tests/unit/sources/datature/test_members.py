"""Archives that somebody else made: what is refused as a whole, and how members are called."""

import io
import stat
import zipfile
from collections.abc import Callable

import pytest

from syncer.sources.datature import members
from syncer.sources.datature.members import Archive, Member, harm


def archive(*names: str, data: bytes = b"data", mode: int = 0) -> io.BytesIO:
    """Return an archive with members of these names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.external_attr, info.compress_type = name, mode << 16, zipfile.ZIP_DEFLATED
            made.writestr(info, data)
    return buffer


def test_folders_are_no_members_and_every_file_comes_once() -> None:
    """Members come in order, a few at a time, by number or by size."""
    buffer = archive("a/", "a/one", "a/two", "three")
    assert harm(buffer) is None
    for count, size, groups in ((1, 100, 3), (2, 100, 2), (9, 1, 3), (9, 100, 1)):
        opened = Archive(buffer)
        found: list[list[Member]] = []
        while some := opened.some(count, size):
            found.append(some)
        assert len(found) == groups
        assert [member.path for group in found for member in group] == ["a/one", "a/two", "three"]


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "a//b", "./a", "C:/a", "a\\b", "a\0b", ""])
def test_names_that_climb_are_refused(name: str) -> None:
    """One bad name, and nothing of the archive is stored."""
    assert "is no path inside it" in (harm(archive("good", name)) or "")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFDIR])
def test_links_and_devices_are_refused(kind: int) -> None:
    """Whatever is no ordinary file."""
    assert "is a link, or no file" in (harm(archive("a", mode=kind | 0o777)) or "")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a/B", "A/b"), ("e\u0301", "\u00e9")])
def test_names_that_are_one_file_somewhere_are_refused(names: tuple[str, str]) -> None:
    """Twice the same, another case, another composition."""
    assert "is there twice" in (harm(archive(*names)) or "")


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("MOST", 2, "3 members"), ("LARGEST", 99_999, "has 100,000"), ("ALL", 299_999, "300,000")],
)
def test_number_and_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str) -> None:
    """One too many, one too large, all together too large."""
    buffer = archive("a", "b", "c", data=bytes(100_000))
    assert harm(buffer) is None
    monkeypatch.setattr(members, limit, value)
    assert words in (harm(buffer) or "")


def test_a_bomb_is_refused_before_it_goes_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a harmless size, the ratio counts; nothing is decompressed to find out."""
    buffer = archive("bomb", data=bytes(1_000_000))
    monkeypatch.setattr(members, "HARMLESS", 999_999)
    monkeypatch.setattr(zipfile.ZipFile, "testzip", lambda _: pytest.fail("it was decompressed"))
    assert "would become 1,000,000" in (harm(buffer) or "")


def truncated(data: bytes) -> bytes:
    """Cut the end off."""
    return data[:-30]


def flipped(data: bytes) -> bytes:
    """Change a bit of a stored member."""
    place = data.index(b"stored")
    return data[:place] + b"x" + data[place + 1 :]


def encrypted(data: bytes) -> bytes:
    """Mark the member as encrypted in the directory."""
    place = data.index(b"PK\x01\x02") + 8
    return data[:place] + b"\x01" + data[place + 1 :]


@pytest.mark.parametrize("damage", [truncated, flipped, encrypted, lambda _: b"", lambda _: b"no archive"])
def test_what_is_not_whole_is_refused(damage: Callable[[bytes], bytes]) -> None:
    """Torn, altered, locked, or no archive at all: always said, never raised."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("a", b"stored")
    assert "is not unpacked" in (harm(io.BytesIO(damage(buffer.getvalue()))) or "")


def test_every_path_has_a_name_of_its_own() -> None:
    """A joint in a path is told from one between two folders."""
    paths = ["a/b", "a+b", "a~1b", "a~b", "a/b/c.txt"]
    items = [Member(path, b"").item for path in paths]
    assert items == ["a+b", "a~1b", "a~01b", "a~0b", "a+b+c.txt"]
