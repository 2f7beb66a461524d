"""Requests of one listing side by side, their answers in the order of the questions."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import TypeVar

import anyio

T = TypeVar("T")


async def in_order(jobs: Iterator[Callable[[], Awaitable[T]]], ahead: int) -> AsyncGenerator[T]:
    """Run jobs side by side, at most `ahead` at once, and yield their results in the order of the jobs.

    The first failure ends it, after the results of the jobs before it; all others are cancelled.
    """
    # Plain tasks: a task group must not be left open across a yield (PEP 789).
    running: deque[asyncio.Future[T]] = deque()
    try:
        while True:
            while len(running) < ahead and (job := next(jobs, None)) is not None:
                running.append(asyncio.ensure_future(job()))
            if not running:
                return
            result = await running[0]
            running.popleft()
            yield result
    finally:
        for task in running:
            task.cancel()
        if running:
            with anyio.CancelScope(shield=True):
                await asyncio.wait(running)
            for task in running:
                if not task.cancelled():
                    # Looked at, so that a second failure is not reported as forgotten.
                    task.exception()
