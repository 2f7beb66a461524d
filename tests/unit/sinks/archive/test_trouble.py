"""What a session of archives does when something is lost, full, foreign or changed by others."""

import errno
import os
from io import FileIO
from pathlib import Path

import pytest

from syncer.model.errors import ContainerLost, DestinationChanged, Exit, LegFailed
from syncer.sinks.archive.session import ArchiveSession
from tests.support.archives import (
    Book,
    documents,
    names,
    zip_sink,
)
from tests.support.stored import partition

OLD = {f"item-{number}": b'{"version": 1, "number": %d}' % number * 9 for number in range(12)}


async def test_rule_1_a_lost_partial_rolls_back_and_is_said(tmp_path: Path) -> None:
    """A pod lost its disk: the unpublished part is gone, the published one stands, the run goes on from there."""
    book = Book(zip_sink(tmp_path))
    await book.sync({"a": b"1"})
    await book.put({"b": b"2"})
    await book.commit()
    await book.leave()
    (tmp_path / "x.zip.partial").unlink()
    with pytest.raises(ContainerLost, match=r"x\.zip\.partial is missing"):
        async with book.sink.session(book.unit, 9, book.resume, list(book.containers.values())):
            pass
    await book.sync({"c": b"3"})
    assert book.lost == 1
    assert documents(tmp_path / "x.zip") == {"a.json": b"1", "c.json": b"3"}
    await book.leave()


@pytest.mark.parametrize(
    "token", [b"nonsense", b'{"format":2,"parts":{}}', b'{"format":1,"parts":{"x.zip":{"data":1}}}']
)
async def test_a_token_that_can_not_be_read_rolls_back(tmp_path: Path, token: bytes) -> None:
    """It is never guessed what it may have meant."""
    book = Book(zip_sink(tmp_path))
    with pytest.raises(ContainerLost):
        async with book.sink.session(book.unit, 1, token, []):
            pass


async def test_what_a_dead_predecessor_left_is_removed(tmp_path: Path) -> None:
    """Partials that no token names go when the session opens; other people's files stay."""
    tmp_path.mkdir(exist_ok=True)
    strays = [
        "x.zip.partial",
        "x.zip.partial.dir",
        "x.zip.partial.ops",
        "x.part-00002.zip.next",
        "x.000001.zip.partial",
    ]
    others = ["xy.zip.partial", "y.zip.next", "x.zipper.partial", "notes.txt"]
    for name in [*strays, *others]:
        (tmp_path / name).write_bytes(b"?")
    book = Book(zip_sink(tmp_path))
    await book.session()
    assert names(tmp_path) == sorted(others)
    await book.leave()


async def test_a_unit_leaves_the_archives_of_another_alone(tmp_path: Path) -> None:
    """A rebuilt state may know archives of other units: what these are doing just now is not swept away."""
    seven = Book(zip_sink(tmp_path, name="{project}.zip"))
    eight = Book(zip_sink(tmp_path, name="{project}.zip"), (partition("8"),))
    await seven.sync({"a": b"1"})
    eight.containers.update(seven.containers)
    await seven.put({"b": b"2"})
    await seven.commit()
    await eight.write([eight.entry("c", b"3", project="8")])
    await eight.commit()
    assert "7.zip.partial" in names(tmp_path)
    await seven.publish()
    await eight.leave()
    await eight.session()
    await eight.publish()
    assert names(tmp_path) == ["7.zip", "8.zip"]
    assert documents(tmp_path / "7.zip") == {"a.json": b"1", "b.json": b"2"}
    await seven.leave()
    await eight.leave()


@pytest.mark.parametrize("change", ["replaced", "missing", "touched"])
async def test_a_published_archive_that_others_changed_is_refused(tmp_path: Path, change: str) -> None:
    """The message names the file and the way out, and nothing is touched."""
    book = Book(zip_sink(tmp_path))
    await book.sync({"a": b"1"})
    await book.leave()
    path = tmp_path / "x.zip"
    if change == "replaced":
        path.write_bytes(b"other")
    elif change == "missing":
        path.unlink()
    else:
        os.utime(path, ns=(1, 1))
    with pytest.raises(DestinationChanged, match=r"x\.zip is not what was published") as caught:
        await book.session()
    assert caught.value.hint is not None
    assert "syncer verify" in caught.value.hint
    assert caught.value.exit_code == Exit.DAMAGE


async def test_an_archive_changed_while_the_session_is_open_is_not_replaced(tmp_path: Path) -> None:
    """What others put there since is never overwritten."""
    book = Book(zip_sink(tmp_path))
    await book.sync({"a": b"1"})
    await book.put({"b": b"2"})
    await book.commit()
    (tmp_path / "x.zip").write_bytes(b"somebody else's")
    with pytest.raises(DestinationChanged):
        await book.publish()
    assert (tmp_path / "x.zip").read_bytes() == b"somebody else's"
    await book.leave()


FULL = [
    (errno.ENOSPC, Exit.NOT_NOW, "free some space"),
    (errno.EIO, Exit.NOT_NOW, "healthy"),
    (errno.EACCES, Exit.PERMISSION, "let this user write"),
    (errno.EROFS, Exit.PERMISSION, "writable"),
]


@pytest.mark.parametrize(("number", "code", "hint"), FULL)
@pytest.mark.parametrize("step", ["write", "seal", "stage", "publish"])
async def test_trouble_with_the_disk_leaves_the_last_token_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: Exit, hint: str, step: str
) -> None:
    """Disk full or not writable, at any step: the leg fails with the right code, and a later run goes on."""
    book = Book(zip_sink(tmp_path, durability="batch"))
    await book.sync(OLD)
    await book.put({"item-1": b"newer"})
    await book.commit()

    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    session = await book.session()
    if step == "publish":
        book.staged = await session.stage()
    call = {"write": "pwrite", "seal": "fdatasync", "stage": "fsync", "publish": "replace"}[step]
    with monkeypatch.context() as patch:
        if step == "seal":
            await book.put({"lost": b"..."})
        patch.setattr(os, call, refuse)
        with pytest.raises(LegFailed) as caught:
            await act(book, session, step)
        assert caught.value.exit_code == code
        assert hint in (caught.value.hint or "")
        if step != "publish":
            with pytest.raises(LegFailed):
                await session.write([book.entry("after", b"")])
    await book.crash()
    await book.sync({"item-2": b"after"})
    assert book.lost == 0
    expected = {f"{item}.json": body for item, body in OLD.items()}
    assert documents(tmp_path / "x.zip") == {**expected, "item-1.json": b"newer", "item-2.json": b"after"}
    assert names(tmp_path) == ["x.zip"]
    await book.leave()


async def act(book: Book, session: ArchiveSession, step: str) -> None:
    """Do what is going to fail."""
    if step == "write":
        await book.put({"lost": b"..."})
    elif step == "seal":
        await session.seal()
    elif step == "stage":
        await session.stage()
    else:
        assert book.staged is not None
        await session.publish(book.staged)


async def test_a_full_disk_leaves_no_half_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was staged so far goes at once: its space may be what is missing."""
    book = Book(zip_sink(tmp_path, durability="batch"))
    await book.sync(OLD)
    await book.put({"item-1": b"newer"})
    await book.commit()
    session = await book.session()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(LegFailed):
            await session.stage()
    assert "x.zip.next" not in names(tmp_path)
    await book.leave()


async def test_a_damaged_published_archive_is_found_when_it_is_copied(tmp_path: Path) -> None:
    """Bit rot with the same size and time: the header of a live entry is wrong, and the copy stops."""
    book = Book(zip_sink(tmp_path))
    await book.sync(OLD)
    path = tmp_path / "x.zip"
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    await book.put({"item-1": b"newer"})
    await book.commit()
    with pytest.raises(DestinationChanged, match="the header of 'item-0.json'"):  # noqa: RUF043  # a dot is a dot
        await book.publish()
    await book.leave()


async def test_a_session_leaves_no_open_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that was opened is closed, also after a failure on entering."""
    opened: list[FileIO] = []
    real = FileIO.__init__

    class Counted(FileIO):
        def __init__(self, *args: object, **kwargs: object) -> None:
            real(self, *args, **kwargs)  # type: ignore[arg-type]  # passed on
            opened.append(self)

    for module in ("zip64.writer", "archive.fresh", "archive.swap"):
        monkeypatch.setattr(f"syncer.sinks.{module}.FileIO", Counted)
    book = Book(zip_sink(tmp_path))
    await book.sync({"a": b"1"})
    await book.put({"a": b"2", "b": b"3"})
    await book.remove(["a"])
    await book.commit()
    await book.leave()
    (tmp_path / "x.zip.partial.ops").unlink()
    with pytest.raises(ContainerLost):
        async with book.sink.session(book.unit, 9, book.resume, list(book.containers.values())):
            pass
    assert opened
    assert all(file.closed for file in opened)
