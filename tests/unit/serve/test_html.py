"""HTML that is escaped by construction."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.serve.html import Content, Markup, document, element, join


class _Reader(HTMLParser):
    """Notes what a browser would see: tags with their attributes, and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(markup: str) -> _Reader:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(text=st.text(), value=st.text())
def test_text_stays_text(text: str, value: str) -> None:
    """Whatever a text or a value says, a browser sees one tag with this value, and the text in it."""
    seen = _read(element("p", text, title=value))
    assert seen.tags == [("p", {"title": value})]
    # What a parser makes of carriage returns and NUL is its own affair (HTML §13.2.3.5).
    assert seen.text.replace("\r", "\n") == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ""),
        ("<b>", "&lt;b&gt;"),
        (12, "12"),
        (Markup("<b>"), "<b>"),
        ([element("i", "&"), None, '"'], "<i>&amp;</i>&quot;"),
    ],
)
def test_content_is_escaped_once(content: Content, expected: str) -> None:
    """Markup stands as it is, text and numbers are escaped, nothing is nothing."""
    assert join(content) == expected


def test_attributes_that_are_left_out_are() -> None:
    """True is a bare attribute, None and False are none, and underscores are hyphens."""
    made = element("input", required=True, disabled=False, title=None, aria_label="x", class_="y")
    assert made == '<input required aria-label="x" class="y">'


def test_a_document_is_whole() -> None:
    """A page has its doctype, its language and its title."""
    seen = document("a < b", None, element("body"))
    assert seen.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>a &lt; b</title>" in seen
