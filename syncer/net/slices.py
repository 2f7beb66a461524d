"""Cuts a page of JSON into the exact bytes of its rows: nothing is decoded and encoded again.

A page that a strict parser refuses (NaN, half a surrogate pair) is cut by a lenient one, so that only the rows that are
really broken are lost, and can be named.
"""

import json
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody
from syncer.net.rows import Steps, rows_of


class Unreadable(BadBody):
    """An answer that is not JSON, or not of the expected form."""


class RawPage(msgspec.Struct):
    """Rows as they were served, and the token of the page behind them."""

    rows: Sequence[bytes]
    next: str | None
    #: The server's clock.
    date: datetime | None = None


_PAGE = msgspec.json.Decoder(dict[str, Raw])
_TOKEN = msgspec.json.Decoder(str | None)
_LENIENT = json.JSONDecoder(strict=False)
_NULL = Raw(b"null")


def read_page(body: bytes, rows: str = "items", token: str = "nextPage") -> Steps[RawPage]:  # noqa: S107  # a key of JSON
    """Cut an answer into the rows of one list of it; a list or a token that is missing or null is empty.

    Raises:
        Unreadable: it is no page.
    """
    found: list[bytes] = []
    cut = rows_of(body, rows)
    try:
        while True:
            try:
                row = next(cut)
            except StopIteration as end:
                rest: bytes = end.value
                break
            found.append(row)
            yield len(row)
        return RawPage(found, _TOKEN.decode(_PAGE.decode(rest).get(token, _NULL)))
    except (ValueError, RecursionError) as error:
        return _leniently(body, rows, token, error)


def name_of(row: bytes, field: str) -> str:
    """Return an id out of a row that a strict parser refuses; empty if there is none."""
    try:
        value = _LENIENT.decode(row.decode())
    except (ValueError, RecursionError):
        return ""
    name = value.get(field) if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def _leniently(body: bytes, wanted: str, token: str, cause: Exception) -> RawPage:
    try:
        text = body.decode()
        rows: list[bytes] = []
        following: object = None
        place = _skip(text, text.index("{") + 1)
        while text[place] != "}":
            key, place = _LENIENT.raw_decode(text, _skip(text, place, ","))
            place = _skip(text, place, ":")
            if key == wanted and text[place] == "[":
                place = _skip(text, place + 1)
                while text[place] != "]":
                    start = _skip(text, place, ",")
                    _, end = _LENIENT.raw_decode(text, start)
                    rows.append(text[start:end].encode())
                    place = _skip(text, end)
                place += 1
            else:
                value, place = _LENIENT.raw_decode(text, place)
                following = value if key == token else following
            place = _skip(text, place)
    except (ValueError, IndexError, RecursionError) as error:
        words = "it nests too deeply" if isinstance(error, RecursionError) else str(cause)[:200]
        raise Unreadable(f"the answer can't be read: {words}") from error
    return RawPage(rows, following if isinstance(following, str) else None)


def _skip(text: str, place: int, sign: str = "") -> int:
    """Return the place behind white space and one sign."""
    while text[place] in " \t\r\n" or (sign and text[place] == sign):
        sign = "" if text[place] == sign else sign
        place += 1
    return place
