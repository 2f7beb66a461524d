"""The account of a run while it goes on: one place that counts, one place that adds up."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from syncer.model.errors import Busy, Exit, PlatformAway, SyncerError, Unavailable
from syncer.model.refs import CONTEXT, ItemKey
from syncer.model.report import Counts, Problem

#: Returns what the network did so far: requests, repeated ones, throttled ones.
Traffic = Callable[[], tuple[int, int, int]]


class Account(msgspec.Struct):
    """Counters and problems of a run, shared by its units."""

    counts: Counts = msgspec.field(default_factory=Counts)
    problems: list[Problem] = msgspec.field(default_factory=list)
    frozen: list[str] = msgspec.field(default_factory=list)
    #: What sources want said of their passes, each once.
    notes: list[str] = msgspec.field(default_factory=list)
    #: False as soon as a selected partition was not listed to its end, or a leg did not take part.
    complete: bool = True
    #: Some listing went on from where an earlier run stood, so it began before this run.
    resumed: bool = False
    #: Another process held what was needed: a moment later it may go.
    busy: bool = False
    #: Stored items of partitions or kinds that are selected no more: kept, and said.
    unselected: int = 0
    #: Listed items that were erased and are stored nevertheless: an older copy was restored.
    again: int = 0

    #: What the network did before this run.
    before: tuple[int, int, int] = (0, 0, 0)

    def network(self, traffic: Traffic) -> None:
        """Note what the network did for this run."""
        now = traffic()
        self.counts.requests, self.counts.retries, self.counts.throttled = (
            after - before for after, before in zip(now, self.before, strict=True)
        )

    def trouble(self, error: SyncerError, *, code: Exit | None = None, leg: str | None = None) -> None:
        """Note what kept the run from being complete."""
        self.complete = False
        self.busy |= isinstance(error, Busy)
        away = leg is None and isinstance(error, Unavailable | PlatformAway)
        problem = Problem(str(error), code or error.exit_code, error.hint, leg, away)
        # A sink's failure may come twice: from the sink, and as what ended the unit that had no other.
        if _unplaced(problem) not in map(_unplaced, self.problems):
            self.problems.append(problem)

    def note(self, text: str | None) -> None:
        """Take down what a source says of its pass."""
        if text is not None and text not in self.notes:
            self.notes.append(text)


def _unplaced(problem: Problem) -> Problem:
    return replace(problem, leg=None, away=False)


def counted(key: ItemKey) -> bool:
    """Tell whether an item is a label; context documents are stored beside them and not counted."""
    return key.kind != CONTEXT
