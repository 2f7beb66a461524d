"""Requests side by side, their answers in the order of the questions."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

import anyio
import pytest

from syncer.net.ahead import in_order


async def test_results_come_in_order_and_no_more_jobs_run_than_allowed() -> None:
    """Later jobs that finish first wait for their turn."""
    running, peak = 0, 0
    gates = [asyncio.Event() for _ in range(6)]

    async def job(number: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        if number == 0:
            for gate in gates[1:3]:
                await gate.wait()
        gates[number].set()
        running -= 1
        return number

    jobs = (partial(job, number) for number in range(6))
    async with aclosing(in_order(jobs, 3)) as results:
        assert [result async for result in results] == list(range(6))
    assert peak == 3


async def test_a_failure_comes_after_the_results_before_it_and_ends_the_others() -> None:
    """No job is left running, and no exception is left unseen."""
    ended: list[int] = []

    async def job(number: int) -> int:
        try:
            if number in {2, 3}:
                message = f"job {number}"
                raise RuntimeError(message)
            if number > 3:
                await anyio.sleep_forever()
            return number
        finally:
            ended.append(number)

    jobs = (partial(job, number) for number in range(9))
    results = in_order(jobs, 5)
    assert [await anext(results), await anext(results)] == [0, 1]
    with pytest.raises(RuntimeError, match="job 2"):
        await anext(results)
    assert sorted(ended) == list(range(max(ended) + 1))


async def test_leaving_early_or_being_cancelled_ends_all_jobs() -> None:
    """A consumer that stops, and one whose scope is cancelled, leave nothing behind."""
    ended: list[int] = []

    async def job(number: int) -> int:
        try:
            if number:
                await anyio.sleep_forever()
            return number
        finally:
            ended.append(number)

    def jobs() -> list[Callable[[], Awaitable[int]]]:
        return [partial(job, number) for number in range(4)]

    async with aclosing(in_order(iter(jobs()), 4)) as results:
        async for _ in results:
            break
    assert sorted(ended) == [0, 1, 2, 3]
    ended.clear()
    with anyio.move_on_after(0.01) as scope:
        async with aclosing(in_order(iter(jobs()), 4)) as results:
            async for _ in results:
                pass
    assert scope.cancelled_caught
    assert sorted(ended) == [0, 1, 2, 3]
