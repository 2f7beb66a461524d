"""Packing ahead: order, what other threads do, and what is left when it ends early."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.model.entries import Content, Entry
from syncer.model.refs import ItemKey
from syncer.sinks.archive import packing
from syncer.sinks.archive.packing import AHEAD, LARGE, packed
from syncer.sinks.zip64.deflate import Packed, pack


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let two threads pack, whatever the machine has."""
    monkeypatch.setattr(packing, "cores", lambda: 2)
    packing._hands.cache_clear()  # threads that were made for another number
    yield
    packing._hands().shutdown()
    packing._hands.cache_clear()


def entries(*sizes: int) -> list[Entry]:
    """Return entries of such sizes."""
    return [
        Entry(ItemKey("annotation", "p", None, None, str(number)), "1", f"{number}.json", Content(bytes(size)))
        for number, size in enumerate(sizes)
    ]


def sizes_of(wanted: Entry) -> Packed:
    """Pack an entry."""
    assert isinstance(wanted.body, bytes)
    return pack(wanted.body)


def test_large_and_small_ones_come_in_their_order() -> None:
    """What each becomes is what it would become alone."""
    mixed = entries(10, LARGE, LARGE + 7, 0, LARGE * 3, 5, AHEAD + 1, LARGE)
    assert list(packed(sizes_of, mixed)) == [sizes_of(each) for each in mixed]


def test_two_large_ones_are_packed_at_once() -> None:
    """Each waits for the other here, and neither for the thread that asked."""
    both, asked = threading.Barrier(2), threading.get_ident()

    def meet(entry: Entry) -> Packed:
        both.wait(timeout=30)
        assert threading.get_ident() != asked
        return sizes_of(entry)

    assert len(list(packed(meet, entries(LARGE, LARGE)))) == 2


@pytest.mark.parametrize("sizes", [(10, 20, 30), (LARGE, 10)])
def test_what_has_no_company_stays_in_its_thread(sizes: tuple[int, ...]) -> None:
    """A thread more costs more than it brings there."""
    seen: set[int] = set()

    def note(entry: Entry) -> Packed:
        seen.add(threading.get_ident())
        return sizes_of(entry)

    assert len(list(packed(note, entries(*sizes)))) == len(sizes)
    assert seen == {threading.get_ident()}


def test_no_more_is_packed_ahead_than_memory_is_for() -> None:
    """Until the first one is taken, the others wait beyond the bound."""
    begun: list[str] = []

    def note(entry: Entry) -> Packed:
        begun.append(entry.path)
        return sizes_of(entry)

    made = packed(note, entries(*[AHEAD // 4] * 40))
    next(made)
    made.close()
    packing._hands().shutdown()
    assert len(begun) <= 5


def test_the_digest_is_made_with_it() -> None:
    """Its receipt needs it, and the thread that appends has enough to do."""
    two = entries(LARGE, LARGE)
    list(packed(sizes_of, two))
    assert all(each.content._sha256 for each in two)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_when_one_fails_files_of_the_others_are_closed(number: int, tmp_path: Path) -> None:
    """Its error comes in its place; nothing stays open that nobody will take."""
    opened, bad = [], entries(*[LARGE] * 6)

    def file(entry: Entry) -> Packed:
        if entry is bad[number]:
            raise OSError(28, "No space left on device")
        stream = (tmp_path / entry.path).open("w+b")
        opened.append(stream)
        return Packed(0, 0, entry.size, 0, stream)

    made = packed(file, bad)
    for _ in range(number):
        with next(made).payload as taken:  # type: ignore[union-attr]  # this one packs into files
            opened.remove(taken)
    with pytest.raises(OSError, match="No space left"):
        next(made)
    packing._hands().shutdown()
    assert all(stream.closed for stream in opened)
