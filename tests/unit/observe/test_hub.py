"""One stream, many observers."""

import typing

import pytest

from syncer.model.events import OF_ITEMS, Event, ItemFetched, Warned
from syncer.model.refs import ItemKey
from syncer.observe.hub import Hub
from tests.support.happenings import EVERY


def test_every_kind_of_event_is_among_the_samples() -> None:
    """The samples that observers are tested with cover the closed union."""
    assert {type(event) for event in EVERY} == set(typing.get_args(Event))


def test_everybody_hears_everything_in_order() -> None:
    """Each observer gets each event, in the order of joining; one that left gets no more."""
    heard: list[tuple[str, Event]] = []
    hub = Hub([lambda event: heard.append(("a", event))])

    def second(event: Event) -> None:
        heard.append(("b", event))

    hub.add(second)
    hub.emit(Warned("1"))
    hub.remove(second)
    hub.remove(second)
    hub.emit(Warned("2"))
    assert heard == [("a", Warned("1")), ("b", Warned("1")), ("a", Warned("2"))]


def test_an_observer_that_fails_is_detached_and_told_about_once() -> None:
    """The run goes on, the other observers get the event and one warning; the failed one hears nothing more."""
    heard: list[Event] = []
    calls = 0

    def broken(_event: Event) -> None:
        nonlocal calls
        calls += 1
        message = "no disk"
        raise OSError(message)

    hub = Hub([broken, heard.append])
    hub.emit(Warned("first"))
    hub.emit(Warned("second"))
    assert calls == 1
    assert [type(event).__name__ for event in heard] == ["Warned"] * 3
    assert "broken failed and is detached: OSError: no disk" in str(heard[0])
    assert heard[1:] == [Warned("first"), Warned("second")]


def test_a_hub_of_failing_observers_comes_to_rest() -> None:
    """Even if the warning itself makes the next observer fail, everybody is detached and nothing is raised."""

    def broken(_event: Event) -> None:
        raise ValueError

    def worse(_event: Event) -> None:
        raise KeyError

    hub = Hub([broken, worse])
    hub.emit(Warned("x"))
    hub.emit(Warned("y"))


def test_what_is_no_exception_passes_through() -> None:
    """A cancellation, or a crash that a test injects, is not an observer's failure."""

    class Crash(BaseException):
        """Not an `Exception`."""

    def crash(_event: Event) -> None:
        raise Crash

    with pytest.raises(Crash):
        Hub([crash]).emit(Warned("x"))


def test_an_observer_is_not_called_for_kinds_that_it_has_no_use_for() -> None:
    """The others hear them all the same, and it hears the rest; also when it joins after the first of them."""
    everything: list[Event] = []
    little: list[Event] = []
    hub = Hub([everything.append])
    fetched = ItemFetched(ItemKey("annotation", "p", None, None, "1"), 8)
    hub.emit(fetched)
    hub.add(little.append, without=OF_ITEMS)
    hub.emit(fetched)
    hub.emit(Warned("x"))
    assert everything == [fetched, fetched, Warned("x")]
    assert little == [Warned("x")]
