"""The account of a job, in words and in Prometheus' text format."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from syncer.cli import summary
from syncer.model.checkpoint import OwedItem
from syncer.model.errors import Exit
from syncer.model.refs import ItemKey
from syncer.model.report import Counts, Problem, Report

START = datetime(2026, 1, 1, tzinfo=UTC)


def _report(counts: Counts, *, stopped: str | None = None, frozen: tuple[str, ...] = (), owed: int = 0,
            problems: tuple[Problem, ...] = ()) -> Report:  # fmt: skip
    return Report(
        'a "job"', "run", START, START + timedelta(seconds=65), counts, complete=not (stopped or frozen),
        stopped=stopped, frozen=frozen, owed={"lake": owed}, problems=problems, destinations={"lake": "file:///lake"},
    )  # fmt: skip


def test_everything_that_happened_is_named_once() -> None:
    """Counts, bytes, duration, requests and destination stand in the account."""
    counts = Counts(listed=1300, stored=1200, unchanged=100, updated=3, deleted=2, withdrawn=1, replayed=4,
                    bytes=5_000_000, requests=77, retries=2, throttled=1)  # fmt: skip
    others = "4 owed before and now stored, 2 deleted, 1 withdrawn"
    assert list(summary.lines(_report(counts))) == [
        'a "job": listed 1,300 = stored 1,200 + unchanged 100 + owed 0 + filtered 0 + frozen 0',
        f"  1,200 stored (3 updated), {others}, 5.0 MB, 77 requests (2 repeated, 1 throttled), 1m 5s, complete",
        "  in file:///lake",
    ]


def test_rule_14_frozen_partitions_say_how_they_are_accepted() -> None:
    """A frozen partition comes with the option that accepts its absence, in the form that the option takes."""
    text = "\n".join(summary.lines(_report(Counts(listed=5, frozen=5), frozen=("7 / a b / type",))))
    assert "--accept-gone '7/a b/type'" in text


def test_owed_items_are_counted_beyond_the_first_few() -> None:
    """Five owed items are named, of the others there is a number and a command."""
    owed = [
        OwedItem("lake", ItemKey("annotation", "7", None, None, str(number)), "1", f"reason {number}")
        for number in range(12)
    ]
    text = "\n".join(summary.lines(_report(Counts(listed=12, owed=12), owed=12), owed, allow_owed=20))
    assert ("reason 4" in text, "reason 5" in text) == (True, False)
    assert "and 7 more: syncer owed list" in text
    assert "up to 20 are allowed" in text


def test_problems_are_told_once_with_their_hints() -> None:
    """The same problem of two legs is one; the sink is named where the message does not."""
    problems = (
        Problem("disk full", Exit.NOT_NOW, "make room\nor move it", "lake"),
        Problem("disk full", Exit.NOT_NOW, "make room\nor move it"),
    )
    lines = list(summary.lines(_report(Counts(), problems=problems)))
    assert lines[-1].splitlines() == ["  hint: make room", "        or move it"]
    assert lines.count("  error: sink lake: disk full") == 1
    assert len([line for line in lines if "disk full" in line]) == 1


def test_rule_21_an_account_that_does_not_add_up_is_a_bug() -> None:
    """A row that vanished is called a bug, in words and in the exit code."""
    report = _report(Counts(listed=3, stored=2))
    assert any("off by 1" in line for line in summary.lines(report))
    assert summary.as_json(report)["exit_code"] == Exit.BUG


def test_what_was_not_looked_at_is_said() -> None:
    """Notes of a source stand in the account, for people and as JSON."""
    report = replace(_report(Counts()), notes=("quick pass: what did not move was not listed",))
    assert "  quick pass: what did not move was not listed" in list(summary.lines(report))
    assert summary.as_json(report)["notes"] == ["quick pass: what did not move was not listed"]
