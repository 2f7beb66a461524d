"""Live lines on a terminal, one for each run. Whoever draws them imports this, and rich with it; nobody else does."""

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from syncer.observe.lines import line
from syncer.observe.underway import Underway


def drawn(underway: Underway, console: Console | None) -> Live:
    """Return the last lines of a terminal, by default standard error's, that show the runs whenever refreshed."""

    def render() -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=24)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for course in underway.courses():
            underway.sample(course)
            figures, total = course.figures, course.figures.total
            # `Text` is never read as markup: names from a platform stay words.
            words = Text(line(figures, course.speed))
            table.add_row(ProgressBar(total=total, completed=figures.settled, pulse=total is None), words)
        return table

    return Live(
        console=console or Console(stderr=True),
        get_renderable=render,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        vertical_overflow="crop",
    )
