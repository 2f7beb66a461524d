"""Requests side by side: at most so many at once, results in the order in which they were asked for."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable
from typing import TypeVar

import anyio

T = TypeVar("T")


async def together(jobs: Iterable[Callable[[], Awaitable[T]]], most: int) -> list[T]:
    """Run jobs, at most so many at once, and return their results in order. The first failure ends all of them."""
    turns = asyncio.Semaphore(most)

    async def one(job: Callable[[], Awaitable[T]]) -> T:
        async with turns:
            return await job()

    tasks = [asyncio.ensure_future(one(job)) for job in jobs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await settled(tasks)


async def in_order(jobs: Iterable[Callable[[], Awaitable[T]]], ahead: int) -> AsyncGenerator[T]:
    """Run jobs side by side, at most `ahead` at once, and yield their results in the order of the jobs.

    The first failure ends it, after the results of the jobs before it; all others are cancelled.
    """
    left = iter(jobs)
    # Plain tasks: a task group must not be left open across a yield (PEP 789).
    running: deque[asyncio.Future[T]] = deque()
    try:
        while True:
            while len(running) < ahead and (job := next(left, None)) is not None:
                running.append(asyncio.ensure_future(job()))
            if not running:
                return
            result = await running[0]
            running.popleft()
            yield result
    finally:
        await settled(running)


async def settled(tasks: Collection["asyncio.Future[T]"]) -> None:
    """Cancel what still runs, and look at what failed, so that no failure is reported as forgotten."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        with anyio.CancelScope(shield=True):
            await asyncio.wait(running)
    for task in tasks:
        if not task.cancelled():
            task.exception()
