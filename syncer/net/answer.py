"""What this room looks at of an answer, whichever way it came: aiohttp's, or that of `net/reply.py`."""

from collections.abc import Mapping
from typing import Protocol


class Content(Protocol):
    """The body of an answer; aiohttp's `StreamReader` is one."""

    def is_eof(self) -> bool:
        """Tell whether nothing more will arrive."""

    def at_eof(self) -> bool:
        """Tell whether everything was read."""

    async def readany(self) -> bytes:
        """Return what has arrived, waiting if that is nothing; empty at the end."""


class Answer(Protocol):
    """What this room looks at of an answer; aiohttp's `ClientResponse` is one."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The head; names in any case."""

    @property
    def content(self) -> Content:
        """The body."""

    @property
    def closed(self) -> bool:
        """Whether its connection was given back."""

    def release(self) -> object:
        """Give the connection back; what is left of the body is not wanted."""
