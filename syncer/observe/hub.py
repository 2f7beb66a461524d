"""One event stream, many observers."""

from collections.abc import Sequence

from syncer.model.events import Emit, Event, Warned


class Hub:
    """Hands every event to every observer, in the order given; `emit` is what the other rooms are given.

    An observer that raises is detached and the others are warned, once: watching a run never breaks it.
    What is not an `Exception` (a cancellation, a crash that a test injects) passes through.
    """

    def __init__(self, observers: Sequence[Emit] = ()) -> None:
        """Take the first observers."""
        #: Replaced, never changed: an observer may join or leave while an event is handed on.
        self._observers: tuple[Emit, ...] = tuple(observers)

    def add(self, observer: Emit) -> None:
        """Hand further events to this one too."""
        self._observers = (*self._observers, observer)

    def remove(self, observer: Emit) -> None:
        """Hand it no more events; fine if it was detached already."""
        observers = list(self._observers)
        if observer in observers:
            observers.remove(observer)
            self._observers = tuple(observers)

    def emit(self, event: Event) -> None:
        """Hand one event on."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001  # whatever an observer does wrong is reported, and stays its own
                self.remove(observer)
                name = getattr(observer, "__qualname__", type(observer).__name__)
                self.emit(Warned(f"observer {name} failed and is detached: {type(error).__name__}: {error}"))
