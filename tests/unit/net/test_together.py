"""Requests side by side."""

import asyncio
from functools import partial

import anyio
import pytest

from syncer.net.ahead import together


async def test_together_keeps_order_and_bounds() -> None:
    """All results come at once, in the order of the jobs, and no more than allowed run side by side."""
    running, peak = 0, 0

    async def job(number: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(9 - number):
            await asyncio.sleep(0)
        running -= 1
        return number

    assert await together([partial(job, number) for number in range(9)], 4) == list(range(9))
    assert peak == 4
    assert await together([], 4) == []


async def test_together_ends_with_the_first_failure() -> None:
    """It passes as it is, not in a group, and no job is left running."""
    ended: list[int] = []

    async def job(number: int) -> None:
        try:
            if number == 1:
                message = "job 1"
                raise RuntimeError(message)
            await anyio.sleep_forever()
        finally:
            ended.append(number)

    with pytest.raises(RuntimeError, match="job 1"):
        await together([partial(job, number) for number in range(5)], 3)
    assert sorted(ended) == [0, 1, 2] or sorted(ended) == [0, 1, 2, 3]
