"""URLs of destinations: which store they mean, and their one spelling."""

from pathlib import Path

import pytest

from syncer.blobs.folder import FolderBlobs
from syncer.blobs.roots import canonical, open_root
from syncer.model.errors import SettingsError

BASE = Path("/etc/syncer")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:out", "file:///etc/syncer/out"),
        ("out/", "file:///etc/syncer/out"),
        ("./a/../out", "file:///etc/syncer/out"),
        ("file:/data/x", "file:///data/x"),
        ("file:///data/x/", "file:///data/x"),
        ("FILE:///data/x", "file:///data/x"),
        ("file://localhost/data/x", "file:///data/x"),
        ("/data/x", "file:///data/x"),
        ("file:///with%20space", "file:///with%20space"),
        ("file:with space", "file:///etc/syncer/with%20space"),
        ("file:100%25", "file:///etc/syncer/100%2525"),
        ("..", "file:///etc"),
        (".", "file:///etc/syncer"),
        ("memory:x", "memory:x"),
    ],
)
def test_one_spelling(url: str, expected: str) -> None:
    """All spellings of a folder become one URL, which means the same folder again."""
    assert canonical(url, BASE) == expected
    assert canonical(expected, Path("/elsewhere")) == expected
    assert open_root(url, BASE).url == expected


def test_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the user's home."""
    monkeypatch.setenv("HOME", "/home/me")
    assert canonical("~/out", BASE) == "file:///home/me/out"


@pytest.mark.parametrize("url", ["s3://bucket/x", "gs://bucket", "az://container/x", "S3://bucket"])
def test_buckets_are_recognised_and_refused(url: str) -> None:
    """An object store is named for what it is, and the message says that this version has none."""
    with pytest.raises(SettingsError, match="not available in this version") as caught:
        open_root(url, BASE)
    assert caught.value.hint


@pytest.mark.parametrize("url", ["http://x/y", "ftp:x", "file://host/share", "", "file:", "a\0b"])
def test_no_destination(url: str) -> None:
    """What is no destination at all is refused with what to write instead."""
    with pytest.raises(SettingsError) as caught:
        open_root(url, BASE)
    assert caught.value.hint


def test_opening_touches_nothing(tmp_path: Path) -> None:
    """A store is made by its first write, not by being named."""
    blobs = open_root("out", tmp_path, durability="file")
    assert isinstance(blobs, FolderBlobs)
    assert list(tmp_path.iterdir()) == []


async def test_memory_is_shared_by_name(tmp_path: Path) -> None:
    """One name is one store in a process, another name another."""
    await open_root("memory:test-shared", tmp_path).put("a", b"1")
    assert await open_root("memory:test-shared", tmp_path).get("a", 1) is not None
    assert await open_root("memory:test-other", tmp_path).get("a", 1) is None
