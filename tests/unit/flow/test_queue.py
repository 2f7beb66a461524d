"""The queue between planning and fetching: bounded, first come first served; a cancelled taker loses nothing."""

import asyncio
from collections.abc import Callable

import anyio
import pytest

from syncer.flow.queue import Queue


async def test_items_come_out_in_order_and_closing_ends_it() -> None:
    """What is there when the queue is closed can still be taken; then every taker hears of the end."""
    queue = Queue[int](3)
    assert all(queue.put_nowait(number) for number in range(3))
    assert not queue.put_nowait(3)
    queue.close()
    assert [await queue.take() for _ in range(5)] == [0, 1, 2, None, None]


async def test_a_full_queue_holds_its_giver_back() -> None:
    """A giver goes on only once something was taken."""
    queue = Queue[int](1)
    await queue.put(1)
    async with anyio.create_task_group() as group:
        group.start_soon(queue.put, 2)
        await anyio.wait_all_tasks_blocked()
        assert not queue.put_nowait(3)
        assert [await queue.take(), await queue.take()] == [1, 2]


async def test_takers_that_wait_all_hear_of_the_end() -> None:
    """Closing wakes up whoever waits."""
    queue, ends = Queue[int](1), list[int | None]()

    async def taker() -> None:
        ends.append(await queue.take())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(taker)
        await anyio.wait_all_tasks_blocked()
        queue.close()
    assert ends == [None] * 3


async def test_an_item_goes_on_to_the_next_taker_when_the_first_one_is_cancelled() -> None:
    """Cancelled while it waits, or after it was woken up: either way another taker gets the item."""
    queue = Queue[int](2)
    tasks = [asyncio.create_task(queue.take()) for _ in range(3)]
    await anyio.wait_all_tasks_blocked()
    tasks[0].cancel()
    await anyio.wait_all_tasks_blocked()
    assert queue.put_nowait(7)
    tasks[1].cancel()
    assert await tasks[2] == 7
    assert [task.cancelled() for task in tasks] == [True, True, False]


@pytest.mark.parametrize("end", [Queue[int].close, lambda queue: queue.put_nowait(7)], ids=["close", "put"])
async def test_takers_that_are_cancelled_at_the_same_instant_are_just_cancelled(
    end: Callable[[Queue[int]], object],
) -> None:
    """What ends the giver may cancel the takers before: each of them ends with that, and with no other error."""
    queue = Queue[int](1)
    tasks = [asyncio.create_task(queue.take()) for _ in range(3)]
    await anyio.wait_all_tasks_blocked()
    for task in tasks:
        task.cancel()
    end(queue)
    await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [True] * 3


async def test_what_nobody_waits_for_is_told() -> None:
    """Whoever starts takers hears of each item that none waits for, and of no other."""
    told: list[int] = []
    queue = Queue[int](4, lambda: told.append(1))
    queue.put_nowait(1)
    assert len(told) == 1
    assert await queue.take() == 1
    async with anyio.create_task_group() as group:
        group.start_soon(queue.take)
        await anyio.wait_all_tasks_blocked()
        queue.put_nowait(2)
        assert len(told) == 1
        # The only taker is woken already.
        queue.put_nowait(3)
        assert len(told) == 2
    assert await queue.take() == 3
