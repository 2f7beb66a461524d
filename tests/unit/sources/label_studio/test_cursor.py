"""Cursors: readable, versioned, and bound to what they were made under."""

import json
from datetime import UTC, datetime, timedelta

from syncer.model.refs import Cursor
from syncer.net.pages import conditions
from syncer.ports import Selection
from syncer.sources.label_studio.cursor import Position, read_cursor

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_cursor_says_where_it_stands() -> None:
    """Format, kind of pass, progress and watermark are there to be read by people (rule 12)."""
    at = Position(stage="delta", under="x", watermark=START, after=42, base=7)
    text = json.loads(at.cursor())
    assert text == {
        "v": 1,
        "pass": "delta",
        "under": "x",
        "watermark": "2026-11-22T12:00:00Z",
        "progress": 42,
        "base": 7,
    }
    assert read_cursor(at.cursor(), "x") == at


def test_a_cursor_of_other_conditions_or_formats_does_not_apply() -> None:
    """None, nonsense, a newer format, other options, another window."""
    at = Position(stage="rest", under=conditions("opts", Selection()))
    assert read_cursor(None, at.under) is None
    for text in ("", "[]", "{}", '{"v":2,"pass":"rest","under":"x"}', '{"v":1,"pass":"dance","under":"x"}'):
        assert read_cursor(Cursor(text), "x") is None
    others = [
        conditions("other", Selection()),
        conditions("opts", Selection(since=START)),
        conditions("opts", Selection(until=START)),
    ]
    assert all(read_cursor(at.cursor(), other) is None for other in others)
    assert conditions("opts", Selection(projects=("1", "2"))) == at.under


def test_the_watermark_moves_only_at_the_end_of_a_pass() -> None:
    """While a pass runs, a crash goes back to where the last one stood."""
    later = START + timedelta(hours=1)
    at = Position(stage="delta", under="x", watermark=START, start=later, after=9, base=10, moved=-2, newest=later)
    assert read_cursor(at.cursor(), "x") == at
    rest = at.ended(complete=False)
    assert (rest.stage, rest.watermark, rest.start, rest.after) == ("rest", later, None, 0)
    assert (rest.base, rest.moved, rest.created, rest.full_at) == (8, 0, later, None)
    assert at.ended(complete=True).full_at == later
    swept = at.sweeping()
    assert (swept.stage, swept.start, swept.after, swept.moved, swept.newest) == ("sweep", later, 0, 0, None)
