"""The local folder as a store: links, faults of the disk, durability, and other processes."""

import errno
import os
import stat
from collections import Counter
from pathlib import Path

import pytest

from syncer.blobs import folders as folders_module
from syncer.blobs.files import Durability
from syncer.blobs.folder import FolderBlobs
from syncer.model.entries import SpooledFile
from syncer.model.errors import Conflict, SettingsError

SCRATCH = "_manifest/.tmp/7"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder that does not exist yet."""
    return tmp_path / "deep" / "root"


@pytest.fixture
def made(root: Path) -> Path:
    """Return the same folder, existing."""
    root.mkdir(parents=True)
    return root


def empty(root: Path) -> None:
    """Remove everything below a folder."""
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def open_descriptors() -> int:
    """Return how many files this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def files_below(root: Path) -> list[str]:
    """Return all files, private ones included."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def test_a_batch_leaves_nothing_but_its_objects(root: Path) -> None:
    """After a batch and a cleared corner only the objects are there, readable as the umask says."""
    blobs = FolderBlobs(root)
    before = os.umask(0o027)
    try:
        await blobs.put_many([(f"{n % 3}/{n}.json", b"x") for n in range(200)], SCRATCH)
    finally:
        os.umask(before)
    await blobs.clear_scratch(SCRATCH)
    assert len(files_below(root)) == 200
    assert stat.S_IMODE((root / "1/1.json").stat().st_mode) == 0o640


async def test_a_folder_link_that_leads_out_is_refused(made: Path, tmp_path: Path) -> None:
    """Nothing is written, read, listed or deleted through a symbolic link to somewhere else."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_bytes(b"mine")
    (made / "7").symlink_to(outside)
    blobs = FolderBlobs(made)
    with pytest.raises(SettingsError, match="leads out"):
        await blobs.put_many([("7/a", b"")], SCRATCH)
    with pytest.raises(SettingsError, match="leads out"):
        await blobs.put("7/deep/a", b"")
    with pytest.raises(SettingsError, match="leads out"):
        await blobs.get("7/mine", 10)
    with pytest.raises(SettingsError, match="leads out"):
        await blobs.delete_many(["7/mine"])
    with pytest.raises(SettingsError, match="leads out"):
        await blobs.clear_scratch("7/mine")
    with pytest.raises(SettingsError, match="leads out"):
        [info async for info in blobs.list("7/")]
    assert [info.name async for info in blobs.list()] == []
    assert [path.name for path in outside.iterdir()] == ["mine"]


async def test_a_link_inside_and_a_linked_root_are_fine(root: Path, tmp_path: Path) -> None:
    """A link that stays below the root may be used, and so may a root that is itself a link."""
    real = tmp_path / "real"
    (real / "data").mkdir(parents=True)
    (real / "7").symlink_to(real / "data")
    linked = tmp_path / "linked"
    linked.symlink_to(real)
    blobs = FolderBlobs(linked)
    await blobs.put_many([("7/a", b"x")], SCRATCH)
    assert (real / "data" / "a").read_bytes() == b"x"


async def test_folders_are_told_without_links_and_without_a_look_inside(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link is no folder, wherever it leads, an empty folder is one; one folder is read, whatever lies below."""
    (tmp_path / "outside/deep").mkdir(parents=True)
    for name in ("7/deep/deeper", "8", ".private"):
        (made / name).mkdir(parents=True)
    (made / "in").symlink_to(made / "7")
    (made / "out").symlink_to(tmp_path / "outside")
    blobs = FolderBlobs(made)
    read: list[str] = []
    scandir = os.scandir

    def noted(path: str) -> object:
        read.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    assert await blobs.folders() == ["7", "8"]
    assert await blobs.folders("in") == ["in/deep"]
    assert read == [str(made), str(made / "in")]
    with pytest.raises(SettingsError, match="leads out"):
        await blobs.folders("out")


async def test_a_linked_file_is_replaced_not_followed(made: Path, tmp_path: Path) -> None:
    """Writing where a link stands replaces the link; reading through it is refused by the system."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (made / "a").symlink_to(mine)
    blobs = FolderBlobs(made)
    with pytest.raises(OSError, match="symbolic"):
        await blobs.get("a", 10)
    await blobs.put_many([("a", b"new")], SCRATCH)
    await blobs.put("b", b"x")
    assert mine.read_bytes() == b"mine"
    assert (made / "a").read_bytes() == b"new"
    assert not (made / "a").is_symlink()


async def test_a_removed_folder_is_made_again(root: Path) -> None:
    """Folders of objects that somebody removed between two batches come back by themselves."""
    blobs = FolderBlobs(root)
    await blobs.put_many([("7/a", b"1")], SCRATCH)
    empty(root / "7")
    (root / "7").rmdir()
    await blobs.put_many([("7/a", b"2"), ("7/b", b"3")], SCRATCH)
    empty(root)
    await blobs.put("7/c", b"4")
    await blobs.sync()
    assert files_below(root) == ["7/.lock", "7/c"]


async def test_rule_5_whoever_lost_its_corner_writes_no_more(root: Path) -> None:
    """A writer whose private corner a successor cleared can't put an old version over a new one."""
    frozen, successor = FolderBlobs(root), FolderBlobs(root)
    await frozen.put_many([("a", b"1")], f"{SCRATCH}/1")
    await successor.clear_scratch(SCRATCH)
    await successor.put_many([("a", b"2")], f"{SCRATCH}/2")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            await frozen.put_many([("a", b"old"), ("b", b"old")], f"{SCRATCH}/1")
    assert files_below(root) == ["a"]
    assert (root / "a").read_bytes() == b"2"
    await frozen.clear_scratch(SCRATCH)
    await frozen.put_many([("a", b"3")], f"{SCRATCH}/3")
    assert (root / "a").read_bytes() == b"3"


async def test_a_full_disk_leaves_no_torn_object(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the middle of a batch, no name shows a part of a body and no temporary file stays."""
    blobs = FolderBlobs(root)
    await blobs.put_many([("a", b"old")], SCRATCH)
    write, left = os.write, 3

    def full(descriptor: int, data: bytes) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            await blobs.put_many([("a", b"new"), ("b", b"other")], SCRATCH)
        left = 0
        with pytest.raises(OSError, match="No space"):
            await blobs.put("c", b"small")
    assert files_below(root) == [".lock", "a"]
    assert (root / "a").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("durability", "files", "folders"),
    [("none", 0, 0), ("batch", 6, 2), ("file", 6, 6)],
)
async def test_what_is_forced_to_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability, files: int, folders: int
) -> None:
    """`batch` forces each file and, once per sync, each changed folder; `file` both at every name; `none` nothing."""
    blobs = FolderBlobs(root, durability=durability)
    await blobs.put_many([("p/x", b""), ("q/x", b"")], SCRATCH)
    await blobs.sync()
    forced: Counter[str] = Counter()
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        forced["folders" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "files"] += 1
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    await blobs.put_many([(f"{folder}/{n}", b"x") for folder in "pq" for n in range(3)], SCRATCH)
    before = forced["folders"]
    await blobs.sync()
    await blobs.sync()
    assert (forced["files"], forced["folders"]) == (files, folders)
    assert before == (6 if durability == "file" else 0)


async def test_a_failed_sync_is_repeated(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that could not be forced to disk is tried again by the next sync, not forgotten."""
    blobs = FolderBlobs(root)
    await blobs.put_many([("a", b"x")], SCRATCH)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        with pytest.raises(OSError, match="broken"):
            await blobs.sync()
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    await blobs.sync()
    assert forced


async def test_quick_versions_of_one_size_differ_in_their_tags(root: Path) -> None:
    """A compare-and-swap can't be fooled by replacements within one tick of the file system's clock."""
    blobs = FolderBlobs(root, durability="none")
    tags = {await blobs.put("HEAD", b"%03d" % number) for number in range(200)}
    assert len(tags) == 200


async def test_a_file_system_without_links(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hard links are not supported, creating still writes once and still refuses other bytes."""

    def no_link(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "link", no_link)
    blobs = FolderBlobs(root)
    await blobs.put("a", b"1", create=True)
    await blobs.put("a", b"1", create=True)
    with pytest.raises(Conflict):
        await blobs.put("a", b"2", create=True)
    assert files_below(root) == [".lock", "a"]


async def test_a_creator_that_was_overtaken(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the name appears between the look and the link, it counts as theirs: only the same bytes are fine."""
    blobs = FolderBlobs(root)
    link = os.link

    def overtaken(source: str, target: str) -> None:
        (root / "a").write_bytes(b"theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", overtaken)
    with pytest.raises(Conflict):
        await blobs.put("a", b"ours", create=True)
    (root / "a").unlink()
    await blobs.put("a", b"theirs", create=True)
    assert files_below(root) == [".lock", "a"]


async def test_adopting_from_another_file_system(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a rename is impossible the file is copied beside its place first, and then renamed."""
    blobs = FolderBlobs(root)
    source = tmp_path / "made"
    source.write_bytes(b"bytes" * 1000)
    replace = os.replace

    def across(old: str, new: str) -> None:
        if old == str(source):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        replace(old, new)

    monkeypatch.setattr(os, "replace", across)
    tag = await blobs.adopt(source, "p/a.zip")
    assert await blobs.get("p/a.zip", 9999) == (b"bytes" * 1000, tag)
    assert not source.exists()
    assert files_below(root) == ["p/a.zip"]


async def test_a_spooled_body_that_was_cut_is_refused(root: Path, tmp_path: Path) -> None:
    """A spool file that is shorter than it was never becomes an object."""
    source = tmp_path / "body"
    source.write_bytes(b"123")
    blobs = FolderBlobs(root)
    with pytest.raises(OSError, match="cut short"):
        await blobs.put_many([("a", SpooledFile(source, 4, ""))], SCRATCH)
    assert files_below(root) == []


async def test_leftovers_of_a_dead_writer_do_no_harm(root: Path) -> None:
    """A temporary file beside a small object, left by a killed process, is replaced and never listed."""
    blobs = FolderBlobs(root)
    await blobs.put("p/HEAD", b"1")
    (root / "p/.HEAD.tmp").write_bytes(b"torn")
    assert [info.name async for info in blobs.list()] == ["p/HEAD"]
    await blobs.put("p/HEAD", b"2")
    assert files_below(root) == ["p/.lock", "p/HEAD"]


async def test_memory_does_not_grow_with_the_folders(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are remembered up to a bound; beyond it they are simply looked at again."""
    monkeypatch.setattr(folders_module, "_REMEMBERED", 10)
    blobs = FolderBlobs(root)
    await blobs.put_many([(f"{n}/x", b"") for n in range(50)], SCRATCH)
    assert len(blobs._files.folders._known) <= 11
    assert len([info async for info in blobs.list()]) == 50


async def test_an_abandoned_listing_and_reader_close_their_files(root: Path) -> None:
    """Breaking off a listing or a stream leaves no open descriptor behind."""
    blobs = FolderBlobs(root)
    await blobs.put_many([(f"{n}", b"x" * 10) for n in range(5)], SCRATCH)
    before = open_descriptors()
    listing = blobs.list()
    await anext(listing)
    await listing.aclose()
    reading = blobs.read("1")
    await anext(reading)
    await reading.aclose()
    assert open_descriptors() == before
