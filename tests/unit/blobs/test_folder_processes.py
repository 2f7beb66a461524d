"""The local folder between processes: locks, compare-and-swap, and a writer that is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from syncer.blobs import folder as folder_module
from syncer.blobs.folder import FolderBlobs
from syncer.model.errors import NotNow

HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""

WRITER = """
import asyncio, sys
from pathlib import Path
from syncer.blobs.folder import FolderBlobs
async def main():
    blobs = FolderBlobs(Path(sys.argv[1]), durability="none")
    for turn in range(1000):
        await blobs.put_many([(f"{n}", b"%06d" % turn * 2000) for n in range(40)], "_manifest/.tmp/w")
        print(turn, flush=True)
asyncio.run(main())
"""

COUNTER = """
import asyncio, sys
from pathlib import Path
from syncer.blobs.folder import FolderBlobs
from syncer.model.errors import Conflict
async def main():
    blobs = FolderBlobs(Path(sys.argv[1]))
    for _ in range(20):
        while True:
            data, tag = await blobs.get("p/n", 10)
            try:
                await blobs.put("p/n", b"%04d" % (int(data) + 1), match=tag)
                break
            except Conflict:
                pass
asyncio.run(main())
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder that does not exist yet."""
    return tmp_path / "root"


def lock_holder(lock: Path) -> "subprocess.Popen[bytes]":
    """Start a process that holds a lock until it is killed; return when it does."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def killed_after(root: Path, turns: int) -> None:
    """Let a process overwrite objects again and again, and kill it after some turns, wherever it is."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(turns):
            writer.stdout.readline()
        writer.kill()


def count_in_processes(root: Path) -> None:
    """Let two processes count up at the same time."""
    started = [subprocess.Popen([sys.executable, "-c", COUNTER, str(root)]) for _ in range(2)]
    assert [process.wait() for process in started] == [0, 0]


async def test_a_killed_writer_leaves_no_torn_object(root: Path) -> None:
    """Whenever a writer is killed, every object is whole: its old version or its new one."""
    blobs = FolderBlobs(root)
    for turns in (1, 3, 8):
        killed_after(root, turns)
        listed = [info.name async for info in blobs.list()]
        assert len(listed) == 40
        for name in listed:
            found = await blobs.get(name, 1 << 20)
            assert found is not None
            assert found[0] == found[0][:6] * 2000


async def test_processes_lose_no_update(root: Path) -> None:
    """Compare-and-swap holds over processes."""
    blobs = FolderBlobs(root)
    await blobs.put("p/n", b"0000")
    count_in_processes(root)
    found = await blobs.get("p/n", 10)
    assert found is not None
    assert found[0] == b"0040"


async def test_another_process_holds_the_lock(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock held elsewhere is waited for, refused in words after a while, and free once its holder is killed."""
    monkeypatch.setattr(folder_module, "_TRIES", 3)
    blobs = FolderBlobs(root)
    await blobs.put("p/HEAD", b"1")
    with lock_holder(root / "p/.lock") as holder:
        with pytest.raises(NotNow, match="held by another process"):
            await blobs.put("p/HEAD", b"2")
        holder.kill()
    await blobs.put("p/HEAD", b"3")
    found = await blobs.get("p/HEAD", 10)
    assert found is not None
    assert found[0] == b"3"
