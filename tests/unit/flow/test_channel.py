"""The byte-bounded stream between fetching and writing."""

import anyio
import pytest

from syncer.flow.channel import Channel


async def test_a_sender_waits_until_bytes_are_given_back() -> None:
    """The budget counts bytes until they are released, not until they are received."""
    channel: Channel[str] = Channel(10)
    await channel.send("a", 8)
    sent: list[str] = []

    async def send() -> None:
        await channel.send("b", 8)
        sent.append("b")

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        assert await channel.receive() == ["a"]
        await anyio.wait_all_tasks_blocked()
        assert sent == []
        channel.release(8)
    assert sent == ["b"]
    assert await channel.receive() == ["b"]


async def test_an_item_larger_than_the_budget_passes_alone() -> None:
    """One document larger than the whole budget is not a deadlock."""
    channel: Channel[str] = Channel(10)
    with anyio.fail_after(60):
        await channel.send("huge", 1000)
    assert channel.held == 1000


async def test_closing_ends_the_receiver_after_what_is_left() -> None:
    """What was sent before the end is still received; then an empty list says that it is over."""
    channel: Channel[str] = Channel(10)
    await channel.send("a", 1)
    channel.close()
    assert not channel.drained
    assert await channel.receive() == ["a"]
    assert await channel.receive() == []
    assert channel.drained
    with pytest.raises(anyio.BrokenResourceError):
        await channel.send("late", 1)


async def test_a_poke_wakes_the_receiver_with_nothing() -> None:
    """A group can be closed on time although nothing arrives."""
    channel: Channel[str] = Channel(10)
    got: list[list[str]] = []

    async def receive() -> None:
        got.append(await channel.receive())

    async with anyio.create_task_group() as group:
        group.start_soon(receive)
        await anyio.wait_all_tasks_blocked()
        channel.poke()
    assert got == [[]]
    assert not channel.drained


async def test_the_receiver_waits_until_there_is_enough() -> None:
    """A receiver that asks for several items gets them together, fewer once a sender waits for room or at the end."""
    channel: Channel[str] = Channel(100)
    got: list[list[str]] = []

    async def receive() -> None:
        while not channel.drained:
            got.append(await channel.receive(3))

    async with anyio.create_task_group() as group:
        group.start_soon(receive)
        for item in "abc":
            await anyio.wait_all_tasks_blocked()
            assert got == []
            await channel.send(item, 1)
        await anyio.wait_all_tasks_blocked()
        assert got == [["a", "b", "c"]]
        await channel.send("large", 90)
        await anyio.wait_all_tasks_blocked()
        assert got[1:] == [["large"]], "a good part of the budget is worth a hop"
        group.start_soon(channel.send, "more", 90)
        await anyio.wait_all_tasks_blocked()
        channel.release(93)
        await anyio.wait_all_tasks_blocked()
        await channel.send("last", 1)
        channel.close()
    assert [each for each in got[2:] if each] == [["more"], ["last"]]


async def test_a_sender_waits_behind_many_items() -> None:
    """However small items are, only so many wait; taking them makes room."""
    channel: Channel[int] = Channel(100, 2)
    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(channel.send, number, 0)
        await anyio.wait_all_tasks_blocked()
        got = await channel.receive(5)
        assert len(got) == 2
        while len(got) < 5:
            got += await channel.receive()
    assert sorted(got) == [0, 1, 2, 3, 4]
