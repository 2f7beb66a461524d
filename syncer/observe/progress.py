"""Progress while runs go on: live lines on a terminal, else plain lines every few seconds; one for each run."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from syncer.model.events import Event, RunEnded
from syncer.observe.lines import fields, line
from syncer.observe.underway import Course, Underway
from syncer.ports import Clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

#: How progress is shown, once decided.
Style = Literal["rich", "plain", "none"]

#: Where a plain line goes: the words, and the same as fields.
Say = Callable[[str, Mapping[str, object]], None]

#: Seconds between two looks: a live line follows the eye, plain lines fill a log.
PERIOD: Mapping[str, float] = {"rich": 0.25, "plain": 5.0}


class Progress:
    """An observer that shows how far the runs are. Enter it, and let `watch` run beside the work.

    Updates only count; drawing happens in `watch`, so a hundred thousand events cost a hundred thousand additions.
    """

    def __init__(
        self, style: Style, clock: Clock, say: Say, console: "Console | None" = None, *,
        underway: Underway | None = None, last: bool = True,
    ) -> None:  # fmt: skip
        """Take the style, where plain lines go, and the terminal (by default standard error) of the live lines.

        Args:
            style: How progress is shown.
            clock: Says when it is time for the next look.
            say: Takes plain lines.
            console: The terminal of live lines.
            underway: Counts what is shown, where somebody else hands it the events; else this observer does.
            last: A run that ended has a plain line too; False where the log has one with all its numbers.
        """
        self._style = style
        self._clock = clock
        self._say = say
        self._own = underway is None
        self._underway = underway or Underway(clock)
        self._last = last
        self._live: Live | None = None
        if style == "rich":
            from syncer.observe.live import drawn  # noqa: PLC0415  # loads rich, which only a terminal needs

            self._live = drawn(self._underway, console)

    def __call__(self, event: Event) -> None:
        """Count one event; the end of a run is shown at once."""
        if self._own:
            self._underway(event)
        if isinstance(event, RunEnded):
            ended = self._underway.course(event.report.job)
            if self._live is not None:
                self._live.refresh()
            elif ended is not None and self._last:
                self._tell(ended)

    def show(self) -> None:
        """Draw or say the present figures."""
        if self._live is not None:
            self._live.refresh()
            return
        for course in self._underway.courses():
            self._tell(course)

    async def watch(self) -> None:
        """Show the figures again and again; run it in a task and cancel it."""
        period = PERIOD.get(self._style)
        while period is not None:
            await self._clock.sleep(period)
            self.show()

    def __enter__(self) -> Self:
        """Take the last lines of the terminal, if the style is live."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give them back, cleared: what remains to be said is in the log and the report."""
        if self._live is not None:
            self._live.stop()

    def _tell(self, course: Course) -> None:
        self._underway.sample(course)
        if self._style == "plain":
            self._say(line(course.figures, course.speed), fields(course.figures, course.speed))
