"""Rows as lines: the original bytes come back exactly, and every reader takes every line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.entries import Content, Entry, SpooledFile
from syncer.model.errors import StoreFailed
from syncer.model.refs import ItemKey
from syncer.sinks.tables.row import is_json, name_of, read_line, row_of, write_line
from syncer.sinks.zip64.deflate import DamagedError

KEY = ItemKey("annotation", "7", None, "cuboid", "1")


def line(body: bytes) -> bytes:
    """Return an entry of this body as a line."""
    entry = Entry(KEY, 'v"1', "7/1.json", Content(body), fields={"document": 'a,"document":b', "x": "\n"})
    return write_line(*row_of(entry))


DOCUMENTS = [
    b'{"a":1.10,"big":123456789012345678901234567890,"a":2}',
    b' {"a": [1,\r\n  2]}\n',
    b"\n\n[]\r",
    b'"text"',
    b"0",
    '{"ä":"\u2028😀"}'.encode(),
]
OTHERS = [
    b"",
    b"a@1;",
    b'{"a":NaN}',
    b'{"a":"\xff"}',
    b'{"a":"\\ud800"}',
    b"\x89PNG\r\n",
    b"[" * 100_000,
    b'{"a":"\n"}',
]


@pytest.mark.parametrize("body", DOCUMENTS)
def test_json_stands_in_the_line_as_it_was_served(body: bytes) -> None:
    """A document is a value of its line, byte for byte but for line breaks, which come back."""
    written = line(body)
    assert b"\n" not in written
    assert body.replace(b"\n", b" ").replace(b"\r", b" ") in written
    assert json.loads(written)["document"] == json.loads(body)
    row, data = read_line(written)
    assert (data, row.size, row.path, row.version) == (body, len(body), "7/1.json", 'v"1')
    assert name_of(written) == b"7/1.json"


@pytest.mark.parametrize("body", OTHERS)
def test_what_is_no_json_is_encoded(body: bytes) -> None:
    """Whatever a strict reader would refuse is base64, and comes back."""
    written = line(body)
    assert not is_json(body)
    assert json.loads(written)["document"] is None
    assert read_line(written)[1] == body


@given(st.binary() | st.recursive(st.none() | st.text() | st.floats(allow_nan=False), st.lists).map(
    lambda value: json.dumps(value, indent=1).encode()
))  # fmt: skip
def test_every_document_comes_back(body: bytes) -> None:
    """Whatever the bytes are, the line is one line of JSON in UTF-8 and gives them back."""
    written = line(body)
    assert b"\n" not in written
    json.loads(written.decode())
    assert read_line(written)[1] == body


@pytest.mark.parametrize(
    "bad",
    [b"", b"{}", b"[]", b"\xff", line(b"{}")[:-1], line(b"{}").replace(b'"size":2', b'"size":3'),
     line(b"x").replace(b"eA==", b"eA="), line(b"[\n]").replace(b"[[2]", b"[[20]")],
)  # fmt: skip
def test_what_is_no_line_is_damage(bad: bytes) -> None:
    """A line that is cut short, or not ours, is named as damage."""
    with pytest.raises(DamagedError):
        read_line(bad)


def test_a_huge_document_is_refused_in_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A document that would not fit in memory several times over is refused before it is read."""
    body = SpooledFile(tmp_path_factory.getbasetemp() / "none", 300 << 20, "0" * 64)
    with pytest.raises(StoreFailed, match="300 MiB: too much for a row"):
        row_of(Entry(KEY, "1", "1.json", Content(body)))
