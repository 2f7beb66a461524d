"""Remembers every scene of a pass in sixteen bytes, so that a repeated one is noticed in a listing of any length."""

from array import array

#: Slots to begin with; a power of two.
START = 1024
#: Share of the slots in use above which the table grows.
FULL = 0.6
_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Seen:
    """An open-addressed table from the digest of a name to a number."""

    def __init__(self) -> None:
        """Begin empty."""
        self._digests = array("Q", bytes(8 * START))
        self._numbers = array("d", bytes(8 * START))
        self.count = 0

    def note(self, name: str, number: float) -> float | None:
        """Note a name with its number; return the one that it had, None if it is new."""
        if self.count >= FULL * len(self._digests):
            self._grow()
        place, there = self._find(hash(name) & _MASK or 1)
        before = self._numbers[place] if there else None
        self._digests[place] = hash(name) & _MASK or 1
        self._numbers[place] = number
        self.count += not there
        return before

    def last(self, name: str) -> float | None:
        """Return the number that a name was noted with last; None if it was not."""
        place, there = self._find(hash(name) & _MASK or 1)
        return self._numbers[place] if there else None

    def __contains__(self, name: str) -> bool:
        return self._find(hash(name) & _MASK or 1)[1]

    def _find(self, digest: int) -> tuple[int, bool]:
        mask = len(self._digests) - 1
        place = digest & mask
        while self._digests[place] not in {0, digest}:
            place = (place + 1) & mask
        return place, self._digests[place] == digest

    def _grow(self) -> None:
        old = zip(self._digests, self._numbers, strict=True)
        self._digests = array("Q", bytes(16 * len(self._digests)))
        self._numbers = array("d", bytes(16 * len(self._numbers)))
        for digest, number in old:
            if digest:
                place, _ = self._find(digest)
                self._digests[place], self._numbers[place] = digest, number
