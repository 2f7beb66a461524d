"""One unit of archives open for writing: what a reader sees, and when."""

from pathlib import Path

import pytest

from syncer.model.errors import DestinationChanged
from tests.support.archives import (
    Book,
    accepted_by_all,
    documents,
    names,
    raw_payloads,
    spooled,
    zip_sink,
)
from tests.support.stored import key

OLD = {f"item-{number}": b'{"version": 1, "number": %d}' % number * 9 for number in range(12)}


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
