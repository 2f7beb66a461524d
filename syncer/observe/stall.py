"""Runs that stand still: found, named by the stage that does not move, and shown with what everything waits for."""

from collections.abc import Callable, Sequence

import msgspec

from syncer.model.running import Running
from syncer.observe.stacks import waits
from syncer.observe.underway import Course, Underway
from syncer.ports import Clock

#: A run is looked at so many times before it counts as stalled, and at least every so many seconds.
LOOKS, LONGEST = 10, 15.0


class Stall(msgspec.Struct, frozen=True):
    """A run that does not move."""

    running: Running
    #: What has to move next.
    stage: str
    #: For how many seconds it has not.
    seconds: float
    #: What tasks and threads of the process wait for (`stacks.waits`).
    waits: Sequence[str] = ()

    def __str__(self) -> str:
        """Return it in words: `fetching of highway`."""
        return f"{self.stage} of {self.running.job}"


class StallWatch:
    """Looks at the runs under way; each stall is told once, and its end too."""

    def __init__(
        self, underway: Underway, clock: Clock, after: float, tell: Callable[[Stall], None],
        over: Callable[[Running], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Take the seconds without movement that make a stall, and who is told of one and of its end."""
        self._underway = underway
        self._clock = clock
        self._after = after
        self._tell = tell
        self._over = over
        self._stalled: dict[Running, Stall] = {}

    @property
    def stalled(self) -> str | None:
        """The stage that does not move, of the run that has not for longest; None: all runs move."""
        longest = max(self._stalled.values(), key=lambda each: each.seconds, default=None)
        return None if longest is None else str(longest)

    def look(self) -> None:
        """Compare the runs under way with what was known of them."""
        courses = {course.running: course for course in self._underway.courses()}
        for running, course in courses.items():
            idle = self._underway.idle(course)
            if idle >= self._after:
                self._found(running, course, idle)
        for running in list(self._stalled):
            found = courses.get(running)
            if found is None:
                del self._stalled[running]
            elif self._underway.idle(found) < self._after:
                del self._stalled[running]
                self._over(running)

    async def watch(self) -> None:
        """Look again and again; run it in a task and cancel it."""
        while True:
            await self._clock.sleep(min(self._after / LOOKS, LONGEST))
            self.look()

    def _found(self, running: Running, course: Course, idle: float) -> None:
        known, stage = self._stalled.get(running), course.figures.stuck
        # It moved in between, unseen, if it stands still somewhere else.
        fresh = known is None or known.stage != stage
        stall = self._stalled[running] = Stall(running, stage, idle, waits() if fresh else ())
        if fresh:
            self._tell(stall)
