"""Saying a thing once in a while."""

from syncer.observe.repeats import REMEMBERED, WINDOW, Repeats, kind_of
from tests.support.clock import InstantClock


async def test_a_thing_is_said_once_a_window_with_a_count() -> None:
    """The first is said, the next are counted, and the count comes with the one after the window."""
    clock = InstantClock()
    repeats = Repeats(clock)
    assert [repeats.admit("x") for _ in range(4)] == [0, None, None, None]
    assert repeats.admit("y") == 0
    await clock.sleep(WINDOW)
    assert repeats.admit("x") == 3
    assert repeats.admit("x") is None


def test_what_was_left_unsaid_is_returned_at_the_end() -> None:
    """Draining names what was never said again, and starts afresh."""
    repeats = Repeats(InstantClock())
    for key in ("x", "x", "y"):
        repeats.admit(key)
    assert repeats.drain() == [("x", 1)]
    assert repeats.admit("x") == 0


def test_memory_is_bounded() -> None:
    """The oldest thing is forgotten when there are too many."""
    repeats = Repeats(InstantClock())
    for number in range(REMEMBERED + 1):
        repeats.admit(number)
    assert repeats.admit(0) == 0
    assert repeats.admit(REMEMBERED) is None


def test_numbers_do_not_make_another_kind() -> None:
    """Two messages that differ in numbers or digests are of one kind."""
    assert kind_of("item 12 of page 3 (1f2e3d4c5b)") == kind_of("item 7 of page 40 (aabbccddee)")
    assert kind_of("disk full") != kind_of("disk slow")
