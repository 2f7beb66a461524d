"""An answer to a plain GET: just the face of aiohttp's that the rest of this room looks at (`net/answer.py`)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from multidict import CIMultiDict

#: Bytes of an answer that wait to be read before the connection is told to wait.
MOST_WAITING = 256 * 1024


class Giver(Protocol):
    """Where an answer comes from: a connection."""

    def resume(self) -> None:
        """Let more of the body come."""

    def finished(self, *, whole: bool) -> None:
        """The answer was taken, all of it or not."""


class Reply:
    """An answer: its head, and its body as it arrives."""

    __slots__ = (
        "_chunks", "_connection", "_error", "_fields", "_headers", "_waiter", "_waiting", "coded", "complete", "status",
    )  # fmt: skip

    def __init__(self, connection: "Giver", status: int, fields: Sequence[tuple[bytes, bytes]], *, coded: bool) -> None:
        """Take the head."""
        self.status = status
        #: The body has a content coding.
        self.coded = coded
        self._fields = fields
        self._headers: CIMultiDict[str] | None = None
        #: The whole body is here, read or not.
        self.complete = False
        self._connection: Giver | None = connection
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def headers(self) -> CIMultiDict[str]:
        """The head. Nearly nobody asks for it, so it is read when somebody does."""
        if self._headers is None:
            self._headers = CIMultiDict(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in self._fields
            )
        return self._headers

    @property
    def size(self) -> int:
        """Bytes that wait to be read."""
        return self._waiting

    def taken(self) -> bytes:
        """Return a body of which all is here."""
        chunks = self._chunks
        data = chunks.popleft() if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._waiting = 0
        return data

    @property
    def content(self) -> "Reply":
        """The body; it is read here."""
        return self

    @property
    def closed(self) -> bool:
        """Whether the connection was given back."""
        return self._connection is None

    def is_eof(self) -> bool:
        """Tell whether nothing more will arrive."""
        return self.complete

    def at_eof(self) -> bool:
        """Tell whether everything was read."""
        return self.complete and not self._chunks

    async def readany(self) -> bytes:
        """Return what has arrived, waiting if that is nothing; empty at the end.

        Raises:
            aiohttp.ClientError: the connection broke.
        """
        while not self._chunks:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self.taken()
        if self._connection is not None and not self.complete:
            self._connection.resume()
        return data

    def release(self) -> None:
        """Give the connection back; it is closed if something of the answer is still to come."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finished(whole=self.complete)

    def feed(self, data: bytes) -> bool:
        """Take a piece of the body; tell whether the sender should wait."""
        self._chunks.append(data)
        self._waiting += len(data)
        self._wake()
        return self._waiting > MOST_WAITING

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes: all is here, or the connection broke."""
        if error is None:
            self.complete = True
        else:
            self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
