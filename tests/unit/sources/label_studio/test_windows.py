"""Windows: disjoint spans read side by side, handed on in order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.net.ahead import in_order
from syncer.sources.label_studio.pace import Pace
from syncer.sources.label_studio.windows import Plan


@given(
    first=st.integers(1, 1000),
    width=st.integers(0, 5000),
    density=st.floats(0, 1),
    rows=st.integers(1, 300),
    totals=st.lists(st.integers(0, 400), max_size=50),
)
def test_windows_cover_every_id_exactly_once(
    first: int, width: int, density: float, rows: int, totals: list[int]
) -> None:
    """Whatever is learned about the density on the way, spans touch and never overlap."""
    plan = Plan(first, first + width, density, Pace(rows, 1000))
    expected = first
    for span, total in zip(plan, [*totals, *([rows] * 6000)], strict=False):
        assert span.first == expected
        assert span.last >= span.first
        expected = span.last + 1
        plan.learn(span, total)
    assert expected == first + width + 1


def test_sparse_projects_get_wide_windows() -> None:
    """A project with one task in a thousand ids does not cost a request per thousand ids."""
    plan = Plan(1, 10_000_000, 0.001, Pace(250, 1000))
    assert sum(1 for _ in plan) < 60


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
