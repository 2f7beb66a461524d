"""The runs under way, several side by side: the figures of each, how fast it goes, and when it last moved."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from syncer.model import events
from syncer.model.running import Running, running
from syncer.observe.figures import Figures, Speed
from syncer.observe.lines import seconds_left
from syncer.ports import Clock, LiveRun

#: What is no sign of progress: a run that only tries again, or only complains, does not move.
_NO_PROGRESS = (
    events.RequestEnded, events.Retrying, events.LimitChanged, events.Warned, events.ItemOwed,
    events.LegDetached, events.LegReset, events.DeletesHeld, events.PartitionFrozen,
)  # fmt: skip

#: Two of each item.
_OF_ITEMS = (events.RequestEnded, events.ItemFetched)

#: Seconds between two samples of the speed.
_SAMPLE = 0.25


class Course(msgspec.Struct):
    """One run, as far as it got."""

    running: Running
    started: datetime
    #: When it last moved, on the clock that never runs backwards.
    moved: float
    #: Signs of life when it was looked at last.
    beats: int = 0
    figures: Figures = msgspec.field(default_factory=Figures)
    speed: Speed = msgspec.field(default_factory=Speed)

    def live(self) -> LiveRun:
        """Return the same for visitors of the daemon."""
        figures, speed = self.figures, self.speed
        return LiveRun(
            self.running.run, self.started, figures.stage, figures.listed, figures.stored, figures.unchanged,
            figures.owed, figures.total, figures.size, speed.items, speed.size, seconds_left(figures, speed),
            figures.requests, figures.retries, figures.throttled,
        )  # fmt: skip


class Underway:
    """An observer that keeps the figures of every run apart.

    An event belongs to the run that the emitting code works for. Of a job only the newest run is kept, also when it
    has ended: whoever draws it may do so once more.
    """

    def __init__(self, clock: Clock) -> None:
        """Know of no run."""
        self._clock = clock
        self._courses: dict[str, Course] = {}

    def __call__(self, event: events.Event) -> None:
        """Count one event; those that belong to no run are not counted."""
        this = running()
        if isinstance(event, _OF_ITEMS) and this is not None:
            # Two of each item: what follows is too long for them.
            self._item(this, event)
            return
        if isinstance(event, events.RunStarted):
            owner = this or Running(event.job, event.run)
            self._courses[owner.job] = course = Course(owner, self._clock.now(), self._clock.monotonic())
        elif isinstance(event, events.RunEnded):
            found = self._courses.get(event.report.job)
            if found is None:
                return
            course = found
        elif this is None or (found := self._courses.get(this.job)) is None:
            return
        else:
            course = found
        course.figures.update(event)
        if isinstance(event, events.Throttled):
            # A pause that the platform asked for is no standstill.
            course.moved = max(course.moved, self._clock.monotonic() + event.pause)
        elif not isinstance(event, _NO_PROGRESS):
            course.moved = max(course.moved, self._clock.monotonic())
        if isinstance(event, events.RunStarted | events.RunEnded):
            course.speed.sample(self._clock.monotonic(), course.figures.settled, course.figures.size)

    def _item(self, this: Running, event: "events.RequestEnded | events.ItemFetched") -> None:
        course = self._courses.get(this.job)
        if course is None:
            return
        if isinstance(event, events.ItemFetched):
            course.figures.fetched()
            course.moved = max(course.moved, self._clock.monotonic())
        else:
            course.figures.requests += 1

    def courses(self) -> Sequence[Course]:
        """Return the runs that have not ended, the oldest first."""
        return sorted((each for each in self._courses.values() if not each.figures.ended), key=_age)

    def course(self, job: str) -> Course | None:
        """Return the newest run of a job, under way or ended."""
        return self._courses.get(job)

    def live(self, job: str) -> LiveRun | None:
        """Return a job's run under way for visitors of the daemon; None: it has none."""
        course = self._courses.get(job)
        if course is None or course.figures.ended:
            return None
        self.sample(course)
        return course.live()

    def idle(self, course: Course) -> float:
        """Return for how many seconds a run has not moved."""
        beats = course.running.pulse.beats
        if beats != course.beats:
            course.beats = beats
            course.moved = max(course.moved, self._clock.monotonic())
        return max(0.0, self._clock.monotonic() - course.moved)

    def longest_idle(self) -> float:
        """Return the seconds since the run that is longest at rest last moved; 0 while there is none."""
        return max(map(self.idle, self.courses()), default=0.0)

    def sample(self, course: Course) -> None:
        """Note how far a run is, for its speed; more often than is useful, nothing is noted."""
        now = self._clock.monotonic()
        if course.speed.due(now, _SAMPLE):
            course.speed.sample(now, course.figures.settled, course.figures.size)


def _age(course: Course) -> tuple[datetime, str]:
    return course.started, course.running.job
