"""One job under a schedule: what is known of it while the daemon lives."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from syncer.schedule.due import After, Due, Past, Schedule, Single, due, first_past
from syncer.schedule.memory import Memory
from syncer.schedule.turns import Waiting


class Plan(msgspec.Struct):
    """A job and its turns."""

    job: str
    platform: str
    schedule: Schedule | None
    #: The turns as seen now, and as far as their runs are over: an interrupted run is due again after a restart.
    past: Past
    kept: Past
    paused: bool = False
    #: Since when it waits for its turn to begin, by a clock that never runs backwards, and why it is to run.
    waiting: float | None = None
    why: str = ""
    running: bool = False
    #: Something asked for a run while one was under way.
    again: str = ""
    #: Calendar turns that passed while it waited or ran for an earlier one.
    overlapped: int = 0
    next: datetime | None = None
    #: When it has to run whatever its schedule says: something waits to be published.
    later: datetime | None = None
    _answered: tuple[Schedule, Past, datetime] | None = None

    @property
    def memory(self) -> Memory:
        """Return what is to be remembered."""
        return Memory(self.kept, self.paused)

    def queued(self) -> Waiting | None:
        """Return the job as one that waits, if it does and may run."""
        if self.waiting is None or self.running or self.paused:
            return None
        return Waiting(self.job, self.platform, self.waiting)

    def wakes(self) -> datetime | None:
        """Return the next moment at which `look` finds something new."""
        free = not self.running and not self.paused and self.waiting is None
        moments = [self.next, self.later if free else None]
        return min((moment for moment in moments if moment is not None), default=None)

    def ask(self, why: str, now: float) -> bool:
        """Have it run as soon as it may; False if it runs, waits or is paused."""
        if self.running or self.paused or self.waiting is not None:
            return False
        self.waiting, self.why = now, why
        return True

    def look(self, now: datetime, monotonic: float) -> Due:
        """Compare the schedule with the clock, and note what follows from it; the answer says what passed by."""
        if self.later is not None and self.later <= now and self.ask("publish", monotonic):
            self.later = None
        if self.schedule is None:
            return Due()
        if self._known(now):
            return Due(next=self.next)
        found = due(self.schedule, now, self.past, self.job)
        self.next, self._answered = found.next, (self.schedule, self.past, now)
        if self.running and not isinstance(self.schedule.kind, After):
            return self._beside(found)
        if found.turn is not None and not self.running:
            self.past = replace(self.past, last=found.turn)
            if self.waiting is not None and found.passed is not None:
                self.overlapped += 1
            if not self.paused and self.waiting is None:
                self.waiting, self.why = monotonic, "schedule"
        elif found.passed is not None:
            self.past = replace(self.past, last=found.passed)
        return found

    def _known(self, now: datetime) -> bool:
        """Tell whether the last answer still holds: nothing changed, and its moment has not come."""
        if self._answered is None or self.next is None:
            return False
        schedule, past, at = self._answered
        return schedule is self.schedule and past is self.past and at <= now < self.next

    def _beside(self, found: Due) -> Due:
        """A turn comes while the job runs: those of a calendar are passed over, a distance is only put off."""
        if found.passed is None:
            return Due(next=found.next)
        self.past = replace(self.past, last=found.passed)
        self.overlapped += found.missed + (found.turn is not None)
        return Due(next=found.next)


def begin(job: str, platform: str, schedule: Schedule | None, memory: Memory, now: datetime) -> Plan:
    """Return a job as the daemon finds it at its start."""
    past = memory.past or (Past(now) if schedule is None else first_past(schedule, now))
    this = Plan(job, platform, schedule, past, past, memory.paused)
    if schedule is not None and schedule.kind == Single(None):
        this.ask("start", 0.0)
    return this
