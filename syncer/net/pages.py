"""What every listing shares: it refuses to go in circles, and its cursors hold under the same conditions only."""

import hashlib
from typing import Protocol, TypeVar

import msgspec

from syncer.model.errors import BadBody
from syncer.model.refs import Cursor
from syncer.net.redact import redact_url
from syncer.ports import Selection


class Conditional(Protocol):
    """A decoded cursor."""

    @property
    def under(self) -> str:
        """The `conditions` that it was made under."""


P = TypeVar("P", bound=Conditional)


class RepeatedToken(BadBody):
    """The platform named a page that this listing has already read; going on would never end."""


class PageTokens:
    """The tokens one listing has followed. Keeps a digest-sized integer a page, not the tokens."""

    def __init__(self, url: str) -> None:
        """Take the listing's URL, for messages."""
        self._url = url
        self._seen: set[int] = set()

    def follow(self, token: str) -> str:
        """Return the token of the next page, noted.

        Raises:
            RepeatedToken: it was followed before.
        """
        mark = hash(token)
        if mark in self._seen:
            message = f"{redact_url(self._url)}: the platform repeats a page token after {len(self._seen)} pages"
            raise RepeatedToken(message, hint="the listing can't be trusted to end; report it to the platform")
        self._seen.add(mark)
        return token


def conditions(options: str, select: Selection) -> str:
    """Return a short name of what a listing is made under: a cursor made under something else does not apply."""
    since, until = select.since, select.until
    window = f"{since.isoformat() if since else ''}/{until.isoformat() if until else ''}"
    return hashlib.sha256(f"{options} {window}".encode()).hexdigest()[:16]


def applying(decoder: msgspec.json.Decoder[P], cursor: Cursor | None, under: str) -> P | None:
    """Return a decoded cursor; None if none applies: another format, other options, another time window."""
    if cursor is None:
        return None
    try:
        position = decoder.decode(cursor)
    except msgspec.DecodeError:
        return None
    return position if position.under == under else None
