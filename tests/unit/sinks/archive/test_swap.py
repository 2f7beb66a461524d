"""Staging and publishing archives: a death between any two system calls changes nothing in the end."""

import itertools
import json
import os
import pathlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncer.model.errors import DestinationChanged, SettingsError
from syncer.sinks.archive.swap import Swap, decode_swaps, encode_swaps
from tests.support.archives import Book, Died, folder_bytes, zip_sink
from tests.support.stored import key

SEEN = {f"item-{number}": b'{"version": 1, "number": %d}' % number * 9 for number in range(6)}
#: What is true upstream in the end: one changed, one gone, one new, and one more part.
WANTED = {
    **{item: body for item, body in SEEN.items() if item != "item-5"},
    "item-2": b"newer",
    "new": bytes(range(256)) * 3,
}

#: System calls that write something, where they are looked up.
CALLS = (
    (os, "pwrite"), (os, "fsync"), (os, "fdatasync"), (os, "replace"), (os, "unlink"), (os, "utime"),
    (pathlib.Path, "unlink"),
)  # fmt: skip


@contextmanager
def dying_at(count: int, monkeypatch: pytest.MonkeyPatch, *, torn: bool) -> Iterator[list[str]]:
    """Let the process die instead of its `count`-th writing call; with `torn`, half of a write still happens."""
    made: list[str] = []
    with monkeypatch.context() as patch:
        for place, name in CALLS:
            real = getattr(place, name)

            def call(*args: Any, _real: Any = real, _name: str = name, **kwargs: Any) -> Any:
                made.append(_name)
                if len(made) <= count:
                    return _real(*args, **kwargs)
                if torn and _name == "pwrite" and len(made) == count + 1:
                    _real(args[0], bytes(args[1])[: len(args[1]) // 2], *args[2:])
                raise Died(_name)

            patch.setattr(place, name, call)
        yield made


async def bring_about(book: Book, documents: dict[str, bytes]) -> None:
    """Do what a run does: write what differs, remove what is gone, publish."""
    await book.session()
    held = {row.key.item: row.size for row in book.rows.values()}
    await book.put({item: body for item, body in documents.items() if held.get(item) != len(body)})
    await book.commit()
    await book.remove([item for item in held if item not in documents])
    await book.commit()
    await book.publish()


def expected(folder: Path, book: Book) -> None:
    """Check that the destination holds exactly what is wanted, and nothing beside it."""
    assert book.stored_documents(folder) == {f"{item}.json": [body] for item, body in WANTED.items()}
    assert set(folder_bytes(folder)) == set(book.containers)
    assert book.lost == 0


@pytest.mark.parametrize("torn", [False, True])
async def test_rule_7_swaps_roll_forward_from_a_death_at_any_system_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    """For every n: die at the n-th writing call of a run, start again, and the archives hold the same set."""
    for count in itertools.count():
        folder = tmp_path / str(count)
        # Room for the first five: the update stays in part one, what is new goes to part three.
        book = Book(zip_sink(folder, durability="batch", max_part_size=1100))
        await book.sync(SEEN)
        await book.leave()
        died = True
        with dying_at(count, monkeypatch, torn=torn) as made:
            try:
                await bring_about(book, WANTED)
                died = False
            except Died:
                pass
            finally:
                await book.crash()
        if not died:
            break
        await bring_about(book, WANTED)
        await book.leave()
        expected(folder, book)
    assert set(made) >= {"pwrite", "fsync", "fdatasync", "replace", "unlink"}
    assert count > 20
    # All three kinds of swap took part: the second part held only what is gone, and was dropped.
    assert sorted(book.containers) == ["x.part-00003.zip", "x.zip"]


async def test_rule_10_a_first_archive_has_the_same_bytes_wherever_its_writer_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of the first publish, undisturbed and with a death at every call: one and the same archive."""
    first: dict[str, bytes] = {}
    for count in itertools.count():
        folder = tmp_path / str(count)
        book = Book(zip_sink(folder, durability="batch"))
        with dying_at(count, monkeypatch, torn=True):
            try:
                for item, body in SEEN.items():
                    await book.put({item: body})
                    await book.commit()
                await book.publish()
                died = False
            except Died:
                died = True
            finally:
                await book.crash()
        await book.session()
        for item, body in SEEN.items():
            if key(item) not in book.rows:
                await book.put({item: body})
                await book.commit()
        await book.publish()
        await book.leave()
        found = folder_bytes(folder)
        assert list(found) == ["x.zip"]
        first = first or found
        assert found == first, count
        if not died:
            break
    assert count > 20


@pytest.mark.parametrize("step", ["staged", "recorded", "swapped", "published"])
async def test_a_run_that_dies_between_two_steps_of_a_publish_is_finished_by_the_next(
    tmp_path: Path, step: str
) -> None:
    """The first archive, a successor, another part: each from each point."""
    book = Book(zip_sink(tmp_path, max_part_size=1100))
    for wanted in (SEEN, WANTED):
        await book.put(wanted)
        await book.commit()
        await book.remove([row.key.item for row in book.rows.values() if row.key.item not in wanted])
        await book.commit()
        with pytest.raises(Died):
            await book.publish(die_after=step)
        await book.crash()
        await book.session()
        await book.publish()
    expected(tmp_path, book)
    await book.leave()


async def test_carrying_out_a_list_twice_is_harmless(tmp_path: Path) -> None:
    """In the same session, after settling, and in another session."""
    book = Book(zip_sink(tmp_path))
    await book.sync(SEEN)
    await book.put({"item-2": b"newer"})
    await book.commit()
    session = await book.session()
    swaps = await session.stage()
    assert swaps is not None
    once = await session.publish(swaps)
    assert await session.publish(swaps) == once
    await session.settle()
    again = await session.publish(swaps)
    assert (again.containers, again.dropped) == (once.containers, once.dropped)
    await book.leave()
    async with book.sink.session(book.unit, 5, book.resume, list(book.containers.values()), swaps) as other:
        assert await other.publish(swaps) == once
        await other.settle()


@pytest.mark.parametrize("what", ["the staged file", "the staged file, cut short"])
async def test_a_staged_file_that_is_gone_is_built_again(tmp_path: Path, what: str) -> None:
    """The sealed changes are still there, and the same content gives the same archive."""
    book = Book(zip_sink(tmp_path))
    await book.sync(SEEN)
    await book.put({"item-2": b"newer"})
    await book.commit()
    with pytest.raises(Died):
        await book.publish(die_after="recorded")
    await book.crash()
    if "cut" in what:
        os.truncate(tmp_path / "x.zip.next", 100)
    else:
        (tmp_path / "x.zip.next").unlink()
    await book.session()
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read("item-2.json") == b"newer"
    await book.leave()


async def test_what_is_neither_old_nor_new_is_somebody_elses(tmp_path: Path) -> None:
    """Rolling forward over a changed archive stops, and leaves it as it is."""
    book = Book(zip_sink(tmp_path))
    await book.sync(SEEN)
    await book.put({"item-2": b"newer"})
    await book.commit()
    with pytest.raises(Died):
        await book.publish(die_after="recorded")
    await book.crash()
    (tmp_path / "x.zip").write_bytes(b"somebody else's")
    with pytest.raises(DestinationChanged, match=r"x\.zip is not what was published: it was replaced"):
        await book.session()
    (tmp_path / "x.zip").unlink()
    with pytest.raises(DestinationChanged, match="it is missing"):
        await book.session()


async def test_a_part_to_be_dropped_that_was_replaced_stays(tmp_path: Path) -> None:
    """Nothing that others wrote is deleted."""
    book = Book(zip_sink(tmp_path, max_part_size=700))
    await book.sync(SEEN)
    part = max(book.containers)
    await book.remove([row.key.item for row in book.rows.values() if row.container == part])
    await book.commit()
    with pytest.raises(Died):
        await book.publish(die_after="recorded")
    await book.crash()
    (tmp_path / part).write_bytes(b"somebody else's")
    with pytest.raises(DestinationChanged):
        await book.session()
    assert (tmp_path / part).read_bytes() == b"somebody else's"


async def test_a_successor_of_equal_size_has_another_tag(tmp_path: Path) -> None:
    """However fast it is built: a tag is size and time, and it has to differ."""
    book = Book(zip_sink(tmp_path))
    tags = set()
    for number in range(5):
        await book.sync({"a": b"%d" % number})
        tags.add(book.containers["x.zip"].tag)
    assert len(tags) == 5
    assert len({tag.partition("-")[0] for tag in tags}) == 1
    await book.leave()


def test_parts_that_receive_are_published_before_those_that_give(tmp_path: Path) -> None:
    """The list is kept in the order in which it is carried out, and comes back as it was."""
    swaps = (Swap("x.part-00002.zip", "x.part-00002.zip.next", None, "0" * 64, 5, 1, 0),
             Swap("x.zip", None, "5-1", "", 0, 0, 0, drop=True))  # fmt: skip
    assert decode_swaps(encode_swaps(swaps)) == swaps


OUTSIDE = {
    "name": "../x.zip", "temp": None, "old_tag": None, "sha256": "", "size": 0, "live": 0, "dead": 0, "drop": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"format":2,"swaps":[]}',
        b'{"format":1,"swaps":[{"name":"x.zip"}]}',
        json.dumps({"format": 1, "swaps": [OUTSIDE]}).encode(),
    ],
)
def test_a_list_that_can_not_be_read_is_refused(text: bytes) -> None:
    """Of a newer version, damaged, or with a name that leads out: never guessed, never carried out in part."""
    with pytest.raises(SettingsError):
        decode_swaps(text)
