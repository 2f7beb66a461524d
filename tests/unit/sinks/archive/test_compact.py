"""Compaction: dead entries out, small parts together, nothing lost on the way."""

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from syncer.model.entries import Container, Seal, StoredRow
from syncer.model.errors import DestinationChanged
from syncer.sinks.archive.compact import plan
from tests.support.archives import Book, Died, accepted_by_all, folder_bytes, zip_sink
from tests.support.stored import key, stored


def container(name: str, size: int, live: int = 10, dead: int = 0) -> Container:
    """Return a published archive."""
    return Container(name, "tag", size, "0" * 64, live, dead)


async def compact(book: Book, *, batch: int = 4, share: float = 0.3) -> int:
    """Compact as the engine does: rows by, commits in between; not yet published."""
    session = await book.session()

    async def rows() -> AsyncIterator[Sequence[StoredRow]]:
        everything = list(book.rows.values())
        for start in range(0, len(everything), batch):
            yield everything[start : start + batch]

    async def commit(seal: Seal) -> None:
        book.rows.update({receipt.key: stored(receipt) for receipt in seal.receipts})
        book.resume = seal.resume

    return await session.compact(rows(), commit, share=share)


def test_a_plan_squeezes_what_is_dead_enough() -> None:
    """From the given share of dead entries on."""
    containers = [container("x.zip", 1000, 70, 30), container("x.part-00002.zip", 1000, 71, 29)]
    assert plan(containers, 1000) == plan(containers, 1000, merge=False)
    assert plan(containers, 1000).squeeze == {"x.zip"}
    assert plan(containers, 1000, share=0.0).squeeze == {"x.zip", "x.part-00002.zip"}
    assert plan([container("x.zip", 1000)], 1000, share=0.0).squeeze == frozenset()


def test_a_plan_merges_small_parts_into_the_one_before_that_has_room() -> None:
    """Counted by what is alive in them, never over the limit, never over stems."""
    containers = [
        container("x.part-00004.zip", 100),
        container("x.zip", 700),
        container("x.part-00002.zip", 400, 10, 10),
        container("x.part-00003.zip", 200),
        container("y.zip", 10),
    ]
    chosen = plan(containers, 1000, share=0.9)
    assert chosen.moves == {"x.part-00002.zip": "x.zip", "x.part-00004.zip": "x.part-00003.zip"}
    assert chosen.squeeze == {"x.part-00002.zip", "x.zip", "x.part-00004.zip", "x.part-00003.zip"}
    assert plan(containers, 1000, merge=False, share=0.9).moves == {}


async def appended(folder: Path, rounds: int = 5) -> Book:
    """Return an `append` destination with a part a round, in which most entries are dead."""
    book = Book(zip_sink(folder, mode="append"))
    for number in range(rounds):
        await book.sync({f"item-{item}": b"round %d of %d" % (number, item) for item in range(number, 8)})
    return book


async def test_rule_7_compaction_keeps_every_live_entry_once(tmp_path: Path) -> None:
    """Small parts go into the first, dead entries go, and every tool accepts what is left."""
    book = await appended(tmp_path)
    before = {row.path: (row.version, row.sha256) for row in book.rows.values()}
    documents = {name: bodies[-1] for name, bodies in book.stored_documents(tmp_path).items()}
    assert len(book.containers) == 5
    assert await compact(book) > 0
    published = await book.publish()
    assert published is not None
    assert list(folder_bytes(tmp_path)) == ["x.zip"]
    assert len(published.dropped) == 4
    assert {row.path: (row.version, row.sha256) for row in book.rows.values()} == before
    assert {row.container for row in book.rows.values()} == {"x.zip"}
    assert book.stored_documents(tmp_path) == {name: [body] for name, body in documents.items()}
    assert (published.containers[0].live, published.containers[0].dead) == (8, 0)
    accepted_by_all(tmp_path / "x.zip")
    await book.sync({"item-1": b"goes on"})
    await book.leave()


async def test_compaction_of_delta_archives_squeezes_and_never_merges(tmp_path: Path) -> None:
    """Each run's changes stay apart; a run of which nothing is current any more has an empty archive."""
    book = Book(zip_sink(tmp_path, mode="delta"))
    await book.sync({"a": b"1", "b": b"2"})
    await book.leave()
    await book.sync({"a": b"3"})
    assert await compact(book) == 1
    await book.publish()
    found = book.stored_documents(tmp_path)
    assert found == {"a.json": [b"3"], "b.json": [b"2"]}
    assert sorted(book.containers) == ["x.000001.zip", "x.000002.zip"]
    await book.leave()


async def test_nothing_to_compact_changes_nothing(tmp_path: Path) -> None:
    """A destination in good order stays as it is, to the byte."""
    book = Book(zip_sink(tmp_path))
    await book.sync({f"item-{number}": os.urandom(100) for number in range(5)})
    before = folder_bytes(tmp_path)
    assert await compact(book) == 0
    assert await book.publish() is None
    assert folder_bytes(tmp_path) == before
    await book.leave()


async def test_a_compaction_that_dies_on_the_way_loses_nothing(tmp_path: Path) -> None:
    """Between two commits, and at each step of its publish: the next run finishes, readers always find every item."""
    for number, step in enumerate(["moving", "staged", "recorded", "swapped", "published"]):
        folder = tmp_path / str(number)
        book = await appended(folder)
        documents = {name: bodies[-1] for name, bodies in book.stored_documents(folder).items()}
        if step == "moving":
            session = await book.session()

            async def rows(book: Book = book) -> AsyncIterator[Sequence[StoredRow]]:
                yield list(book.rows.values())[:5]
                raise Died

            async def commit(seal: Seal, book: Book = book) -> None:
                book.rows.update({receipt.key: stored(receipt) for receipt in seal.receipts})
                book.resume = seal.resume

            with pytest.raises(Died):
                await session.compact(rows(), commit)
        else:
            await compact(book)
            with pytest.raises(Died):
                await book.publish(die_after=step)
        await book.crash()
        await book.session()
        await book.publish()
        found = book.stored_documents(folder)
        assert book.lost == 0
        for row in book.rows.values():
            assert documents[row.path] in found[row.path]
        await compact(book)
        await book.publish()
        assert book.stored_documents(folder) == {name: [body] for name, body in documents.items()}
        await book.leave()


async def test_an_entry_that_is_not_where_its_row_says_stops_the_compaction(tmp_path: Path) -> None:
    """It is never taken for dead."""
    book = await appended(tmp_path)
    row = book.rows[key("item-7")]
    book.rows[key("ghost")] = StoredRow(key("ghost"), "1", "ghost.json", row.container, 1, "0" * 64)
    with pytest.raises(DestinationChanged, match=r"does not hold 'ghost\.json'"):
        await compact(book)
    await book.leave()


async def test_compaction_comes_after_publishing(tmp_path: Path) -> None:
    """What waits to be published has no place in a published archive yet."""
    book = Book(zip_sink(tmp_path))
    await book.put({"a": b"1"})
    with pytest.raises(RuntimeError, match="publish"):
        await compact(book)
    await book.leave()
