"""One thread that owns a connection: what is asked of it is done in order, each function to its end.

Because a function runs to its end once it has begun, a caller that is cancelled never leaves half of its work behind:
either the function had not begun and never runs, or it ends behind the caller's back.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio

T = TypeVar("T")


class OneThread:
    """A queue into one thread."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="syncer-state")

    async def call(self, work: Callable[[], T]) -> T:
        """Run something in the thread; cancelled callers don't wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def finish(self, work: Callable[[], T]) -> T:
        """Run something in the thread that must happen even if the caller is being cancelled."""
        future = self._executor.submit(work)
        waiter = asyncio.shield(asyncio.wrap_future(future))
        with anyio.CancelScope(shield=True):
            await waiter
        return future.result()

    def end(self) -> None:
        """Take nothing more. Idempotent."""
        self._executor.shutdown(wait=False)
