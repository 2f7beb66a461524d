"""Files of the spool that outlive their process: what is noted is durable, and nothing is left for ever."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from syncer.blobs import kept
from syncer.blobs.spool import open_spool
from syncer.model.errors import NotNow


async def test_the_next_process_finds_what_was_noted(tmp_path: Path) -> None:
    """Bytes at any place and the note survive; the finished file stays until it is discarded, note and all."""
    async with open_spool(tmp_path, reserve=0) as spool, spool.keep("key") as file:
        assert await file.note() == b""
        await file.write(6, b"world!!")
        await file.write(0, b"hello ")
        await file.mark(b"note")
    async with open_spool(tmp_path, reserve=0) as spool:
        async with spool.keep("key") as file:
            assert await file.note() == b"note"
            finished = await file.finish(12)
        assert finished.path.read_bytes() == b"hello world!"
        assert finished.sha256 == hashlib.sha256(b"hello world!").hexdigest()
        assert oct(finished.path.stat().st_mode & 0o777) == "0o600"
        assert oct(finished.path.parent.stat().st_mode & 0o777) == "0o700"
        await spool.discard(finished)
        await spool.discard(finished)
        assert not list(finished.path.parent.iterdir())


async def test_another_key_is_another_file(tmp_path: Path) -> None:
    """Keys that could leave the folder are digests there."""
    async with open_spool(tmp_path, reserve=0) as spool, spool.keep("../a") as one, spool.keep("../b") as two:
        assert one.path != two.path
        assert one.path.parent == two.path.parent == tmp_path / "kept"


async def test_what_is_forgotten_leaves_no_byte(tmp_path: Path) -> None:
    """After a drop neither bytes nor a note are there."""
    async with open_spool(tmp_path, reserve=0) as spool, spool.keep("key") as file:
        await file.write(0, b"data")
        await file.mark(b"note")
        await file.drop()
        assert (await file.note(), file.path.stat().st_size) == (b"", 0)


async def test_nobody_coming_back_is_not_waited_for_ever(tmp_path: Path) -> None:
    """After a week a file that nobody touched is removed, by whoever keeps the next one."""
    async with open_spool(tmp_path, reserve=0) as spool:
        async with spool.keep("old") as file:
            await file.mark(b"note")
        for path in (tmp_path / "kept").iterdir():
            os.utime(path, (0, 0))
        async with spool.keep("new"):
            assert len(list((tmp_path / "kept").iterdir())) == 1


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
async def test_a_full_disk_is_named_and_the_last_note_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The error says what to do; what was durable before still is."""

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with open_spool(tmp_path, reserve=0) as spool, spool.keep("key") as file:
        await file.write(0, b"data")
        await file.mark(b"first")
        monkeypatch.setattr(kept.os, call, full)
        with pytest.raises(NotNow, match="No space left"):
            await (file.write(4, b"more") if call == "pwrite" else file.mark(b"second"))
        assert await file.note() == b"first"


async def test_the_reserve_of_the_disk_is_kept(tmp_path: Path) -> None:
    """Below the reserve nothing more is noted as there."""
    async with open_spool(tmp_path, reserve=1 << 62) as spool, spool.keep("key") as file:
        await file.write(0, b"data")
        with pytest.raises(NotNow, match="nearly full"):
            await file.mark(b"note")
