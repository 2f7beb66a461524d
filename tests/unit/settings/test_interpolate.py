"""`${NAME}` in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.settings.interpolate import Missing, interpolate, is_reference


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A}", "1"),
        ("x${A}y${B}z", "x1y2 2z"),
        ("${NONE:-fall back}", "fall back"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY}", ""),
        ("${A:-unused}", "1"),
        ("${NONE:-}", ""),
        ("$${A}", "${A}"),
        ("{project}/{item}.json", "{project}/{item}.json"),
        ("costs $5 and $HOME", "costs $5 and $HOME"),
        ("${NEST}", "${A}"),
    ],
)
def test_references_are_replaced_once(text: str, result: str) -> None:
    """Variables, defaults and escapes are replaced; what a variable holds is not read again."""
    assert interpolate(text, {"A": "1", "B": "2 2", "EMPTY": "", "NEST": "${A}"}) == result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${NONE}", "environment variable NONE is not set"),
        ("${}", r"can't read \$\{\}"),
        ("${1A}", "can't read"),
        ("${A-b}", "can't read"),
        ("${A", r"can't read \$\{A"),
    ],
)
def test_what_is_missing_or_malformed_is_named(text: str, words: str) -> None:
    """A variable that is not set, and a reference that can't be read, are refused."""
    with pytest.raises(Missing, match=words):
        interpolate(text, {})


def test_a_reference_is_recognised() -> None:
    """An escaped reference is none."""
    assert is_reference("x${A}")
    assert is_reference("${A")
    assert not is_reference("$${A}")
    assert not is_reference("plain")


@given(st.text())
def test_text_without_a_dollar_brace_is_left_alone(text: str) -> None:
    """Only `${` starts a reference."""
    plain = text.replace("${", "")
    assert interpolate(plain, {}) == plain
