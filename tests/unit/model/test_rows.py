"""Manifest lines: one spelling, read back exactly, and refused when they name anything outside the destination."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncer.model.refs import ItemKey
from syncer.model.rows import ManifestRow, decode_row, encode_row, is_item_path

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
MAYBE = st.none() | TEXT
ROWS = st.builds(
    ManifestRow,
    op=st.sampled_from(["put", "delete", "withdraw"]),
    key=st.builds(ItemKey, TEXT, TEXT, MAYBE, MAYBE, TEXT),
    version=TEXT,
    path=st.sampled_from(["a.json", "7/é.json", "a b/c~1.bin"]),
    container=st.none() | st.just("7.zip"),
    size=st.integers(0, 1 << 60),
    sha256=TEXT,
    fields=st.dictionaries(TEXT, TEXT, max_size=3),
    run=TEXT,
    at=TEXT,
    reason=TEXT,
    fingerprint=TEXT,
    group=MAYBE,
)
ROW = ManifestRow(
    "put", ItemKey("annotation", "7", None, None, "1"), "v", "1.json", None, 2, "ab", {"author": "ann"}, "run", "now"
)


@given(ROWS)
def test_a_row_survives_its_line(row: ManifestRow) -> None:
    """Encoding and decoding gives the row back; the line is valid JSON without a newline, and always the same."""
    line = encode_row(row)
    assert b"\n" not in line
    assert decode_row(line) == row
    assert encode_row(decode_row(line)) == line
    json.loads(line)


@given(ROWS)
def test_a_line_is_spelled_as_the_standard_library_would(row: ManifestRow) -> None:
    """Whichever library writes it, and in whichever version: segments of equal rows have equal bytes, for ever."""
    line = encode_row(row)
    escaped = line.isascii() and b"\\ud" in line.lower()
    assert line == json.dumps(json.loads(line), ensure_ascii=escaped, separators=(",", ":")).encode()


def test_the_keys_of_a_line_are_a_contract() -> None:
    """Others read these lines: the names, their order, and what is left out where it says nothing."""
    assert encode_row(ROW) == (
        b'{"op":"put","key":{"kind":"annotation","project":"7","batch":null,"annotation_type":null,"item":"1"},'
        b'"version":"v","path":"1.json","container":null,"size":2,"sha256":"ab","fields":{"author":"ann"},'
        b'"run":"run","at":"now"}'
    )
    full = replace(ROW, reason="gone", fingerprint="f", group="t")
    assert encode_row(full).endswith(b'"at":"now","reason":"gone","fingerprint":"f","group":"t"}')


def test_unknown_keys_are_fine() -> None:
    """A row of a later minor version, with keys of its own, is read."""
    line = json.dumps({**json.loads(encode_row(ROW)), "colour": [1, {"a": None}]}).encode()
    assert decode_row(line) == ROW


@pytest.mark.parametrize(
    "change",
    [
        {"op": "drop"}, {"op": None}, {"key": "1"}, {"key": {"kind": "a"}}, {"size": -1}, {"size": True}, {"size": "2"},
        {"size": 1.5}, {"fields": {"a": 1}}, {"fields": []}, {"version": 1}, {"container": 3}, {"group": {}},
        {"path": "../../etc/passwd"}, {"path": "/etc/passwd"}, {"path": ""}, {"path": "a/../b"}, {"path": "c:\\x"},
        {"path": "_manifest/job/HEAD.json"}, {"path": "_MANIFEST/x"}, {"path": "a\u0000"}, {"container": "../x.zip"},
        {"size": 2**63},
    ],
)  # fmt: skip
def test_what_is_no_row_is_refused(change: dict[str, object]) -> None:
    """A line with a wrong type, a missing key or a name that leaves the destination is a ValueError."""
    line = json.dumps({**json.loads(encode_row(ROW)), **change}).encode()
    with pytest.raises(ValueError, match=r"\S"):
        decode_row(line)


@pytest.mark.parametrize("line", [b"", b"null", b"[]", b"{", b"\xff", b"1", b"[" * 100_000, b'{"key":{}}'])
def test_what_is_no_json_is_refused(line: bytes) -> None:
    """Garbage of any kind is a ValueError, never another exception."""
    with pytest.raises(ValueError, match=r"\S"):
        decode_row(line)


def test_item_paths() -> None:
    """Data may lie anywhere below the root but in the manifest's folder."""
    assert is_item_path("7/a.json")
    assert is_item_path("_context/7/tags.json")
    assert is_item_path("_manifestation/a")
    assert not is_item_path("_manifest")
    assert not is_item_path("_Manifest/a")
    assert not is_item_path("../a")
