"""Entries on their way into an archive, several packed at once: one thread appends, and all cores deflate.

An archive has one owner, so what it appends would be deflated by one core only. Documents below `LARGE` stay there: the
interpreter's lock is what they wait for, and handing one over costs more than is won.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

from syncer.model.entries import Entry
from syncer.sinks.zip64.deflate import Packed

#: Bytes of a document that another thread packs, and of all that are packed ahead of the one that is appended next.
LARGE, AHEAD = 48 * 1024, 4 * 1024 * 1024
#: Threads of the process for this, at most: one event loop can't bring more than so many pack.
MOST = 4


def packed(pack: Callable[[Entry], Packed], entries: Sequence[Entry]) -> Generator[Packed, None, None]:
    """Yield what `pack` makes of each entry, in their order; large ones are made ahead, by other threads.

    Raises what `pack` raises; nothing that was made and not yielded stays open.
    """
    if sum(entry.size >= LARGE for entry in entries) < 2 or cores() < 2:  # noqa: PLR2004  # nothing beside anything
        yield from map(pack, entries)
        return
    coming = deque(entries)
    made: deque[tuple[Entry, Future[Packed] | None]] = deque()
    ahead = 0
    try:
        for _ in entries:
            while coming and (not made or ahead + coming[0].size <= AHEAD):
                entry = coming.popleft()
                made.append((entry, _hands().submit(_whole, pack, entry) if entry.size >= LARGE else None))
                ahead += entry.size
            entry, future = made.popleft()
            ahead -= entry.size
            yield pack(entry) if future is None else future.result()
    finally:
        for _, future in made:
            if future is not None and not future.cancel():
                future.add_done_callback(_discard)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=1)
def _hands() -> ThreadPoolExecutor:
    """Return the threads, which all archives of the process share; they start when there is work."""
    return ThreadPoolExecutor(min(MOST, cores()), thread_name_prefix="syncer-pack")


def _whole(pack: Callable[[Entry], Packed], entry: Entry) -> Packed:
    result = pack(entry)
    _ = entry.sha256  # computed here, and kept by the entry for its receipt
    return result


def _discard(future: "Future[Packed]") -> None:
    if future.exception() is None and not isinstance(payload := future.result().payload, bytes):
        payload.close()
