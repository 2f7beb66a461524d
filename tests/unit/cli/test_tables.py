"""Data on standard output."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from syncer.cli.tables import Printer, json_text, show

ROWS = [
    {"name": "a", "items": 1200, "at": datetime(2026, 1, 2, tzinfo=UTC), "extra": {"x": 1}},
    {"name": "日本", "items": None, "at": None, "extra": None},
]


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers stand to the right, wide characters count twice, nothing is cut."""
    show(ROWS, "table", ("name", "items", "at"))
    assert capsys.readouterr().out.splitlines() == [
        "NAME  ITEMS  AT",
        "a     1,200  2026-01-02 00:00:00Z",
        "日本",
    ]


def test_an_empty_table_says_so_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed as data where there is none; the word about it goes to standard error."""
    show([], "table", empty="nothing is owed")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "nothing is owed\n")


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS])
def test_json_and_json_lines_are_parseable(rows: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    """`json` is one array, also of nothing; `jsonl` is a document a line."""
    show(rows, "json")
    assert len(json.loads(capsys.readouterr().out)) == len(rows)
    show(rows, "jsonl")
    assert [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()] == [r["name"] for r in rows]


def test_csv_has_one_header_over_all_batches(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that come in batches make one file; numbers are bare."""
    printer = Printer("csv", ("name", "items"))
    for row in ROWS:
        printer.add([row])
    printer.end()
    read = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert read == [["name", "items"], ["a", "1200"], ["日本", ""]]


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_rule_24_nothing_commands_the_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters, direction marks and line breaks of a platform are spelt out in every form."""
    show([{"title": "a\x1b[2J\u202e\x7f\x9b\nb[bold]"}], form)  # type: ignore[arg-type]  # all four forms
    text = capsys.readouterr().out
    assert not {"\x1b", "\u202e", "\x7f", "\x9b"} & set(text)
    assert "[bold]" in text


def test_escaped_json_is_the_same_json() -> None:
    """What is spelt out in JSON is read back as it was."""
    value = {"title": "a\x1b\u202e\x7f\x9b\n\U000e0001é日本\ud800"}
    assert json.loads(json_text(value)) == value
    assert json.loads(json_text(value, indent=2)) == value
    assert "é日本" in json_text(value)
