"""The account of a run: counts that must add up, and the exit code that follows from them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from syncer.model.entries import Leg
from syncer.model.errors import EXIT_ORDER, Exit, SyncerError

#: The share of a run that works on all units of a job.
WHOLE = "0/1"


#: Beginnings of reasons to stop that nobody asked this run for: it is to be run again.
UNASKED = ("SIG", "stalled")


class Counts(msgspec.Struct):
    """Counters of a run; `listed` must equal the sum of what became of the rows (`difference`)."""

    listed: int = 0
    #: Written by at least one leg and committed.
    stored: int = 0
    unchanged: int = 0
    owed: int = 0
    filtered: int = 0
    #: Items of partitions that are frozen.
    frozen: int = 0
    #: Erased before, and left alone though they are still there (`syncer erase`).
    suppressed: int = 0
    #: Of the stored: replaced an older version.
    updated: int = 0
    deleted: int = 0
    withdrawn: int = 0
    #: Deletions found and not applied (`max_delete`).
    held: int = 0
    #: Owed items of earlier runs that were settled in this one (not part of `listed`).
    replayed: int = 0
    #: Listed, but not settled before the run stopped; they are listed again next time.
    unsettled: int = 0
    #: Bytes of the stored documents.
    bytes: int = 0
    #: Requests sent, attempts included, and how many of them were repeated or throttled.
    requests: int = 0
    retries: int = 0
    throttled: int = 0

    @property
    def difference(self) -> int:
        """Rows that vanished from the account; 0 unless there is a bug."""
        settled = self.stored + self.unchanged + self.owed + self.filtered + self.frozen
        return self.listed - settled - self.suppressed - self.unsettled

    def add(self, other: "Counts") -> None:
        """Count what another one counted, too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def reconcile(self) -> str:
        """Return the one line that must add up."""
        line = (
            f"listed {self.listed:,} = stored {self.stored:,} + unchanged {self.unchanged:,} + owed {self.owed:,}"
            f" + filtered {self.filtered:,} + frozen {self.frozen:,}"
        )
        line += f" + suppressed {self.suppressed:,}" if self.suppressed else ""
        return line + (f" + not reached {self.unsettled:,}" if self.unsettled else "")


class Problem(msgspec.Struct, frozen=True):
    """Something that kept a run from being complete, with what to do about it."""

    message: str
    code: Exit
    hint: str | None = None
    leg: Leg | None = None
    #: The platform, or the way to it, did not answer.
    away: bool = False


class Report(msgspec.Struct, frozen=True):
    """What a run did; named only from what its checkpoint holds."""

    job: str
    run: str
    started: datetime
    ended: datetime
    counts: Counts
    #: Every selected partition was listed to its end, and every leg took part.
    complete: bool
    #: Why the run stopped before its end ("--max-items", "SIGTERM"), if it did.
    stopped: str | None = None
    problems: tuple[Problem, ...] = ()
    #: All items now owed, by leg (earlier runs included).
    owed: Mapping[Leg, int] = msgspec.field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    #: What was not looked at, and when it will be.
    notes: tuple[str, ...] = ()
    #: Where the data lies, by leg.
    destinations: Mapping[Leg, str] = msgspec.field(default_factory=dict)
    #: Of the manifest of each destination that was opened, in the end.
    generations: Mapping[Leg, int] = msgspec.field(default_factory=dict)
    #: Which share of the job's units this was: "0/1" is all of them.
    share: str = WHOLE
    #: Start of the last complete listing of this share whose finished items are all stored, perhaps an earlier run's.
    fresh_until: datetime | None = None
    #: Some listing has not come to its end: it began at or after this, perhaps in an earlier run. None: all have.
    listing_since: datetime | None = None

    @property
    def away(self) -> bool:
        """Tell whether the platform did not answer."""
        return any(problem.away for problem in self.problems)

    @property
    def idle(self) -> bool:
        """Tell whether everything was looked at and nothing had to be done."""
        counts = self.counts
        moved = counts.stored + counts.owed + counts.deleted + counts.withdrawn + counts.replayed + counts.unsettled
        return self.complete and not moved

    def exit_code(self, allow_owed: int = 0) -> Exit:
        """Return the exit code that the report asks for (`model.errors.Exit`)."""
        codes = [problem.code for problem in self.problems]
        if sum(self.owed.values()) > allow_owed or self.frozen or self.counts.held:
            codes.append(Exit.OWING)
        if self.stopped is not None:
            codes.append(Exit.NOT_NOW if self.stopped.startswith(UNASKED) else Exit.STOPPED)
        if self.counts.difference:
            codes.append(Exit.BUG)
        return worst(codes)


def unbegun(job: str, started: datetime, ended: datetime, error: SyncerError) -> Report:
    """Return the report of a run that could not even begin."""
    problem = Problem(str(error), error.exit_code, error.hint)
    return Report(job, "", started, ended, Counts(), complete=False, problems=(problem,))


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the code that stands first in `EXIT_ORDER`."""
    found = set(codes)
    return next((code for code in EXIT_ORDER if code in found), Exit.DONE)
