"""Work side by side, results in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from syncer.net.ahead import Job, in_order


class Work:
    """Jobs that end when they are told to."""

    def __init__(self, count: int) -> None:
        """Prepare some."""
        self.ends = [asyncio.Event() for _ in range(count)]
        self.begun: list[int] = []
        self.cancelled: list[int] = []

    async def jobs(self) -> AsyncIterator[Job[int]]:
        """Yield them."""
        for number in range(len(self.ends)):
            yield lambda number=number: self._run(number)

    async def _run(self, number: int) -> int:
        self.begun.append(number)
        try:
            await self.ends[number].wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number


async def taken(jobs: AsyncIterator[Job[int]], into: list[int]) -> None:
    """Take results, four jobs ahead, until something ends it."""
    async for result in in_order(jobs, 4):
        into += [result]


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_results_come_in_the_order_of_the_jobs() -> None:
    """However they end, and never more than so many at a time."""
    work = Work(6)
    found: list[int] = []

    async def read() -> None:
        found.extend([result async for result in in_order(work.jobs(), 3)])

    task = asyncio.create_task(read())
    await settled()
    assert work.begun == [0, 1, 2]
    work.ends[2].set()
    work.ends[1].set()
    await settled()
    assert (found, work.begun) == ([], [0, 1, 2])
    for end in work.ends:
        end.set()
    await task
    assert found == [0, 1, 2, 3, 4, 5]


async def test_a_failure_comes_after_the_results_before_it() -> None:
    """The first failure ends it; what was still running is cancelled."""
    work = Work(4)

    async def failing() -> int:
        raise ValueError("no")

    async def jobs() -> AsyncIterator[Job[int]]:
        number = 0
        async for job in work.jobs():
            yield failing if number == 1 else job
            number += 1

    work.ends[0].set()
    found: list[int] = []
    with pytest.raises(ValueError, match="no"):
        await taken(jobs(), found)
    assert found == [0]
    assert set(work.cancelled) <= {2, 3}
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_source_of_jobs_that_fails_loses_no_result() -> None:
    """What was begun before the failure is handed on first."""
    work = Work(2)

    async def jobs() -> AsyncIterator[Job[int]]:
        async for job in work.jobs():
            yield job
        raise ValueError("no more")

    for end in work.ends:
        end.set()
    found: list[int] = []
    with pytest.raises(ValueError, match="no more"):
        await taken(jobs(), found)
    assert found == [0, 1]


async def test_closing_cancels_what_runs() -> None:
    """Whoever stops reading leaves no task behind."""
    work = Work(4)
    work.ends[0].set()
    async with aclosing(in_order(work.jobs(), 3)) as results:
        assert await anext(results) == 0
        await settled()
    assert set(work.cancelled) == set(work.begun) - {0}


async def test_no_jobs_are_no_results() -> None:
    """An empty source ends at once, one that waits for nothing as well as one that does."""
    assert [result async for result in in_order(Work(0).jobs(), 3)] == []
    assert [result async for result in in_order(iter(()), 3)] == []
