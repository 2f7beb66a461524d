"""The log of a run."""

import io
import json
import logging
from typing import Any

import pytest

from syncer.model.errors import Exit
from syncer.model.events import Draining, ItemFetched, ItemOwed, RunEnded, Throttled, Warned
from syncer.model.refs import ItemKey, Piece
from syncer.model.report import Problem
from syncer.model.running import works_for, works_on
from syncer.observe.log import Log
from syncer.observe.output import Level, capture_library_logs, open_log
from tests.support.clock import InstantClock
from tests.support.happenings import EVERY, KEY, PARTITION, report


class _Book:
    """A log whose lines can be read back."""

    def __init__(self, level: Level = "info") -> None:
        self.clock = InstantClock()
        self._stream = io.StringIO()
        self.logger = open_log(self.clock, "json", level, stream=self._stream)
        self.log = Log(self.logger, self.clock)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines()]


def test_every_event_is_a_line_at_debug() -> None:
    """Nothing that happens is lost at the lowest level."""
    book = _Book("debug")
    for event in EVERY:
        before = len(book.lines())
        book.log(event)
        assert len(book.lines()) > before, event


def test_a_quiet_run_is_one_line_with_all_its_numbers() -> None:
    """At info a run without trouble is a single line: how long, how many, how it ended."""
    book = _Book()
    for event in EVERY[:6]:
        book.log(event)
    book.log(RunEnded(report()))
    (line,) = book.lines()
    assert line["event"] == "run ended"
    assert (line["job"], line["run"], line["seconds"], line["exit"], line["complete"]) == (
        "street",
        "run-1",
        65.0,
        3,
        True,
    )
    assert {"listed", "stored", "unchanged", "owed", "filtered", "frozen", "bytes", "requests", "retries"} <= set(line)
    assert line["listed"] == line["stored"] + line["unchanged"] + line["owed"]


def test_problems_of_a_run_are_lines_with_a_hint() -> None:
    """What leaves a run useful is a warning, anything else an error."""
    book = _Book()
    book.log(RunEnded(report(Problem("1 owed", Exit.OWING, "retry"), Problem("disk full", Exit.NOT_NOW, None, "lake"))))
    first, second, _ = book.lines()
    assert (first["level"], first["event"], first["hint"]) == ("warning", "1 owed", "retry")
    assert (second["level"], second["event"], second["sink"]) == ("error", "disk full", "lake")


def test_problems_told_elsewhere_still_decide_the_exit_code() -> None:
    """They are no lines of their own then, and the line of the run does not call it done."""
    book = _Book()
    book.log(RunEnded(report(Problem("no such project", Exit.SETTINGS, None)), told=True))
    (line,) = book.lines()
    assert (line["event"], line["exit"]) == ("run ended", 78)


def test_why_a_run_stopped_is_said() -> None:
    """The reason stands on the line of the run."""
    book = _Book()
    book.log(RunEnded(report(stopped="--max-items", complete=False)))
    assert book.lines()[-1]["stopped"] == "--max-items"
    assert book.lines()[-1]["complete"] is False


async def test_what_repeats_is_said_once_in_a_while_with_a_count() -> None:
    """A storm of throttles or equal failures does not fill a disk; at the end of the run nothing is left unsaid."""
    book = _Book()
    for number in range(100):
        book.log(Throttled("https://a", 1.0, None))
        book.log(Throttled("https://b", 1.0, None))
        book.log(ItemOwed(ItemKey("annotation", "7", None, None, str(number)), f"404 for {number}"))
        book.log(Warned(f"page {number} is slow"))
    assert len(book.lines()) == 4
    await book.clock.sleep(60)
    book.log(Warned("page 7 is slow"))
    assert book.lines()[-1]["repeated"] == 99
    book.log(RunEnded(report()))
    repeated = [line for line in book.lines() if line["event"] == "repeated"]
    assert sorted((line["what"], line["times"]) for line in repeated) == [
        ("owed", 99),
        ("throttled", 99),
        ("throttled", 99),
    ]


@pytest.mark.parametrize(
    ("index", "level"),
    [(18, "error"), (19, "warning"), (20, "warning"), (21, "warning"), (15, "warning"), (16, "warning")],
)
def test_trouble_has_its_level(index: int, level: str) -> None:
    """A failed sink is an error, what is held back, frozen or reset a warning."""
    book = _Book()
    book.log(EVERY[index])
    assert [line["level"] for line in book.lines()] == [level]


def test_a_drain_is_told_once() -> None:
    """A limit that stops a run is information; of a signal, people are told when it comes, and not by every run."""
    book = _Book()
    book.log(Draining("SIGTERM"))
    book.log(Draining("--max-items"))
    assert [(line["level"], line["reason"]) for line in book.lines()] == [("info", "--max-items")]


def test_lines_say_whose_they_are() -> None:
    """Job, run, partition and item stand on every line that is written inside of them, also on those of libraries."""
    # Of a made-up one: clients of vendors switch off the loggers that are there when they are imported.
    book = _Book()
    with works_for("street", "run-1"):
        book.log(Warned("a"))
        with works_on(Piece(PARTITION)):
            book.log(Warned("b"))
            with works_on(Piece(PARTITION, KEY)), capture_library_logs(book.logger):
                logging.getLogger("library.client").warning("c")
    book.log(Warned("d"))
    bound = [{name: line.get(name) for name in ("job", "run", "partition", "item")} for line in book.lines()]
    street = {"job": "street", "run": "run-1", "partition": None, "item": None}
    assert bound == [
        street,
        street | {"partition": str(PARTITION)},
        street | {"partition": str(PARTITION), "item": KEY.canonical()},
        dict.fromkeys(street),
    ]


def test_jobs_repeat_themselves_apart() -> None:
    """What one job says often is said by the other too, and each is told of its own when its run ends."""
    book = _Book()
    for job in ("street", "highway"):
        with works_for(job, "1"):
            for _ in range(3):
                book.log(Throttled("https://a", 1.0, None))
    assert [line["job"] for line in book.lines()] == ["street", "highway"]
    with works_for("street", "1"):
        book.log(RunEnded(report()))
    repeated = [(line["job"], line["times"]) for line in book.lines() if line["event"] == "repeated"]
    assert repeated == [("street", 2)]


def test_single_loggers_have_a_level_of_their_own() -> None:
    """One library may say more, or less, than the others; afterwards all is as it was."""
    book = _Book("debug")
    with capture_library_logs(book.logger, "warning", {"library.access": "debug", "noisy": "error"}):
        logging.getLogger("library.access").debug("seen")
        logging.getLogger("noisy").warning("left out")
        logging.getLogger("other").info("left out")
    assert book.events() == ["seen"]
    assert logging.getLogger("noisy").level == logging.NOTSET


def test_frequent_events_cost_nothing_when_they_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """At info an item's event is dropped before anything is computed for it."""
    book = _Book()
    monkeypatch.setattr(ItemKey, "canonical", None)
    book.log(ItemFetched(KEY, 5))
    assert book.lines() == []
