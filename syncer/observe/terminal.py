"""Decides how log and progress look here, and opens all observers of a command at once."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal, TextIO

import anyio
import msgspec
from structlog.typing import FilteringBoundLogger

from syncer.observe.hub import Hub
from syncer.observe.log import Log
from syncer.observe.output import Format, Level, capture_library_logs, open_log
from syncer.observe.progress import Progress, Style
from syncer.observe.underway import Underway
from syncer.ports import Clock

#: What the command line offers.
LogFormat = Literal["auto", "console", "json"]
ProgressMode = Literal["auto", "rich", "plain", "none"]


class Observers(msgspec.Struct, frozen=True):
    """Everything that listens to one command."""

    #: `hub.emit` is for everybody; further observers join with `hub.add`.
    hub: Hub
    #: For what is no event: the start and the end of the process.
    logger: FilteringBoundLogger


@asynccontextmanager
async def open_observers(
    clock: Clock,
    *,
    log_format: LogFormat = "auto",
    progress: ProgressMode = "auto",
    level: Level = "info",
    levels: Mapping[str, Level] | None = None,
    underway: Underway | None = None,
    stream: TextIO | None = None,
) -> AsyncIterator[Observers]:
    """Open log and progress; everything goes to standard error, or to `stream`.

    An exception of the block leaves as it is, not in a group.
    """
    tty = _is_terminal(sys.stderr if stream is None else stream)
    form = choose_format(log_format, tty=tty)
    logger = open_log(clock, form, level, stream=stream, colours=tty and "NO_COLOR" not in os.environ)

    def say(text: str, values: Mapping[str, object]) -> None:
        if form == "json":
            logger.info("progress", **values)
        else:
            print(text, file=sys.stderr if stream is None else stream, flush=True)

    style = choose_progress(progress, tty=tty)
    shown = Progress(style, clock, say, underway=underway, last=form != "json")
    # The last figures come before the word that the run ended.
    hub = Hub([shown, Log(logger, clock)])
    failure: Exception | None = None
    with shown, capture_library_logs(logger, "debug" if level == "debug" else "warning", levels):
        async with anyio.create_task_group() as group:
            if style != "none":
                group.start_soon(shown.watch)
            try:
                yield Observers(hub, logger)
            except Exception as error:  # noqa: BLE001  # raised again below, outside the group that would wrap it
                failure = error
            finally:
                group.cancel_scope.cancel()
    if failure is not None:
        raise failure


def choose_format(wish: LogFormat, *, tty: bool) -> Format:
    """Return how the log looks: `auto` is for people on a terminal, and JSON elsewhere."""
    if wish == "auto":
        return "console" if tty else "json"
    return wish


def choose_progress(wish: ProgressMode, *, tty: bool) -> Style:
    """Return how progress looks: a live line needs a terminal that can move its cursor."""
    if wish == "auto":
        return "rich" if tty and os.environ.get("TERM", "") != "dumb" else "plain"
    return wish


def _is_terminal(stream: TextIO) -> bool:
    return not stream.closed and stream.isatty()
