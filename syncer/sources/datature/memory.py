"""What a listing remembers of every asset: five bytes for its name, three for its state, ten characters in all.

Assets that look as they did are not asked for their annotations again. There is neither a feed of changes nor one of
deletions, so this is what a later pass has instead of one request an asset.
"""

import base64
import binascii
import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable

#: Most assets that are remembered: two megabytes in a cursor. Beyond that, times alone decide.
MOST = 200_000

_STATE = 24


class Memory:
    """States of assets by their names, as digests: 40 bits of the name, 24 of the state, in 8 bytes an asset."""

    def __init__(self, marks: Iterable[int] = ()) -> None:
        """Take sorted marks."""
        self._old = array("Q", marks)
        self._new: dict[int, int] = {}

    @classmethod
    def read(cls, text: str) -> "Memory":
        """Read what `text` wrote; anything else is forgotten."""
        marks = array("Q")
        try:
            marks.frombytes(base64.b85decode(text))
        except (ValueError, binascii.Error):
            return cls()
        return cls(marks)

    @property
    def full(self) -> bool:
        """Whether there may have been more assets than are remembered."""
        return len(self._old) >= MOST

    def knows(self, asset: str, state: str) -> bool | None:
        """Tell whether an asset looks as it did when it was noted; None if it is not known."""
        name = _name(asset)
        place = bisect_left(self._old, name << _STATE)
        if place == len(self._old) or self._old[place] >> _STATE != name:
            return None
        return self._old[place] & ((1 << _STATE) - 1) == _state(state)

    def note(self, asset: str, state: str) -> None:
        """Remember an asset for the next pass; an empty state looks like none, so that it is looked at again."""
        if len(self._new) < MOST:
            self._new[_name(asset)] = _state(state) if state else 0

    def text(self) -> str:
        """Return what the next pass should know: what was noted, and of the rest what was known before."""
        merged = {mark >> _STATE: mark & ((1 << _STATE) - 1) for mark in self._old} | self._new
        marks = array("Q", sorted((name << _STATE) | state for name, state in merged.items())[:MOST])
        return base64.b85encode(marks.tobytes()).decode()

    def noted(self) -> str:
        """Return only what was noted: after a pass that saw everything."""
        marks = array("Q", sorted((name << _STATE) | state for name, state in self._new.items()))
        return base64.b85encode(marks.tobytes()).decode()


def _name(asset: str) -> int:
    return int.from_bytes(hashlib.blake2b(asset.encode(), digest_size=5).digest(), "big")


def _state(state: str) -> int:
    # Never 0, which stands for "look again".
    return int.from_bytes(hashlib.blake2b(state.encode(), digest_size=3).digest(), "big") or 1
