"""What every store behind `Blobs` promises. A new adapter is one more name in `STORES`."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from syncer.blobs.folder import FolderBlobs
from syncer.blobs.memory import MemoryBlobs
from syncer.blobs.roots import open_root
from syncer.model.entries import SpooledFile
from syncer.model.errors import Conflict, SettingsError, TooLarge
from syncer.ports import About, Blobs

STORES: dict[str, Callable[[Path], Blobs]] = {
    "folder": lambda path: FolderBlobs(path / "root"),
    "memory": lambda _: MemoryBlobs(),
}
#: Real servers of object stores, by the fixture that runs them.
SERVERS = ("seaweed_server", "moto_server", "azure_server", "gcs_server")
UNSAFE = ("../x", "a/../../x", "/etc/passwd", "", "a//b", "./a", "a/.", "c:/x", "a\\b", "a\0b")
SCRATCH = "_manifest/.tmp/7"


@pytest.fixture(params=[*sorted(STORES), *SERVERS])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """Return an empty store."""
    if request.param in STORES:
        return STORES[request.param](tmp_path)
    server = request.getfixturevalue(request.param)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return open_root(server.url(f"contract/{uuid4().hex}"), tmp_path)


async def content(blobs: Blobs, name: str) -> bytes:
    """Return an object's bytes by streaming."""
    return b"".join([chunk async for chunk in blobs.read(name)])


async def names(blobs: Blobs, prefix: str = "") -> list[str]:
    """Return the listed names, sorted."""
    return sorted([info.name async for info in blobs.list(prefix)])


async def test_what_was_put_is_there(blobs: Blobs) -> None:
    """Objects written in one batch are read back, listed and described with the tags that the write returned."""
    tags = await blobs.put_many([("7/a.json", b"one"), ("7/b/c.json", b""), ("d.json", b"three")], SCRATCH)
    await blobs.sync()
    assert await names(blobs) == ["7/a.json", "7/b/c.json", "d.json"]
    assert [await content(blobs, name) for name in await names(blobs)] == [b"one", b"", b"three"]
    listed = {info.name: info for info in [info async for info in blobs.list()]}
    assert [listed[name].tag for name in ("7/a.json", "7/b/c.json", "d.json")] == list(tags)
    assert await blobs.stat("d.json") == listed["d.json"]
    assert listed["d.json"].size == 5


async def test_an_empty_batch_is_fine(blobs: Blobs) -> None:
    """Nothing to write and nothing to delete is no error, even before the root exists."""
    assert list(await blobs.put_many([], SCRATCH)) == []
    await blobs.delete_many([])
    await blobs.sync()
    await blobs.clear_scratch(SCRATCH)
    assert await names(blobs) == []


async def test_writing_again_replaces(blobs: Blobs) -> None:
    """The same name takes the last bytes and a new tag, over batches and within one."""
    (first,) = await blobs.put_many([("a", b"1")], SCRATCH)
    (second,) = await blobs.put_many([("a", b"2")], SCRATCH)
    assert first != second
    await blobs.put_many([("a", b"3"), ("a", b"4")], SCRATCH)
    assert await content(blobs, "a") == b"4"
    assert await names(blobs) == ["a"]


async def test_a_spooled_body_is_copied(blobs: Blobs, tmp_path: Path) -> None:
    """A body in a file arrives whole, and the file stays, because other legs may need it."""
    source = tmp_path / "body"
    data = bytes(range(256)) * 12_000
    source.write_bytes(data)
    await blobs.put_many([("big", SpooledFile(source, len(data), hashlib.sha256(data).hexdigest()))], SCRATCH)
    assert await content(blobs, "big") == data
    assert source.exists()


async def test_create_only_writes_once(blobs: Blobs) -> None:
    """Creating again with the same bytes is fine and gives the same tag; with other bytes it is a conflict."""
    tag = await blobs.put("s/1", b"rows", create=True)
    assert await blobs.put("s/1", b"rows", create=True) == tag
    for other in (b"ROWS", b"", b"rows and more"):
        with pytest.raises(Conflict):
            await blobs.put("s/1", other, create=True)
    assert await blobs.get("s/1", 100) == (b"rows", tag)


async def test_a_match_guards_a_replacement(blobs: Blobs) -> None:
    """Replacing with the present tag succeeds; with an older one, or of nothing, it is a conflict."""
    with pytest.raises(Conflict):
        await blobs.put("HEAD", b"1", match="no such tag")
    old = await blobs.put("HEAD", b"1")
    new = await blobs.put("HEAD", b"2", match=old)
    with pytest.raises(Conflict):
        await blobs.put("HEAD", b"3", match=old)
    assert await blobs.get("HEAD", 1) == (b"2", new)


async def test_no_update_is_lost(blobs: Blobs) -> None:
    """Many tasks that count up by compare-and-swap reach the sum, though all bodies have one size."""
    await blobs.put("n", b"000")

    async def count_up() -> None:
        for _ in range(5):
            while True:
                found = await blobs.get("n", 3)
                assert found is not None
                try:
                    await blobs.put("n", b"%03d" % (int(found[0]) + 1), match=found[1])
                except Conflict:
                    continue
                break

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(count_up)
    assert await content(blobs, "n") == b"040"


async def test_one_creator_wins(blobs: Blobs) -> None:
    """Of many tasks that create one name with different bytes, exactly one succeeds, and its bytes stand there."""
    won: list[bytes] = []

    async def create(data: bytes) -> None:
        try:
            await blobs.put("owner", data, create=True)
        except Conflict:
            return
        won.append(data)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(create, b"%d" % number)
    assert [await content(blobs, "owner")] == won


async def test_a_limit_bounds_what_is_read(blobs: Blobs) -> None:
    """An object of exactly the limit is returned; one byte more is refused; an absent one is None."""
    await blobs.put("a", b"12345")
    found = await blobs.get("a", 5)
    assert found is not None
    assert found[0] == b"12345"
    with pytest.raises(TooLarge):
        await blobs.get("a", 4)
    assert await blobs.get("b", 5) is None
    assert await blobs.get("a/b", 5) is None
    assert await blobs.stat("b") is None


async def test_ranges(blobs: Blobs) -> None:
    """A range is half-open, may pass the end, and may be empty."""
    await blobs.put("a", b"0123456789")
    for start, stop, expected in (
        (0, None, b"0123456789"),
        (3, 5, b"34"),
        (8, 99, b"89"),
        (4, 4, b""),
        (99, None, b""),
    ):
        assert b"".join([chunk async for chunk in blobs.read("a", start, stop)]) == expected


async def test_reading_what_is_not_there(blobs: Blobs) -> None:
    """Streaming an absent object is a FileNotFoundError."""
    await blobs.put("a", b"")
    for name in ("b", "a/b"):
        with pytest.raises(FileNotFoundError):
            await content(blobs, name)


async def test_a_reader_sees_one_version(blobs: Blobs) -> None:
    """A reader that began before a replacement goes on with the old bytes to their end."""
    old, new = b"a" * (3 << 20), b"b" * (3 << 20)
    await blobs.put_many([("a", old)], SCRATCH)
    chunks: list[bytes] = []
    async for chunk in blobs.read("a"):
        if not chunks:
            await blobs.put_many([("a", new)], SCRATCH)
        chunks.append(chunk)
    assert b"".join(chunks) == old
    assert await content(blobs, "a") == new


async def test_listing_by_prefix(blobs: Blobs) -> None:
    """A prefix selects by the start of the whole name, folders or not; private names are never listed."""
    await blobs.put_many([(name, b"") for name in ("7/a", "7/b/c", "70/a", "8", ".private", "7/.tmp/x")], SCRATCH)
    assert await names(blobs) == ["7/a", "7/b/c", "70/a", "8"]
    assert await names(blobs, "7/") == ["7/a", "7/b/c"]
    assert await names(blobs, "7") == ["7/a", "7/b/c", "70/a"]
    assert await names(blobs, "7/b") == ["7/b/c"]
    assert await names(blobs, "9/") == []


async def test_a_long_listing(blobs: Blobs) -> None:
    """A listing longer than one step names every object once, and every folder."""
    await blobs.put_many([(f"p/{number}/x", b"") for number in range(1100)], SCRATCH)
    listed = await names(blobs)
    assert (len(listed), len(set(listed))) == (1100, 1100)
    assert await blobs.folders("p") == sorted(f"p/{number}" for number in range(1100))


async def test_folders_right_below_a_folder(blobs: Blobs) -> None:
    """Each is named once, whole and in order, whatever lies in it; objects and private folders are not."""
    odd = ("a b", "a+b&c=d", "a%2Fb", "x~1,#[1]", "Ünï", "é.zip")
    told = [f"{name}/x/y" for name in odd]
    await blobs.put_many([(name, b"") for name in ("7/a", "7/b/c", "7/b/d/e", "7/b/f", "70/a", "8", *told)], SCRATCH)
    await blobs.put_many([(name, b"") for name in (".private/x", "7/.tmp/x", "7/c/.tmp/x")], SCRATCH)
    assert [one for one in await blobs.folders() if not one.startswith("_")] == sorted(["7", "70", *odd])
    assert await blobs.folders("7") == ["7/b", "7/c"]
    assert await blobs.folders("7/b") == ["7/b/d"]
    assert [await blobs.folders(one) for one in odd] == [[f"{one}/x"] for one in odd]
    for none in ("8", "9", "9/x", "7/b/d"):
        assert await blobs.folders(none) == []


async def test_there_are_no_folders_before_the_first_write(blobs: Blobs) -> None:
    """An empty store has none, and asking makes none."""
    assert await blobs.folders() == []
    assert await blobs.folders("_manifest") == []
    assert await names(blobs) == []


async def test_deleting_is_idempotent(blobs: Blobs) -> None:
    """Absent names, also below a name that is an object, are fine."""
    await blobs.put_many([("a", b""), ("b/c", b"")], SCRATCH)
    await blobs.delete_many(["a", "x", "x/y", "b/c/d"])
    await blobs.delete_many(["a"])
    assert await names(blobs) == ["b/c"]


async def test_adopting_a_file(blobs: Blobs, tmp_path: Path) -> None:
    """A local file moves in under its new name, replacing what was there, and is gone where it came from."""
    await blobs.put("p/a.zip", b"old")
    source = tmp_path / "made.partial"
    source.write_bytes(b"new bytes")
    tag = await blobs.adopt(source, "p/a.zip")
    assert await blobs.get("p/a.zip", 100) == (b"new bytes", tag)
    assert not source.exists()


async def test_a_batch_creates_only(blobs: Blobs) -> None:
    """A batch that may only create is fine with its own bytes, and refused where a name has others."""
    files = [("a@1", b"one"), ("a@2", b"two")]
    tags = await blobs.put_many(files, SCRATCH, create=True, about=[About(metadata={"version": "1"})] * 2)
    assert await blobs.put_many(files, SCRATCH, create=True) == tags
    with pytest.raises(Conflict):
        await blobs.put_many([("a@3", b"three"), ("a@1", b"other")], SCRATCH, create=True)
    assert await content(blobs, "a@1") == b"one"


async def test_a_batch_replaces_what_it_knows(blobs: Blobs) -> None:
    """Objects with the tags that were named are replaced, any others refused; None stands for whatever is there."""
    tags = await blobs.put_many([("a", b"one"), ("b", b"one"), ("c", b"one")], SCRATCH)
    files = [("a", b"two"), ("b", b"two"), ("d", b"two")]
    await blobs.put_many(files, SCRATCH, match=[tags[0], None, None])
    assert [await content(blobs, name) for name in "abcd"] == [b"two", b"two", b"one", b"two"]
    for name, tag in (("a", tags[0]), ("e", tags[0])):
        with pytest.raises(Conflict):
            await blobs.put_many([("f", b"three"), (name, b"three")], SCRATCH, match=[None, tag])
        assert await blobs.get("e", 10) is None
    assert await content(blobs, "a") == b"two"


async def test_a_bucket_repeats_what_was_said_of_an_object(blobs: Blobs) -> None:
    """Metadata comes back with `stat`; an object that somebody else wrote has none, a local file never has."""
    await blobs.put_many([("a", b"one")], SCRATCH, about=[About(metadata={"version": "1", "sha256": "ff"})])
    await blobs.put("b", b"two")
    mine, other = await blobs.stat("a"), await blobs.stat("b")
    assert mine is not None
    assert other is not None
    if blobs.folder is not None:
        assert mine.metadata is None
        return
    assert mine.metadata is not None
    assert (mine.metadata["version"], mine.metadata["sha256"]) == ("1", "ff")
    assert "version" not in (other.metadata or {})


@pytest.mark.parametrize("name", UNSAFE)
async def test_nothing_outside_the_root_is_touched(blobs: Blobs, name: str, tmp_path: Path) -> None:
    """A name that would leave the root is refused by every door, before anything happens."""
    outside = tmp_path / "x"
    outside.write_bytes(b"mine")
    source = tmp_path / "source"
    source.write_bytes(b"s")
    with pytest.raises(SettingsError):
        await blobs.put_many([("fine", b""), (name, b"")], SCRATCH)
    with pytest.raises(SettingsError):
        await blobs.put(name, b"")
    with pytest.raises(SettingsError):
        await blobs.get(name, 10)
    with pytest.raises(SettingsError):
        await content(blobs, name)
    with pytest.raises(SettingsError):
        await blobs.stat(name)
    with pytest.raises(SettingsError):
        await blobs.delete_many([name])
    with pytest.raises(SettingsError):
        await blobs.adopt(source, name)
    with pytest.raises(SettingsError):
        await blobs.clear_scratch(name)
    assert await names(blobs) == []
    assert outside.read_bytes() == b"mine"
    assert source.exists()


async def test_a_listing_stays_inside(blobs: Blobs, tmp_path: Path) -> None:
    """A prefix or a folder that would leave the root is refused."""
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(SettingsError):
        await names(blobs, "../")
    for name in filter(None, UNSAFE):
        with pytest.raises(SettingsError):
            await blobs.folders(name)


async def test_scratch_is_private_to_its_owner(blobs: Blobs) -> None:
    """Clearing one corner leaves objects and other corners alone, and writing goes on afterwards."""
    await blobs.put_many([("a", b"1")], "_manifest/.tmp/a")
    await blobs.put_many([("b", b"2")], "_manifest/.tmp/b")
    await blobs.clear_scratch("_manifest/.tmp/a")
    await blobs.put_many([("c", b"3")], "_manifest/.tmp/a")
    assert await names(blobs) == ["a", "b", "c"]


async def test_a_copy_has_the_same_bytes_and_replaces(blobs: Blobs) -> None:
    """Under a new name and over another object, from a private one; the source stays, a missing one is an error."""
    await blobs.put(".private/a", b"one")
    await blobs.put("b", b"other")
    tag = await blobs.copy(".private/a", "b")
    assert await content(blobs, "b") == b"one"
    info = await blobs.stat("b")
    assert info is not None
    assert (info.tag, info.size) == (tag, 3)
    await blobs.copy("b", "folder/c")
    assert await names(blobs) == ["b", "folder/c"]
    assert await content(blobs, ".private/a") == b"one"
    with pytest.raises(FileNotFoundError):
        await blobs.copy("absent", "d")
    for name in UNSAFE:
        with pytest.raises(SettingsError):
            await blobs.copy("b", name)


async def test_everything_below_a_folder_goes(blobs: Blobs) -> None:
    """Private names too; what only begins alike stays, and nothing there is fine."""
    for name in (".syncer/a/1", ".syncer/a/.hidden/2", ".syncer/ab", "x"):
        await blobs.put(name, b"1")
    await blobs.remove_all(".syncer/a")
    await blobs.remove_all(".syncer/none")
    assert await blobs.stat(".syncer/a/1") is None
    assert await blobs.stat(".syncer/a/.hidden/2") is None
    assert await content(blobs, ".syncer/ab") == b"1"
    assert await names(blobs) == ["x"]
