"""Work side by side, results in order: what listings read ahead with."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

import anyio

T = TypeVar("T")

#: One piece of work, not yet begun.
Job = Callable[[], Awaitable[T]]


async def in_order(jobs: AsyncIterator[Job[T]], ahead: int) -> AsyncGenerator[T]:
    """Run jobs side by side, at most `ahead` at once, and yield their results in the order of the jobs.

    A job is asked for when there is room for it. The first failure, of a job or of `jobs`, ends it after the results
    of the jobs before it; all others are cancelled.
    """
    # Plain tasks: a task group must not be left open across a yield (PEP 789).
    running: deque[asyncio.Future[T]] = deque()
    next_job: asyncio.Future[Job[T] | None] | None = None
    failure: BaseException | None = None
    more = True
    try:
        while True:
            if more and next_job is None and len(running) < ahead:
                next_job = asyncio.ensure_future(_next(jobs))
            waiting: set[asyncio.Future[Any]] = set()
            if next_job is not None:
                waiting.add(next_job)
            if running:
                waiting.add(running[0])
            if not waiting:
                break
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if next_job is not None and next_job.done():
                failure = next_job.exception()
                job = next_job.result() if failure is None else None
                next_job, more = None, job is not None
                if job is not None:
                    running.append(asyncio.ensure_future(job()))
            if running and running[0].done():
                yield running.popleft().result()
        if failure is not None:
            raise failure
    finally:
        await _cancelled({*running, *([] if next_job is None else [next_job])})


async def _next(jobs: AsyncIterator[Job[T]]) -> Job[T] | None:
    return await anext(jobs, None)


async def _cancelled(tasks: AbstractSet[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    with anyio.CancelScope(shield=True):
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            # Looked at, so that a second failure is not reported as forgotten.
            task.exception()
