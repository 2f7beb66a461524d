"""The log as lines: for people on a terminal, JSON elsewhere; redacted and made printable on the way."""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor, WrappedLogger

from syncer.model.running import piece, running
from syncer.net.redact import MASK, redact_text
from syncer.observe.screen import printable
from syncer.ports import Clock

#: How the log looks, once decided.
Format = Literal["console", "json"]
Level = Literal["debug", "info", "warning", "error"]

_LEVELS: Mapping[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
#: Keys whose values keep their line breaks.
_LINES = frozenset({"exception"})
#: Keys whose values are never written.
_SECRET = re.compile(r"(?i)token|secret|passw|credential|authorization|api_?key|cookie")


def open_log(
    clock: Clock, form: Format, level: Level = "info", *, stream: TextIO | None = None, colours: bool = False
) -> FilteringBoundLogger:
    """Return a logger of its own; nothing global is configured.

    Args:
        clock: Gives the time of each line.
        form: `console` or `json`.
        level: The lowest level that is written.
        stream: Where lines go; by default what `sys.stderr` is when a line is written.
        colours: Whether the terminal takes colours.
    """
    final: Processor = _to_json
    if form == "console":
        final = structlog.dev.ConsoleRenderer(
            colors=colours, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
        )
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        _Time(clock, form),
        _whose,
        structlog.processors.format_exc_info,
        _clean,
        final,
    ]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
    )
    return logger


@contextmanager
def capture_library_logs(
    logger: FilteringBoundLogger, level: Level = "warning", levels: Mapping[str, Level] | None = None
) -> Iterator[None]:
    """Send what libraries log through ours, so that it is redacted and looks the same, while the block runs.

    `levels` are those of single loggers, by their names: a library's, or a part of it.
    """
    root = logging.getLogger()
    handler = _Forward(logger)
    before, before_level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    single = {name: logging.getLogger(name) for name in levels or {}}
    before_levels = {name: each.level for name, each in single.items()}
    for name, wish in (levels or {}).items():
        single[name].setLevel(_LEVELS[wish])
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(before_level)
        for name, each in single.items():
            each.setLevel(before_levels[name])


class _Lines:
    """Writes lines; all levels go the same way."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def msg(self, text: str) -> None:
        # Looked up each time: while a live line is drawn, `sys.stderr` writes above it.
        stream = sys.stderr if self._stream is None else self._stream
        stream.write(text + "\n")
        stream.flush()

    debug = info = warning = error = critical = msg


class _Forward(logging.Handler):
    """Hands records of the standard library's logging to our logger."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self._logger.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


class _Time:
    """Puts the clock's time on each line: UTC to the millisecond in JSON, local to the second on a terminal."""

    def __init__(self, clock: Clock, form: Format) -> None:
        self._clock = clock
        self._form = form

    def __call__(
        self, _logger: WrappedLogger, _name: str, values: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        now = self._clock.now()
        if self._form == "console":
            values["timestamp"] = now.astimezone().strftime("%H:%M:%S")
        else:
            values["timestamp"] = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return values


def _whose(_logger: WrappedLogger, _name: str, values: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say which job and run a line belongs to, and which partition and item, where whoever writes it did not."""
    this, about = running(), piece()
    if this is not None:
        values.setdefault("job", this.job)
        values.setdefault("run", this.run)
    if about is not None:
        values.setdefault("partition", str(about.partition))
        if about.item is not None:
            values.setdefault("item", about.item.canonical())
    return values


def _clean(_logger: WrappedLogger, _name: str, values: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask credentials, then spell out what a terminal might obey."""
    for key, value in values.items():
        values[key] = MASK if value is not None and _SECRET.search(key) else _cleaned(value, lines=key in _LINES)
    return values


def _cleaned(value: Any, *, lines: bool = False) -> Any:  # noqa: ANN401  # any value of a log line
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {printable(str(key)): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(item) for item in value]
    text = redact_text(str(value))
    return "\n".join(map(printable, text.split("\n"))) if lines else printable(text)


def _to_json(_logger: WrappedLogger, _name: str, values: MutableMapping[str, Any]) -> str:
    first = {key: values.pop(key) for key in ("timestamp", "level", "event") if key in values}
    return json.dumps({**first, **values}, ensure_ascii=False, default=str)
