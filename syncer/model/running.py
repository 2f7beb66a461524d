"""Which run a piece of work belongs to, and what it is about, wherever the work is done.

Several jobs run side by side in one process and share clients, limits and observers. The run is bound to the context
of its task, and tasks and threads begun inside inherit it: so an event needs no name of the job, and nobody who emits
one has to know it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import msgspec

from syncer.model.refs import Piece


class Pulse(msgspec.Struct, eq=False):
    """Counts signs of life of a run."""

    beats: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """A run under way."""

    job: str
    run: str
    pulse: Pulse = field(default_factory=Pulse, compare=False, repr=False)


_RUNNING: ContextVar[Running | None] = ContextVar("syncer_running", default=None)


_PIECE: ContextVar[Piece | None] = ContextVar("syncer_piece", default=None)


def running() -> Running | None:
    """Return the run that the calling code works for; None outside of runs."""
    return _RUNNING.get()


def beat() -> None:
    """Say that the run moves, though nothing has come to its end: part of a body, an upload or a merge is done."""
    this = _RUNNING.get()
    if this is not None:
        this.pulse.beats += 1


@contextmanager
def works_for(job: str, run: str) -> Iterator[Running]:
    """Bind what happens inside the block, and in the tasks that it begins, to a run."""
    this = Running(job, run)
    token = _RUNNING.set(this)
    try:
        yield this
    finally:
        _RUNNING.reset(token)


def piece() -> Piece | None:
    """Return the page or item that the calling code is busy with; None: with neither."""
    return _PIECE.get()


class works_on:  # noqa: N801  # a context manager, as `works_for` is; a class, because there is one for every item
    """Bind what happens inside the block, and in the tasks that it begins, to a page or an item."""

    __slots__ = ("_this", "_token")

    def __init__(self, this: Piece | None) -> None:
        """Take what the block is busy with."""
        self._this = this

    def __enter__(self) -> None:
        self._token = _PIECE.set(self._this)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        _PIECE.reset(self._token)
