"""Work side by side, results in order: what listings and lookups read ahead with."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")

#: One piece of work, not yet begun.
Job = Callable[[], Awaitable[T]]


async def in_order(jobs: AsyncIterator[Job[T]] | Iterable[Job[T]], ahead: int) -> AsyncGenerator[T]:
    """Run jobs side by side, at most `ahead` at once, and yield their results in the order of the jobs.

    A job is asked for when there is room for it. The first failure, of a job or of `jobs`, ends it after the results
    of the jobs before it; all others are cancelled.
    """
    line = _Line(jobs, ahead)
    try:
        while line.fill():
            await line.moved()
            if line.running and line.running[0].done():
                yield line.running.popleft().result()
        if line.failure is not None:
            raise line.failure
    finally:
        await line.close()


async def together(jobs: Iterable[Job[T]], most: int) -> list[T]:
    """Run jobs, at most so many at once, and return their results in order. The first failure ends all of them."""
    turns = asyncio.Semaphore(most)

    async def one(job: Job[T]) -> T:
        async with turns:
            return await job()

    tasks = [asyncio.ensure_future(one(job)) for job in jobs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await settled(tasks)


async def settled(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """Cancel what still runs, wait for its end, and look at what failed: no failure is reported as forgotten."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        with anyio.CancelScope(shield=True):
            await asyncio.wait(running)
    for task in tasks:
        if not task.cancelled():
            task.exception()


class _Line(Generic[T]):
    """What is running, in order, and where the next job comes from."""

    def __init__(self, jobs: AsyncIterator[Job[T]] | Iterable[Job[T]], ahead: int) -> None:
        # Plain tasks: a task group must not be left open across a yield (PEP 789).
        self.running: deque[asyncio.Future[T]] = deque()
        self.failure: BaseException | None = None
        self._jobs = jobs if isinstance(jobs, AsyncIterator) else iter(jobs)
        self._ahead = ahead
        self._more = True
        #: A job that is being asked for.
        self._asked: asyncio.Future[Job[T] | None] | None = None

    def fill(self) -> bool:
        """Begin what there is room for; tell whether anything is left to wait for."""
        while self._more and self._asked is None and len(self.running) < self._ahead:
            if isinstance(self._jobs, AsyncIterator):
                self._asked = asyncio.ensure_future(_next(self._jobs))
            else:
                self._begin(next(self._jobs, None))
        return bool(self.running) or self._asked is not None

    async def moved(self) -> None:
        """Wait for the first result, or for another job."""
        waiting: set[asyncio.Future[Any]] = {self.running[0]} if self.running else set()
        if self._asked is not None:
            waiting.add(self._asked)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            self.failure = asked.exception()
            self._begin(None if self.failure is not None else asked.result())

    async def close(self) -> None:
        """Cancel what still runs, and wait for its end."""
        await settled([*self.running, *([] if self._asked is None else [self._asked])])

    def _begin(self, job: Job[T] | None) -> None:
        self._more = job is not None
        if job is not None:
            self.running.append(asyncio.ensure_future(job()))


async def _next(jobs: AsyncIterator[Job[T]]) -> Job[T] | None:
    return await anext(jobs, None)
