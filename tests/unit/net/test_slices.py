"""Pages cut into exact rows: what may be missing, and what is no page."""

import pytest

from syncer.net.rows import at_once
from syncer.net.slices import Unreadable, name_of, read_page


@pytest.mark.parametrize(
    "body", [b'{"items":null}', b"{}", b'{"items":[],"nextPage":null}', b'{"items":[],"nextPage":""}']
)
def test_missing_keys_are_an_empty_last_page(body: bytes) -> None:
    """Each key of a page may be missing or null."""
    page = at_once(read_page(body))
    assert not page.rows
    assert not page.next


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"items":[{"a":1}', b'{"items":[\xff]}', b"[" * 50_000])
def test_what_is_no_page_is_refused(body: bytes) -> None:
    """A page that is cut short, of another form or another language is an error, never an empty page."""
    with pytest.raises(Unreadable):
        at_once(read_page(body))


def test_other_names_of_rows_and_token() -> None:
    """A platform calls them as it likes; values around them, of any kind, pass by."""
    page = at_once(read_page(b'{"a":{"data":[9]},"data":[{"x":1.10},2],"after":"t","data2":[1]}', "data", "after"))
    assert (page.rows, page.next) == ([b'{"x":1.10}', b"2"], "t")


def test_a_broken_row_still_has_its_name() -> None:
    """Its id is found by a lenient look; what is no object has none."""
    assert name_of(b'{"id":"a1","x":NaN}', "id") == "a1"
    assert name_of(b'{"id":5}', "id") == name_of(b"[1]", "id") == name_of(b"\xff", "id") == ""
