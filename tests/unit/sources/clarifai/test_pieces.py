"""Cutting JSON that can't be parsed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.demo.platform.faults import CORRUPTIONS
from syncer.sources.clarifai.pieces import elements, members, text_of

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(values), st.sampled_from([None, 1]))
def test_an_array_falls_into_its_elements(rows: list[object], indent: int | None) -> None:
    """Whatever they are, however it is written: as many pieces, each with the value of its element."""
    text = json.dumps(rows, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert [json.loads(piece) for piece in elements(text)] == rows


@given(st.dictionaries(st.text(), values))
def test_an_object_falls_into_its_members(value: dict[str, object]) -> None:
    """Keys are read, values are cut out."""
    found = members(json.dumps(value).encode())
    assert {key: json.loads(piece) for key, piece in found.items()} == value


@pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_bad_row_leaves_its_neighbours_and_its_name(corruption: bytes) -> None:
    """Between two good rows, each kind of corruption is one piece, and its id can be read."""
    bad = b'{"id":"b","input_id":"i",%b}' % corruption
    pieces = elements(b'[{"id":"a"},%b,{"id":"c"}]' % bad)
    assert pieces == [b'{"id":"a"}', bad, b'{"id":"c"}']
    assert text_of(members(bad)["id"]) == "b"


@pytest.mark.parametrize("text", [b"", b"x", b"[1,2", b'{"a":[1}', b'["a', b'[{"a":1]'])
def test_what_is_cut_short_is_no_list(text: bytes) -> None:
    """A page without its end is refused as a whole: nobody knows what is missing."""
    with pytest.raises(ValueError, match="cut short"):
        elements(text)


def test_texts_are_read_with_care() -> None:
    """What is no string, or none that can be read, is empty."""
    assert text_of(b'"a\\u00e4"') == "aä"
    assert text_of(b"12") == text_of(None) == text_of(b'"\\x"') == ""
    with pytest.raises(ValueError, match="without a key"):
        members(b"[1]")
