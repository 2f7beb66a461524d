"""One event stream, many observers."""

from collections.abc import Collection, Sequence

from syncer.model.events import Emit, Event, Warned


class Hub:
    """Hands every event to every observer, in the order given; `emit` is what the other rooms are given.

    An observer that raises is detached and the others are warned, once: watching a run never breaks it.
    What is not an `Exception` (a cancellation, a crash that a test injects) passes through.
    """

    def __init__(self, observers: Sequence[Emit] = ()) -> None:
        """Take the first observers."""
        #: Each with the kinds that it is not called for.
        self._observers: tuple[tuple[Emit, Collection[type[Event]]], ...] = ()
        #: Who is called for a kind. Tuples are replaced, never changed: one may be walked through while somebody joins.
        self._called: dict[type[Event], tuple[Emit, ...]] = {}
        for observer in observers:
            self.add(observer)

    def add(self, observer: Emit, *, without: Collection[type[Event]] = ()) -> None:
        """Hand further events to this one too, but for the kinds that it has no use for."""
        self._observers = (*self._observers, (observer, without))
        self._called.clear()

    def remove(self, observer: Emit) -> None:
        """Hand it no more events; fine if it was detached already."""
        observers = list(self._observers)
        found = next((each for each in observers if each[0] == observer), None)
        if found is not None:
            observers.remove(found)
            self._observers = tuple(observers)
            self._called.clear()

    def emit(self, event: Event) -> None:
        """Hand one event on."""
        kind = type(event)
        called = self._called.get(kind)
        if called is None:
            called = self._called[kind] = tuple(each for each, without in self._observers if kind not in without)
        for observer in called:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001  # whatever an observer does wrong is reported, and stays its own
                self.remove(observer)
                name = getattr(observer, "__qualname__", type(observer).__name__)
                self.emit(Warned(f"observer {name} failed and is detached: {type(error).__name__}: {error}"))
