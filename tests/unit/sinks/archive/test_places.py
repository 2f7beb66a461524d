"""Which archive an entry goes to."""

import os
from pathlib import Path

import pytest

from syncer.model.entries import StoredRow
from syncer.model.errors import SettingsError
from tests.support.archives import (
    Book,
    documents,
    folder_bytes,
    names,
    zip_sink,
)
from tests.support.stored import key, partition

OLD = {f"item-{number}": b'{"version": 1, "number": %d}' % number * 9 for number in range(12)}


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
