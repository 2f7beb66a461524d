"""Pages taken apart row by row: the exact bytes, whatever the form, and turns for others in between."""

import asyncio
import json
import re
from collections.abc import Generator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.net import rows
from syncer.net.rows import LEAST, TURN, Steps, at_once, in_turns, rows_of


def cut(body: bytes, name: str = "tasks") -> tuple[list[bytes], bytes]:
    """Return the rows of a page, and what is left of it."""
    found: list[bytes] = []
    steps = rows_of(body, name)
    while True:
        try:
            found.append(next(steps))
        except StopIteration as end:
            return found, end.value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
TEXTS = st.builds(
    lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(),
    JSON, st.booleans(), st.sampled_from([None, 1, "\t"]),
)  # fmt: skip
BLANKS = st.text(alphabet=" \t\r\n", max_size=3).map(str.encode)


@given(st.lists(TEXTS, max_size=6), BLANKS, st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.booleans())
def test_rows_are_those_of_a_parser_to_the_letter(
    given_rows: list[bytes], blank: bytes, others: dict[str, object], last: bool
) -> None:
    """Values of any kind, blanks anywhere, the list before or behind the other members of the page."""
    listed = b'"tasks"%b:%b[%b' % (blank, blank, blank) + (blank + b"," + blank).join(given_rows) + blank + b"]"
    others.pop("tasks", None)
    rest = json.dumps(others).encode()[1:-1]
    body = b"{" + b",".join(part for part in ((rest, listed) if last else (listed, rest)) if part) + b"}"
    found, left = cut(body)
    assert found == given_rows
    assert msgspec.json.decode(left) == {**others, "tasks": []}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"tasks":[],"n":1}', []),
        (b'{"tasks": [ ] }', []),
        (b'{"tasks":null}', []),
        (b"{}", []),
        (b'{"a":{"tasks":[9]},"tasks":[1]}', [b"1"]),
        (b'{"tasks":[1],"b":{"tasks":[9]}}', [b"1"]),
        (b'{"a":"\\"tasks\\":[7","tasks":["]"]}', [b'"]"']),
        (b'{"t\\u0061sks":[1,2]}', [b"1", b"2"]),
    ],
)
def test_the_list_is_the_one_of_the_page(body: bytes, expected: list[bytes]) -> None:
    """A list of the same name deeper in the page, or in a text, is not it; one that is not there has no rows."""
    assert cut(body)[0] == expected


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"<html>", b'{"tasks":[{"a":1}', b'{"tasks":[1,]}', b'{"tasks":[1 2]}', b'{"tasks":[NaN]}',
        b'{"tasks":["\xff"]}', b'{"tasks":[1],"a":"\xff"}', b'{"tasks":{}}', b'{"tasks":[1],"tasks":[2]}',
        b'{"tasks":[' + b"[" * 50_000, b'[{"tasks":[1]}]',
    ],
)  # fmt: skip
def test_what_is_no_page_is_refused(body: bytes) -> None:
    """Broken in the list, before or behind it: an error, never fewer rows."""
    with pytest.raises((ValueError, RecursionError)):
        cut(body)


def test_what_is_left_shows_that_a_page_was_cut_short() -> None:
    """Behind the list nothing is looked at here: what is returned is no page if the whole was none."""
    for tail in (b"", b'},"n"', b"} x"):
        _, left = cut(b'{"tasks":[1,2]' + tail)
        with pytest.raises(ValueError, match=r"JSON|truncated"):
            msgspec.json.decode(left)


def test_a_parser_with_other_words_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its error does not say where a value ends, the page is parsed at once."""
    body = b'{"total":3,"tasks":[{"a":1.10}, [2] ,"\xc3\xa9"]}'
    usual = cut(body)
    monkeypatch.setattr(rows, "_BEHIND", re.compile("in other words"))
    found, left = cut(body)
    assert found == usual[0]
    assert msgspec.json.decode(left) == msgspec.json.decode(usual[1])


def test_ends_are_found_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser that is installed says where a value ends: no page is parsed as one value."""
    monkeypatch.setattr(rows, "_ROWS", None)
    assert cut(b'{"tasks":[{"a":1.10}, [2] ,"\xc3\xa9"],"total":3}')[0] == [b'{"a":1.10}', b"[2]", b'"\xc3\xa9"']


@pytest.mark.parametrize("size", [10, LEAST, TURN // 3, TURN, 5 * TURN])
async def test_others_get_a_turn_whenever_some_bytes_are_done(size: int) -> None:
    """Between two turns of the loop lie `TURN` bytes at most, or a single larger row; small ones count as more."""
    steps, between, over = 12 + 12 * TURN // max(size, LEAST), [0], False

    def work() -> Steps[str]:
        for _ in range(steps):
            between[-1] += max(size, LEAST)
            yield size
        return "done"

    async def other() -> None:
        while not over:
            between.append(0)
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(other())
    assert await in_turns(work()) == "done"
    over = True
    await beside
    assert max(between) <= max(TURN + max(size, LEAST) - 1, size)
    assert sum(map(bool, between)) >= 12


async def test_a_failure_of_a_step_is_that_of_the_work() -> None:
    """Carried out in turns or at once."""

    def work() -> Generator[int, None, str]:
        yield TURN
        message = "broken"
        raise ValueError(message)

    with pytest.raises(ValueError, match="broken"):
        await in_turns(work())
    with pytest.raises(ValueError, match="broken"):
        at_once(work())
