"""Refuses a listing that goes in circles: a page token or URL that was already followed."""

from syncer.model.errors import BadBody
from syncer.net.redact import redact_url


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
