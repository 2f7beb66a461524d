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
    with anyio.fail_after(1):
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
