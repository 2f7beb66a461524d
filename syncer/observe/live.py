"""How far runs under way are, each by itself: what a status page shows of them."""

from dataclasses import dataclass, field
from datetime import datetime

from syncer.model import events
from syncer.model.running import Running, running
from syncer.observe.figures import Figures, Speed
from syncer.observe.lines import seconds_left
from syncer.ports import Clock, LiveRun

#: What moves a run from one stage to the next.
_STAGES: dict[type[events.Event], str] = {
    events.RunStarted: "starting",
    events.UnitStarted: "listing",
    events.PageListed: "listing",
    events.ItemFetched: "fetching",
    events.Written: "writing",
    events.Committed: "committing",
    events.Staged: "publishing",
    events.PublishedLeg: "publishing",
    events.SegmentSent: "publishing",
    events.HeadMoved: "publishing",
    events.Draining: "stopping",
}


@dataclass(slots=True)
class _Course:
    started: datetime
    figures: Figures = field(default_factory=Figures)
    speed: Speed = field(default_factory=Speed)
    stage: str = "starting"


class Live:
    """An observer that follows all runs of a process; each look takes constant time."""

    def __init__(self, clock: Clock) -> None:
        """Follow nothing yet."""
        self._clock = clock
        self._courses: dict[Running, _Course] = {}

    def __call__(self, event: events.Event) -> None:
        """Follow one event; those that belong to no run concern nobody here."""
        this = running()
        if this is None:
            return
        if isinstance(event, events.RunEnded):
            self._courses.pop(this, None)
            return
        course = self._courses.get(this)
        if course is None:
            course = self._courses[this] = _Course(self._clock.now())
        course.figures.update(event)
        course.stage = _STAGES.get(type(event), course.stage)

    def run(self, job: str) -> LiveRun | None:
        """Return how far the run of a job is; None if it does not run."""
        found = next(((this, course) for this, course in self._courses.items() if this.job == job), None)
        if found is None:
            return None
        this, course = found
        figures, speed = course.figures, course.speed
        speed.sample(self._clock.monotonic(), figures.settled, figures.size)
        return LiveRun(
            run=this.run, started=course.started, stage=course.stage, listed=figures.listed, stored=figures.stored,
            unchanged=figures.unchanged, owed=figures.owed, total=figures.total, bytes=figures.size,
            items_per_second=speed.items, bytes_per_second=speed.size, eta=seconds_left(figures, speed),
            requests=figures.requests, retries=figures.retries, throttled=figures.throttled,
        )  # fmt: skip
