"""URLs of destinations: which store they mean, and their one spelling."""

import subprocess
import sys
from pathlib import Path

import pytest

from syncer.blobs.folder import FolderBlobs
from syncer.blobs.roots import canonical, is_bucket, open_root
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


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/x", "s3://bucket/x"),
        ("S3://bucket//x/y/", "s3://bucket/x/y"),
        ("gs://bucket", "gs://bucket"),
        ("gs://bucket/", "gs://bucket"),
        ("az://container/with space/é", "az://container/with space/é"),
        ("s3://bucket/100%25", "s3://bucket/100%25"),
    ],
)
def test_one_spelling_of_a_bucket(url: str, expected: str) -> None:
    """All spellings of a prefix become one URL; names are taken as they stand."""
    assert canonical(url, BASE) == canonical(expected, BASE) == expected
    assert is_bucket(url)
    assert open_root(url, BASE).url == expected


@pytest.mark.parametrize(
    "url",
    ["s3:bucket", "s3://", "s3:///x", "gs://b", "s3://bucket/a//b", "s3://bucket/../x", "az://c_?/x", "s3://k:s@bucket/x",
     "s3://bucket/a\nb"],
)  # fmt: skip
def test_no_bucket(url: str) -> None:
    """What names no bucket, or leaves it, is refused without its text: it may hold a key."""
    with pytest.raises(SettingsError) as caught:
        open_root(url, BASE)
    assert caught.value.hint
    assert "k:s" not in str(caught.value)


def test_folders_do_without_the_client_of_buckets() -> None:
    """Whoever writes to a folder never loads megabytes of another library."""
    code = (
        "import sys, pathlib; from syncer.blobs.roots import canonical, open_root; base = pathlib.Path('/');"
        " open_root('file:x', base); canonical('s3://bucket/x', base); sys.exit('obstore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
