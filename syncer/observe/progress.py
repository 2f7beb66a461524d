"""Progress while a run goes on: a live line on a terminal, else plain lines every few seconds."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Literal, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from syncer.model.events import Event, RunEnded, RunStarted
from syncer.observe.figures import Figures, Speed
from syncer.observe.lines import fields, line
from syncer.ports import Clock

#: How progress is shown, once decided.
Style = Literal["rich", "plain", "none"]

#: Where a plain line goes: the words, and the same as fields.
Say = Callable[[str, Mapping[str, object]], None]

#: Seconds between two looks: a live line follows the eye, plain lines fill a log.
PERIOD: Mapping[str, float] = {"rich": 0.25, "plain": 5.0}


class Progress:
    """An observer that shows how far the run is. Enter it, and let `watch` run beside the work.

    Updates only count; drawing happens in `watch`, so a hundred thousand events cost a hundred thousand additions.
    """

    def __init__(self, style: Style, clock: Clock, say: Say, console: Console | None = None) -> None:
        """Take the style, where plain lines go, and the terminal (by default standard error) of the live line."""
        self._style = style
        self._clock = clock
        self._say = say
        self._figures = Figures()
        self._speed = Speed()
        self._live: Live | None = None
        if style == "rich":
            self._live = Live(
                console=console or Console(stderr=True),
                get_renderable=self._render,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                vertical_overflow="crop",
            )

    def __call__(self, event: Event) -> None:
        """Count one event; the end of a run is shown at once."""
        if isinstance(event, RunStarted):
            self._figures, self._speed = Figures(), Speed()
        self._figures.update(event)
        if isinstance(event, RunStarted | RunEnded):
            self._sample()
        if isinstance(event, RunEnded):
            self.show()

    def show(self) -> None:
        """Draw or say the present figures."""
        if not self._figures.job:
            return
        self._sample()
        if self._live is not None:
            self._live.refresh()
        elif self._style == "plain":
            self._say(line(self._figures, self._speed), fields(self._figures, self._speed))

    async def watch(self) -> None:
        """Show the figures again and again; run it in a task and cancel it."""
        period = PERIOD.get(self._style)
        while period is not None:
            await self._clock.sleep(period)
            if not self._figures.ended:
                self.show()

    def __enter__(self) -> Self:
        """Take the last line of the terminal, if the style is live."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back, cleared: what remains to be said is in the log and the report."""
        if self._live is not None:
            self._live.stop()

    def _sample(self) -> None:
        self._speed.sample(self._clock.monotonic(), self._figures.settled, self._figures.size)

    def _render(self) -> RenderableType:
        total = self._figures.total
        table = Table.grid(padding=(0, 1))
        table.add_column(width=24)
        table.add_column(no_wrap=True, overflow="ellipsis")
        # `Text` is never read as markup: names from a platform stay words.
        words = Text(line(self._figures, self._speed))
        table.add_row(ProgressBar(total=total, completed=self._figures.settled, pulse=total is None), words)
        return table
