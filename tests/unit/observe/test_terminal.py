"""All observers of a command at once."""

import io
import json
import sys

import pytest

from syncer.model.events import RunEnded, RunStarted, Warned
from syncer.observe.terminal import choose_format, choose_progress, open_observers
from tests.support.clock import InstantClock
from tests.support.happenings import report


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_auto_is_for_people_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Console and a live line on a terminal, JSON and plain lines elsewhere; a wish is always followed."""
    monkeypatch.setenv("TERM", "xterm")
    assert (choose_format("auto", tty=True), choose_format("auto", tty=False)) == ("console", "json")
    assert (choose_format("json", tty=True), choose_format("console", tty=False)) == ("json", "console")
    assert (choose_progress("auto", tty=True), choose_progress("auto", tty=False)) == ("rich", "plain")
    assert (choose_progress("none", tty=True), choose_progress("rich", tty=False)) == ("none", "rich")
    monkeypatch.setenv("TERM", "dumb")
    assert choose_progress("auto", tty=True) == "plain"


async def test_json_output_is_json_throughout() -> None:
    """Where the log is JSON, progress lines are JSON too: a collector reads every line."""
    stream = io.StringIO()
    async with open_observers(InstantClock(), stream=stream, progress="plain") as observers:
        observers.hub.emit(RunStarted("street", "run-1", ("lake",)))
        observers.hub.emit(Warned("look"))
        observers.hub.emit(RunEnded(report()))
        observers.logger.info("bye")
    lines = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert lines == ["look", "run ended", "bye"], "the line of the run has all its numbers: nothing says them twice"


async def test_plain_progress_beside_a_console_log() -> None:
    """Words, not fields."""
    stream = io.StringIO()
    async with open_observers(InstantClock(), stream=stream, log_format="console", progress="plain") as observers:
        observers.hub.emit(RunStarted("street", "run-1", ("lake",)))
        observers.hub.emit(RunEnded(report()))
    assert "street: 0 items, 0 B\n" in stream.getvalue()


async def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours unless NO_COLOR is set; a file never does."""
    written = {}
    for name, stream in (("terminal", _Terminal()), ("file", io.StringIO())):
        async with open_observers(InstantClock(), stream=stream, log_format="console", progress="none") as observers:
            observers.hub.emit(Warned("look"))
        written[name] = stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = _Terminal()
    async with open_observers(InstantClock(), stream=plain, log_format="console", progress="none") as observers:
        observers.hub.emit(Warned("look"))
    assert "\x1b" in written["terminal"]
    assert "\x1b" not in written["file"] + plain.getvalue()


async def test_an_error_leaves_as_it_is() -> None:
    """An exception of the block is not wrapped in a group."""
    message = "mine"
    with pytest.raises(ValueError, match="mine"):
        async with open_observers(InstantClock(), stream=io.StringIO(), progress="plain"):
            raise ValueError(message)


async def test_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is for data; log and progress are on standard error."""
    async with open_observers(InstantClock(), progress="plain", log_format="console") as observers:
        observers.hub.emit(RunStarted("street", "run-1", ("lake",)))
        observers.hub.emit(Warned("look"))
        observers.hub.emit(RunEnded(report()))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "look" in captured.err
    assert sys.stdout is not sys.stderr
