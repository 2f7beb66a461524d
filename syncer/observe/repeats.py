"""Says a thing once in a while instead of each time."""

import re
from collections.abc import Hashable

import msgspec

from syncer.ports import Clock

#: Seconds in which the same thing is said once.
WINDOW = 30.0
#: Different things that are remembered; the oldest is forgotten first.
REMEMBERED = 256

_NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+")


class Repeats(msgspec.Struct):
    """Decides whether something is said now, and how often it was left unsaid before."""

    clock: Clock
    window: float = WINDOW
    #: When it was last said, and how often it was not since.
    _known: dict[Hashable, tuple[float, int]] = msgspec.field(default_factory=dict)

    def admit(self, key: Hashable) -> int | None:
        """Return how often the thing was left unsaid since it was last said; None: leave it unsaid now too."""
        now = self.clock.monotonic()
        said, unsaid = self._known.get(key, (None, 0))
        if said is not None and now - said < self.window:
            self._known[key] = (said, unsaid + 1)
            return None
        self._known.pop(key, None)
        self._known[key] = (now, 0)
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return unsaid

    def drain(self) -> list[tuple[Hashable, int]]:
        """Return what was left unsaid and how often, and start afresh."""
        left = [(key, unsaid) for key, (_, unsaid) in self._known.items() if unsaid]
        self._known.clear()
        return left


def kind_of(message: str) -> str:
    """Return a message without its numbers and ids: two of the same kind count as one thing."""
    return _NUMBERS.sub("#", message)
