"""The spool: private, exact, bounded by the disk, and gone with its process."""

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from syncer.blobs import spool as spool_module
from syncer.blobs.spool import FolderSpool, open_spool
from syncer.model.entries import SpooledFile
from syncer.model.errors import NotNow


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


def below(folder: Path) -> list[str]:
    """Return all files of a spool, locks aside."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


async def test_a_body_is_spooled_with_its_digest(tmp_path: Path) -> None:
    """Small and large chunks arrive in order; size and sha256 are those of the whole."""
    chunks = [b"a" * 10, b"b" * 300_000, b"", b"c"]
    async with open_spool(tmp_path / "spool") as spool:
        async with spool.writer("key") as writer:
            for chunk in chunks:
                await writer.write(chunk)
            file = await writer.finish()
        data = b"".join(chunks)
        assert file.path.read_bytes() == data
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        await spool.discard(file)
        await spool.discard(file)
        assert below(tmp_path) == []


async def test_it_is_private(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask."""
    folder = tmp_path / "spool"
    before = os.umask(0)
    try:
        async with open_spool(folder) as spool, spool.writer("key") as writer:
            file = await writer.finish()
            modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, file.path.parent)}
            assert modes == {0o700}
            assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


async def broken_off(spool: FolderSpool, *, finish: bool) -> None:
    """Write, perhaps finish, and raise."""
    async with spool.writer("key") as writer:
        await writer.write(b"x")
        if finish:
            await writer.finish()
        raise ZeroDivisionError


async def test_what_raises_leaves_nothing(tmp_path: Path) -> None:
    """A block that raises, is cancelled, or never finishes its file leaves none, also after `finish`."""
    async with open_spool(tmp_path / "spool") as spool:
        for finish in (True, False):
            with pytest.raises(ZeroDivisionError):
                await broken_off(spool, finish=finish)
        with anyio.CancelScope() as scope:
            async with spool.writer("key") as writer:
                scope.cancel()
                await writer.write(b"x" * 1_000_000)
        assert scope.cancelled_caught
        async with spool.writer("key") as writer:
            await writer.write(b"x")
        assert below(tmp_path) == []


async def test_one_key_may_be_spooled_twice(tmp_path: Path) -> None:
    """Two attempts at one body never share a file."""
    async with open_spool(tmp_path / "spool") as spool:
        async with spool.writer("key") as one, spool.writer("key") as two:
            await one.write(b"1")
            await two.write(b"2")
            first, second = await one.finish(), await two.finish()
        assert (first.path.read_bytes(), second.path.read_bytes()) == (b"1", b"2")


async def test_only_own_files_are_discarded(tmp_path: Path) -> None:
    """A file elsewhere is left alone."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"x")
    async with open_spool(tmp_path / "spool") as spool:
        await spool.discard(SpooledFile(mine, 1, ""))
    assert mine.exists()


DYING = """
import asyncio, os, sys
from pathlib import Path
from syncer.blobs.spool import FolderSpool, open_spool
async def main():
    async with open_spool(Path(sys.argv[1])) as spool, spool.writer("key") as writer:
        await writer.write(b"left behind")
        await writer.finish()
        print("spooled", flush=True)
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""


def die_spooling(folder: Path) -> None:
    """Let a process be killed with a finished file in its spool."""
    subprocess.run([sys.executable, "-c", DYING, str(folder)], check=False, stdout=subprocess.PIPE)


async def test_dead_processes_are_swept_and_living_ones_not(tmp_path: Path) -> None:
    """What a killed process left is removed by the next one; another living spool keeps its files."""
    folder = tmp_path / "spool"
    die_spooling(folder)
    assert len(below(folder)) == 1
    async with open_spool(folder) as first:
        assert below(folder) == []
        async with first.writer("key") as writer:
            file = await writer.finish()
        async with open_spool(folder):
            assert file.path.exists()
        assert file.path.exists()
    assert list(folder.iterdir()) == []


async def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is spooled into the reserve, neither at the start of a body nor in its middle."""
    async with open_spool(tmp_path / "spool", reserve=1 << 60) as spool:
        with pytest.raises(NotNow, match="nearly full") as caught:
            async with spool.writer("key"):
                raise AssertionError
        assert caught.value.hint
    monkeypatch.setattr(spool_module, "_LOOK", 100)
    async with open_spool(tmp_path / "spool", reserve=1) as spool:
        async with spool.writer("key") as writer:
            await writer.write(b"x" * 99)
            monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 0))
            with pytest.raises(NotNow, match="nearly full"):
                await writer.write(b"x" * 2)
        assert below(tmp_path) == []


async def full(_: bytes) -> int:
    """Write to a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses to write is said in words, with what to do."""
    async with open_spool(tmp_path / "spool") as spool:
        async with spool.writer("key") as writer:
            monkeypatch.setattr(writer._file, "write", full)
            with pytest.raises(NotNow, match="No space") as caught:
                await writer.write(b"x")
        assert caught.value.hint
        assert below(tmp_path) == []


async def test_a_spool_that_can_not_be_made(tmp_path: Path) -> None:
    """A folder that can't be used is named, with what to do."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotNow, match="can't be used"):
        async with open_spool(tmp_path / "file" / "spool"):
            raise AssertionError
