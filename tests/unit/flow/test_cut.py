"""Cutting members out of a document: what is named goes, and no other byte changes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.flow.cut import Rules, cut
from syncer.flow.redact import Redaction


def left(document: str, *names: str) -> str:
    """Return what is left of a document."""
    return cut(document.encode(), Redaction.of(names, {}).rules, []).decode()


@pytest.mark.parametrize("slow", ["", "/no-such-field"])
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{"a":1.10,"who":"ada","b":12345678901234567890123}', '{"a":1.10,"b":12345678901234567890123}'),
        ('{"who":{"id":1},"a":1}', '{"a":1}'),
        ('{"a":1,"who":[1,{"x":"}"}]}', '{"a":1}'),
        ('{"who":1}', "{}"),
        ('{ "who" : 1 , "a" : 2 }', '{ "a" : 2 }'),
        ('{ "a" : 2 , "who" : 1 }', '{ "a" : 2 }'),
        ('{"who":1,"who":2,"a":3,"who":4}', '{"a":3}'),
        ('{"a":1,"a":2,"who":3}', '{"a":1,"a":2}'),
        ('{"a":1,"who":2,"who":3,"b":4}', '{"a":1,"b":4}'),
        ('[{"who":1},{"b":{"who":2,"c":[{"who":3,"d":4}]}}]', '[{},{"b":{"c":[{"d":4}]}}]'),
        ('{"text":"\\"who\\":1","x":"who","y":["who"]}', '{"text":"\\"who\\":1","x":"who","y":["who"]}'),
        ('{"\\u0077ho":1,"a":"\\u0077ho"}', '{"a":"\\u0077ho"}'),
        ('{"a\\"who":1,"who":2}', '{"a\\"who":1}'),
        ('{"who":1,"x":{"who":2},"who":{"who":3},"y":4}', '{"x":{},"y":4}'),
        ('{"who":null,"why":-1.5e+7,"whom":true}', '{"why":-1.5e+7,"whom":true}'),
        ('"who"', '"who"'),
        (" [ ] ", " [ ] "),
        ('{"å":"\\ud800","who":1}', '{"å":"\\ud800"}'),
    ],
)
def test_only_what_is_named_goes(document: str, expected: str, slow: str) -> None:
    """Numbers, members that stand twice, spaces and escapes stay as served; the quick way and the slow one agree."""
    assert left(document, "who", *([slow] if slow else [])) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/who", '{"a":[{"who":2,"b":{"who":3}}],"c":{"who":4}}'),
        ("/a/*/who", '{"who":1,"a":[{"b":{"who":3}}],"c":{"who":4}}'),
        ("/*/who", '{"who":1,"a":[{"who":2,"b":{"who":3}}],"c":{}}'),
        ("/a/**/who", '{"who":1,"a":[{"b":{}}],"c":{"who":4}}'),
        ("/**/b", '{"who":1,"a":[{"who":2}],"c":{"who":4}}'),
        ("/c/*", '{"who":1,"a":[{"who":2,"b":{"who":3}}],"c":{}}'),
    ],
)
def test_paths_name_places(path: str, expected: str) -> None:
    """`*` is one step, into a member or an element; `**` is any number of them, also none."""
    assert left('{"who":1,"a":[{"who":2,"b":{"who":3}}],"c":{"who":4}}', path) == expected


@pytest.mark.parametrize(
    "document",
    ['{"who":1', '{"who" 1}', '{"who":1,}', '{"who":NaN}', '{"who":01}', '{"who":1} x', "{'who':1}", "", "[1 2]",
     '{"who":1}\0', "[" * 5000 + "]" * 5000],
)  # fmt: skip
def test_what_is_no_document_is_refused(document: str) -> None:
    """Nobody can say what it names, so it is not written as if it named nothing."""
    with pytest.raises(ValueError, match=r"JSON|deep|codec"):
        left(document, "who")


def test_other_encodings_are_refused() -> None:
    """In UTF-16 the name would not be found."""
    with pytest.raises(ValueError, match="JSON"):
        cut('{"who":1}'.encode("utf-16-le"), Rules({"who": 0}), [])


NAMES = st.sampled_from(["who", "a", "b", 'q"', "å"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def without(value: Any) -> Any:
    """Return a value without any member of the name."""
    if isinstance(value, dict):
        return {name: without(each) for name, each in value.items() if name != "who"}
    return [without(each) for each in value] if isinstance(value, list) else value


@given(VALUES, st.sampled_from([None, 1]), st.booleans(), st.booleans())
def test_it_is_what_a_parser_would_leave(value: Any, indent: int | None, escaped: bool, slow: bool) -> None:  # drawn
    """Whatever the document and however it is spelled, parsing what is left gives the rest."""
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    assert json.loads(left(text, "who", *(["/x/y"] if slow else []))) == without(value)
