"""aioresponses for an aiohttp that is newer than it: JSON pages without a server.

aioresponses builds `ClientResponse` objects without an argument that aiohttp 3.14 requires; a subclass supplies it.
Bodies above 128 kB and everything about connections need a real server: see `tests.support.servers`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock, patch

import aiohttp
import aioresponses.core


class MockedResponse(aiohttp.ClientResponse):
    """A response that stands without a connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Supply the writer that there is none of."""
        kwargs.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **kwargs)


@contextmanager
def mocked() -> Iterator[aioresponses.aioresponses]:
    """Answer all requests of aiohttp sessions from what the test registers: `mock.get(url, payload=...)`."""
    with patch.object(aioresponses.core, "ClientResponse", MockedResponse), aioresponses.aioresponses() as mock:
        yield mock
