"""One unit of archives open for writing."""

import errno
import os
import zipfile
from io import FileIO
from pathlib import Path

import pytest

from syncer.model.entries import StoredRow
from syncer.model.errors import ContainerLost, DestinationChanged, Exit, LegFailed, SettingsError
from syncer.sinks.archive_session import ArchiveSession
from tests.support.archives import Book, accepted_by_all, folder_bytes, spooled, zip_sink
from tests.support.stored import key, partition

OLD = {f"item-{number}": b'{"version": 1, "number": %d}' % number * 9 for number in range(12)}


def names(folder: Path) -> list[str]:
    """Return the names of all files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def documents(path: Path) -> dict[str, bytes]:
    """Return what another reader finds in an archive."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {info.filename: archive.read(info) for info in archive.infolist()}


def raw_payloads(path: Path) -> dict[str, bytes]:
    """Return every entry's compressed bytes, header included."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
    return {info.filename: data[info.header_offset : end] for info, end in zip(infos, ends, strict=True)}


async def test_rule_1_nothing_is_readable_before_it_is_published(tmp_path: Path) -> None:
    """Written, sealed, staged: readers see no archive; published: all of it, and nothing is left beside it."""
    book = Book(zip_sink(tmp_path, durability="batch"))
    await book.put(OLD)
    assert names(tmp_path) == ["x.zip.partial", "x.zip.partial.dir"]
    await book.commit()
    published = await book.publish()
    assert names(tmp_path) == ["x.zip"]
    accepted_by_all(tmp_path / "x.zip")
    assert documents(tmp_path / "x.zip") == {f"{item}.json": body for item, body in OLD.items()}
    assert published is not None
    (container,) = published.containers
    assert (container.name, container.live, container.dead) == ("x.zip", 12, 0)
    status = (tmp_path / "x.zip").stat()
    assert container.tag == f"{status.st_size}-{status.st_mtime_ns}"
    await book.leave()


async def test_receipts_come_in_the_order_of_writing(tmp_path: Path) -> None:
    """One for each entry, once, with the archive that holds it."""
    book = Book(zip_sink(tmp_path))
    session = await book.session()
    await session.write([book.entry("b", b"1"), book.entry("a", b"2")])
    await session.write([book.entry("b", b"3")])
    seal = await session.seal()
    assert [(receipt.key.item, receipt.size, receipt.container) for receipt in seal.receipts] == [
        ("b", 1, "x.zip"),
        ("a", 1, "x.zip"),
        ("b", 1, "x.zip"),
    ]
    again = await session.seal()
    assert (again.receipts, again.resume) == ((), seal.resume)
    await book.leave()


async def test_a_first_publish_copies_nothing(tmp_path: Path) -> None:
    """Where nothing was published and nothing superseded, the growing file itself becomes the archive."""
    book = Book(zip_sink(tmp_path))
    await book.put(OLD)
    before = (tmp_path / "x.zip.partial").stat().st_ino
    await book.commit()
    await book.publish()
    assert (tmp_path / "x.zip").stat().st_ino == before
    await book.leave()


async def test_rule_7_a_current_archive_holds_exactly_what_is_current(tmp_path: Path) -> None:
    """Updates, removals and new items: the live set, each once, untouched entries raw copies in their old order."""
    book = Book(zip_sink(tmp_path))
    await book.sync(OLD)
    before = raw_payloads(tmp_path / "x.zip")
    await book.put({"item-3": b"updated", "new": b"{}"})
    await book.remove(["item-5", "item-0"])
    await book.commit()
    published = await book.publish()
    expected = {f"{item}.json": body for item, body in OLD.items() if item not in ("item-0", "item-3", "item-5")}
    assert documents(tmp_path / "x.zip") == {**expected, "item-3.json": b"updated", "new.json": b"{}"}
    after = raw_payloads(tmp_path / "x.zip")
    assert {name: after[name] for name in expected} == {name: before[name] for name in expected}
    assert list(after) == [*expected, "item-3.json", "new.json"]
    assert published is not None
    assert (published.containers[0].live, published.containers[0].dead) == (11, 0)
    assert names(tmp_path) == ["x.zip"]
    await book.leave()


async def test_rule_7_what_was_superseded_before_it_was_published_is_squeezed_out(tmp_path: Path) -> None:
    """Items written twice or removed again before the first publish leave no trace in the archive."""
    book = Book(zip_sink(tmp_path))
    await book.put(OLD)
    await book.commit()
    await book.put({"item-1": b"newer"})
    await book.remove(["item-2"])
    await book.commit()
    published = await book.publish()
    assert published is not None
    assert (published.containers[0].live, published.containers[0].dead) == (11, 0)
    found = documents(tmp_path / "x.zip")
    assert found["item-1.json"] == b"newer"
    assert "item-2.json" not in found
    assert b"version" not in raw_payloads(tmp_path / "x.zip")["item-1.json"]
    await book.leave()


async def test_an_item_that_moved_leaves_its_old_path(tmp_path: Path) -> None:
    """A new path for a stored item: one entry, under the new name, in the same part."""
    book = Book(zip_sink(tmp_path))
    await book.sync(OLD)
    await book.put({"item-4": b"moved"}, paths={"item-4": "elsewhere/4.json"})
    await book.commit()
    await book.publish()
    found = documents(tmp_path / "x.zip")
    assert found["elsewhere/4.json"] == b"moved"
    assert "item-4.json" not in found
    # The path is free for another item.
    await book.put({"other": b"took it"}, paths={"other": "item-4.json"})
    await book.commit()
    await book.publish()
    assert documents(tmp_path / "x.zip")["item-4.json"] == b"took it"
    await book.leave()


async def test_older_versions_stay_where_the_version_is_part_of_the_name(tmp_path: Path) -> None:
    """A template with {version} keeps a history in the archive."""
    book = Book(zip_sink(tmp_path, path="{item}/{version}.json"))
    await book.put({"a": b"one"}, paths={"a": "a/1.json"})
    await book.commit()
    await book.publish()
    await book.put({"a": b"two"}, paths={"a": "a/2.json"})
    await book.commit()
    await book.publish()
    assert documents(tmp_path / "x.zip") == {"a/1.json": b"one", "a/2.json": b"two"}
    await book.leave()


async def test_a_repeated_item_replaces_itself_before_the_checkpoint_knows_it(tmp_path: Path) -> None:
    """A source may repeat: the same path again, without a word about what it replaces, also in a later part."""
    book = Book(zip_sink(tmp_path, max_part_size=1500))
    for round_ in range(3):
        await book.write([book.entry(f"item-{number}", os.urandom(300)) for number in range(6)])
        session = await book.session()
        await session.write([book.entry("item-0", b"round %d" % round_)])
    await book.commit()
    await book.publish()
    found = book.stored_documents(tmp_path)
    assert len(found) == 6
    assert found["item-0.json"] == [b"round 2"]
    assert all(len(bodies) == 1 for bodies in found.values())
    await book.leave()


async def test_parts_roll_over_before_they_are_too_large(tmp_path: Path) -> None:
    """No part passes the limit, a larger entry has a part of its own, and names count up."""
    book = Book(zip_sink(tmp_path, max_part_size=2000))
    for number in range(30):
        await book.put({f"item-{number}": os.urandom(5000 if number == 7 else 300)})
    await book.commit()
    await book.publish()
    sizes = {path.name: path.stat().st_size for path in sorted(tmp_path.iterdir())}
    assert list(sizes)[:3] == ["x.part-00002.zip", "x.part-00003.zip", "x.part-00004.zip"]
    assert "x.zip" in sizes
    (large,) = [name for name, size in sizes.items() if size > 2000]
    assert len(documents(tmp_path / large)) == 1
    assert len(sizes) <= 10
    assert len(book.stored_documents(tmp_path)) == 30
    await book.leave()


async def test_rule_7_an_update_stays_in_its_part(tmp_path: Path) -> None:
    """A key is in exactly one part, whatever is written where, and untouched parts are not rewritten."""
    book = Book(zip_sink(tmp_path, max_part_size=2000))
    await book.sync({f"item-{number}": os.urandom(300) for number in range(15)})
    before = folder_bytes(tmp_path)
    place = book.rows[key("item-0")].container
    await book.sync({"item-0": b"small", "new": b"{}"})
    assert book.rows[key("item-0")].container == place == "x.zip"
    changed = {name for name, data in folder_bytes(tmp_path).items() if before.get(name) != data}
    assert changed == {"x.zip", book.rows[key("new")].container}
    assert all(len(bodies) == 1 for bodies in book.stored_documents(tmp_path).values())
    await book.leave()


async def test_an_emptied_part_goes_and_the_first_one_stays(tmp_path: Path) -> None:
    """When all is removed, a valid empty `x.zip` is left, and the other parts are dropped from HEAD and disk."""
    book = Book(zip_sink(tmp_path, max_part_size=2000))
    await book.sync({f"item-{number}": os.urandom(300) for number in range(15)})
    dropped = sorted(set(book.containers) - {"x.zip"})
    await book.remove([f"item-{number}" for number in range(15)])
    await book.commit()
    published = await book.publish()
    assert published is not None
    assert sorted(published.dropped) == dropped
    assert names(tmp_path) == ["x.zip"]
    assert documents(tmp_path / "x.zip") == {}
    await book.sync({"again": b"{}"})
    assert documents(tmp_path / "x.zip") == {"again.json": b"{}"}
    await book.leave()


async def test_what_never_was_published_and_is_removed_makes_no_archive(tmp_path: Path) -> None:
    """The swap list is empty, but it is one: the rows that wait in the checkpoint move on."""
    book = Book(zip_sink(tmp_path))
    await book.put({"a": b"1"})
    await book.commit()
    await book.remove(["a"])
    await book.commit()
    published = await book.publish()
    assert published is not None
    assert (published.containers, published.dropped) == ((), ())
    assert names(tmp_path) == []
    assert await book.publish() is None
    await book.leave()


async def test_two_stems_in_one_session(tmp_path: Path) -> None:
    """Another sink may ask for coarser units: partitions with archives of their own are written side by side."""
    book = Book(zip_sink(tmp_path, name="by project/{project}.zip"), (partition("7"), partition("8")))
    entries = [book.entry(f"{project}-{n}", b"{}", project=project) for n in range(3) for project in ("7", "8")]
    await book.write(entries)
    await book.commit()
    published = await book.publish()
    assert published is not None
    assert [container.name for container in published.containers] == ["by project/7.zip", "by project/8.zip"]
    assert list(documents(tmp_path / "by project/7.zip")) == ["7-0.json", "7-1.json", "7-2.json"]
    assert list(documents(tmp_path / "by project/8.zip")) == ["8-0.json", "8-1.json", "8-2.json"]
    await book.leave()


async def test_append_leaves_published_parts_alone(tmp_path: Path) -> None:
    """Changes go to new parts; what they supersede, and what is removed, is counted as dead."""
    book = Book(zip_sink(tmp_path, mode="append"))
    await book.sync(OLD)
    before = folder_bytes(tmp_path)
    await book.put({"item-3": b"updated", "new": b"{}"})
    session = await book.session()
    rows = [book.rows[key("item-5")]]
    await session.remove(rows)
    await session.remove(rows)
    await book.commit()
    published = await book.publish()
    assert published is not None
    assert {c.name: (c.live, c.dead) for c in published.containers} == {"x.zip": (10, 2), "x.part-00002.zip": (2, 0)}
    assert (tmp_path / "x.zip").read_bytes() == before["x.zip"]
    assert documents(tmp_path / "x.part-00002.zip") == {"item-3.json": b"updated", "new.json": b"{}"}
    assert await book.publish() is None
    await book.leave()


async def test_delta_gives_each_generation_an_archive(tmp_path: Path) -> None:
    """The changes of one run lie together, under the run's number; two publishes of one run count on."""
    book = Book(zip_sink(tmp_path, mode="delta"))
    await book.sync({"a": b"1"})
    await book.sync({"b": b"2"})
    await book.leave()
    await book.sync({"a": b"3"})
    assert names(tmp_path) == ["x.000001.part-00002.zip", "x.000001.zip", "x.000002.zip"]
    assert documents(tmp_path / "x.000002.zip") == {"a.json": b"3"}
    assert (book.containers["x.000001.zip"].live, book.containers["x.000001.zip"].dead) == (0, 1)
    await book.leave()


async def test_a_spooled_body_becomes_an_entry(tmp_path: Path) -> None:
    """Bodies too large for memory are streamed from their file."""
    body = b'{"frame": 1}' * 200_000
    book = Book(zip_sink(tmp_path / "out"))
    await book.write([book.entry("large", spooled(tmp_path / "body", body)), book.entry("small", b"{}")])
    await book.commit()
    await book.publish()
    assert documents(tmp_path / "out" / "x.zip") == {"large.json": body, "small.json": b"{}"}
    await book.leave()


async def test_what_was_sealed_is_published_and_nothing_else(tmp_path: Path) -> None:
    """Entries and removals accepted after the seal wait for the next one, also over a publish in between."""
    book = Book(zip_sink(tmp_path))
    await book.sync({"a": b"1", "b": b"2"})
    await book.put({"c": b"3"})
    await book.commit()
    await book.put({"d": b"4", "e": b"5" * 99})
    session = await book.session()
    await session.remove([book.rows[key("a")]])
    await book.publish()
    assert documents(tmp_path / "x.zip") == {"a.json": b"1", "b.json": b"2", "c.json": b"3"}
    await book.commit()
    await book.publish()
    assert documents(tmp_path / "x.zip") == {
        "b.json": b"2", "c.json": b"3", "d.json": b"4", "e.json": b"5" * 99,
    }  # fmt: skip
    await book.leave()


async def test_the_first_publish_with_entries_waiting_behind_the_seal(tmp_path: Path) -> None:
    """The growing file can't become the archive then, and still nothing is lost."""
    book = Book(zip_sink(tmp_path))
    await book.put({"a": b"1"})
    await book.commit()
    await book.put({"b": b"2"})
    await book.publish()
    assert documents(tmp_path / "x.zip") == {"a.json": b"1"}
    await book.commit()
    await book.publish()
    assert documents(tmp_path / "x.zip") == {"a.json": b"1", "b.json": b"2"}
    await book.leave()


async def test_staging_twice_gives_the_same_list(tmp_path: Path) -> None:
    """Staging is repeatable, for the first archive and for its successors."""
    book = Book(zip_sink(tmp_path))
    for documents_ in (OLD, {"item-1": b"x"}):
        await book.put(documents_)
        await book.commit()
        session = await book.session()
        assert await session.stage() == await session.stage()
        await book.publish()
    await book.leave()


async def test_a_list_staged_before_later_writes_is_not_carried_out(tmp_path: Path) -> None:
    """It would publish less than it says, and what came later would be forgotten."""
    book = Book(zip_sink(tmp_path))
    await book.put({"a": b"1"})
    await book.commit()
    session = await book.session()
    swaps = await session.stage()
    assert swaps is not None
    await book.put({"b": b"2"})
    with pytest.raises(DestinationChanged):
        await session.publish(swaps)
    await book.commit()
    await book.publish()
    assert documents(tmp_path / "x.zip") == {"a.json": b"1", "b.json": b"2"}
    await book.leave()


async def test_writing_between_publish_and_settle_is_a_mistake(tmp_path: Path) -> None:
    """The engine's order is part of the door; a wrong one is refused before it can lose anything."""
    book = Book(zip_sink(tmp_path))
    await book.put({"a": b"1"})
    await book.commit()
    session = await book.session()
    swaps = await session.stage()
    assert swaps is not None
    await session.publish(swaps)
    with pytest.raises(RuntimeError, match="settle"):
        await book.put({"b": b"2"})
    await session.settle()
    await session.settle()
    await book.leave()


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


async def test_a_foreign_archive_of_the_same_name_is_never_replaced(tmp_path: Path) -> None:
    """The first export to a name that is taken stops before it writes anything."""
    (tmp_path / "x.zip").write_bytes(b"precious")
    book = Book(zip_sink(tmp_path))
    with pytest.raises(SettingsError, match="exists already, and this job did not write it"):
        await book.session()
    assert (tmp_path / "x.zip").read_bytes() == b"precious"


async def test_a_foreign_part_is_never_replaced(tmp_path: Path) -> None:
    """The same for the next part of an archive."""
    (tmp_path / "x.part-00002.zip").write_bytes(b"precious")
    book = Book(zip_sink(tmp_path, max_part_size=1000))
    await book.put({"a": os.urandom(600)})
    with pytest.raises(SettingsError, match=r"x\.part-00002\.zip exists already"):
        await book.put({"b": os.urandom(600)})
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
        assert caught.value.code == code
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


async def test_rows_of_archives_that_are_gone_are_no_obstacle(tmp_path: Path) -> None:
    """Removing from, or replacing in, an archive that the checkpoint does not know: as if it were new."""
    book = Book(zip_sink(tmp_path))
    session = await book.session()
    row = StoredRow(key("a"), "1", "a.json", "x.part-00009.zip", 1, "0" * 64)
    await session.remove([row, StoredRow(key("b"), "1", "b.json", None, 1, "0" * 64)])
    book.rows[key("a")] = row
    await book.sync({"a": b"1"})
    assert book.rows[key("a")].container == "x.zip"
    await book.leave()


async def test_a_session_leaves_no_open_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that was opened is closed, also after a failure on entering."""
    opened: list[FileIO] = []
    real = FileIO.__init__

    class Counted(FileIO):
        def __init__(self, *args: object, **kwargs: object) -> None:
            real(self, *args, **kwargs)  # type: ignore[arg-type]  # passed on
            opened.append(self)

    for module in ("zipfile64", "archive_fresh", "archive_swap"):
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
