"""Room for documents that are being fetched: taken before a request, given back once its documents are handed on.

The channel behind the fetchers counts documents that were sent to it. What waits for a place in it, and what is still
arriving, is as many documents as there are fetchers: harmless while they are small, a multiple of the memory limit
once they are not. So their bytes are counted here, by what the listing says of a size, else by what was seen of sizes.
"""

from collections import deque

import anyio

from syncer.ports import Share, whole

#: Requests that begin together before any size is known: as many as the network's slow start lets through.
FIRST = 4
#: How fast the expectation follows documents that are smaller than it; it follows larger ones at once.
FOLLOW = 0.1


class Room:
    """Bytes for all fetchers of a run, first come, first served; one event loop."""

    def __init__(self, budget: int, largest: int, batch: int = 1, share: Share = whole) -> None:
        """Take the bytes there are, above how many a document lies in the spool instead, and documents of a request.

        A single request for more than the budget passes alone.
        """
        self._budget = budget
        self._share = share
        self._largest = largest
        self._held = 0
        self._waiting: deque[tuple[int, anyio.Event]] = deque()
        #: What a document of unknown size is taken for; until some were seen, so much that few requests begin.
        self._expected = min(float(largest), budget / (FIRST * batch))

    @property
    def held(self) -> int:
        """Bytes taken and not given back."""
        return self._held

    def weight(self, size: int | None) -> int:
        """Return the bytes to take for a document; None: nobody knows its size yet."""
        return min(int(self._expected) if size is None else size, self._largest)

    async def take(self, weight: int) -> None:
        """Wait until there is room, and take it."""
        if self.take_nowait(weight):
            return
        mine = (weight, anyio.Event())
        self._waiting.append(mine)
        try:
            await mine[1].wait()
        except BaseException:
            if mine in self._waiting:
                self._waiting.remove(mine)
                self._admit()
            else:
                self.give(weight)
            raise

    def take_nowait(self, weight: int) -> bool:
        """Take room if that needs no waiting; tell whether there was any."""
        if self._waiting or not self._fits(weight):
            return False
        self._held += weight
        return True

    def arrived(self, weight: int, in_memory: int, size: int) -> int:
        """Weigh a document anew by the bytes that it takes in memory, none if it was spooled; return them."""
        seen = min(size, self._largest)
        self._expected = max(float(seen), self._expected + FOLLOW * (seen - self._expected))
        self._held += in_memory - weight
        if in_memory < weight:
            self._admit()
        return in_memory

    def give(self, weight: int) -> None:
        """Give bytes back."""
        self._held -= weight
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            weight, event = self._waiting.popleft()
            self._held += weight
            event.set()

    def _fits(self, weight: int) -> bool:
        return not self._held or self._held + weight <= self._budget * self._share()
