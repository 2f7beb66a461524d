"""Texts that a terminal must not obey."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.observe.screen import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Straße 街道 é", "Straße 街道 é"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("[red]markup[/red]", "[red]markup[/red]"),
    ],
)
def test_rule_24_what_a_terminal_obeys_is_spelt_out(text: str, shown: str) -> None:
    """Escape sequences, direction marks, line breaks and surrogates are shown, letters stay."""
    assert printable(text) == shown


@given(st.text())
def test_rule_24_nothing_that_is_left_can_be_obeyed(text: str) -> None:
    """Whatever comes in, no control or format character comes out, and it fits on one line."""
    shown = printable(text)
    assert not [each for each in shown if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
