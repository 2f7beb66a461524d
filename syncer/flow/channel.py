"""A stream between two stages that is bounded in bytes first, and in items.

Memory then grows with the budget and the largest single item, whatever the sizes of documents are; the bound in
items is for what has to be fetched again if the process dies while the receiver is slow. The receiver takes all
that is there at once, and may wait until that is worth a hop; it gives the bytes back when it is done with them.
Closing is the signal, as with every other stream here.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

import anyio

from syncer.ports import Share, whole

T = TypeVar("T")


class Channel(Generic[T]):
    """Many senders, one receiver, one event loop."""

    def __init__(self, budget: int, most: int = 512, share: Share = whole) -> None:
        """Allow `budget` bytes between `send` and `release`, and `most` items that wait to be received.

        A single item larger than the budget passes alone. Only a share of the budget may be used.
        """
        self._budget = budget
        self._share = share
        self._most = most
        self._items: list[T] = []
        self._held = 0
        #: Items that wake the receiver, and bytes that do.
        self._enough = 1
        # While the receiver is busy with one half, the other one fills.
        self._plenty = max(1, budget // 2)
        self._queued = 0
        self._closed = False
        self._poked = False
        self._arrival = anyio.Event()
        #: Senders that found no room, with what they have in hand.
        self._waiting: deque[tuple[asyncio.Future[bool], T, int]] = deque()

    @property
    def held(self) -> int:
        """Bytes sent and not yet released."""
        return self._held

    async def send(self, item: T, size: int) -> None:
        """Hand over an item; waits while there is no room.

        Raises:
            anyio.BrokenResourceError: the receiver is gone.
        """
        if self.send_nowait(item, size):
            return
        if self._closed:
            raise anyio.BrokenResourceError
        if self._items:
            self.poke()
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((waiter, item, size))
        if not await waiter:
            raise anyio.BrokenResourceError

    def send_nowait(self, item: T, size: int) -> bool:
        """Hand over an item if that needs no waiting; tell whether it was handed over."""
        if self._closed or self._waiting or not self._fits(size):
            return False
        self._add(item, size)
        return True

    async def receive(self, enough: int = 1) -> list[T]:
        """Wait until `enough` items, or a good part of the budget, are there; return all that is.

        It may be less, or nothing, after `poke`, once a sender waits for room, and when the stream is closed.
        """
        self._enough = enough
        while len(self._items) < enough and self._queued < self._plenty and not (self._closed or self._poked):
            if self._arrival.is_set():
                self._arrival = anyio.Event()
            await self._arrival.wait()
        items, self._items = self._items, []
        self._queued, self._poked = 0, False
        self._admit()
        return items

    def release(self, size: int) -> None:
        """Give bytes back that the receiver no longer holds."""
        self._held -= size
        self._admit()

    def poke(self) -> None:
        """Make the receiver look up, even if nothing arrived."""
        self._poked = True
        self._arrival.set()

    @property
    def drained(self) -> bool:
        """Tell whether it is closed and empty."""
        return self._closed and not self._items

    def close(self) -> None:
        """No more will be sent; what is in the stream can still be received."""
        self._closed = True
        self._arrival.set()
        for waiter, _, _ in self._waiting:
            if not waiter.done():
                waiter.set_result(False)
        self._waiting.clear()

    def _add(self, item: T, size: int) -> None:
        self._items.append(item)
        self._held += size
        self._queued += size
        if len(self._items) >= self._enough or self._queued >= self._plenty:
            self._arrival.set()

    def _admit(self) -> None:
        """Take what those who wait have in hand, first come, first served: each is woken once."""
        waiting = self._waiting
        while waiting:
            waiter, item, size = waiting[0]
            if not waiter.done():
                if not self._fits(size):
                    return
                self._add(item, size)
                waiter.set_result(True)
            waiting.popleft()

    def _fits(self, size: int) -> bool:
        return len(self._items) < self._most and (not self._held or self._held + size <= self._budget * self._share())
