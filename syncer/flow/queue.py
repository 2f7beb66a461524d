"""The queue between planning and fetching: one giver, many takers, bounded in items.

An anyio memory stream goes through the event loop for every item, also where one lies ready; at a document in a few
dozen microseconds that would be a tenth of everything. Closing is the signal, as with every other stream here.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Queue(Generic[T]):
    """First come, first served; one event loop."""

    __slots__ = ("_closed", "_giver", "_items", "_most", "_takers", "_unattended")

    def __init__(self, most: int, unattended: Callable[[], None] = lambda: None) -> None:
        """Allow so many items that wait to be taken; `unattended` is called for each that nobody waits for."""
        self._most = most
        self._unattended = unattended
        self._items: deque[T] = deque()
        self._takers: deque[asyncio.Future[None]] = deque()
        self._giver: asyncio.Future[None] | None = None
        self._closed = False

    async def put(self, item: T) -> None:
        """Hand over an item; waits while there is no room."""
        while not self.put_nowait(item):
            self._giver = asyncio.get_running_loop().create_future()
            await self._giver

    def put_nowait(self, item: T) -> bool:
        """Hand over an item if there is room; tell whether there was."""
        if len(self._items) >= self._most:
            return False
        self._items.append(item)
        if self._takers:
            self._wake()
        else:
            self._unattended()
        return True

    async def take(self) -> T | None:
        """Return the next item, waiting for it; None: it is closed, and nothing is left."""
        items = self._items
        while not items:
            if self._closed:
                return None
            waiter = asyncio.get_running_loop().create_future()
            self._takers.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.cancelled():
                    # Somebody who put or closed before this ran may have thrown it out already.
                    with suppress(ValueError):
                        self._takers.remove(waiter)
                else:
                    # The item that it was woken for is somebody else's.
                    self._wake()
                raise
        item = items.popleft()
        if self._giver is not None and not self._giver.done():
            self._giver.set_result(None)
        return item

    def close(self) -> None:
        """No more will be put; what is there can still be taken."""
        self._closed = True
        while self._takers:
            self._wake()

    def _wake(self) -> None:
        while self._takers:
            waiter = self._takers.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
