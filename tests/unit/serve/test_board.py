"""One snapshot for all visitors."""

import asyncio
from contextlib import aclosing

from syncer.model.errors import StoreFailed
from syncer.model.events import Event, Warned
from syncer.serve.board import Board
from tests.support.clock import InstantClock
from tests.support.desk import NOW, Desk, idle, lively, owing, ran


def _board(desk: Desk, events: list[Event] | None = None) -> tuple[Board, InstantClock]:
    clock = InstantClock()
    return Board(desk, clock, ([] if events is None else events).append), clock


async def test_many_visitors_are_one_look() -> None:
    """A hundred visitors at once cost the daemon one question, and another only when a second is over."""
    desk = lively()
    board, clock = _board(desk)
    shown = await asyncio.gather(*(board.current() for _ in range(100)))
    assert desk.looks == 1
    assert all(each is shown[0] for each in shown)
    clock.seconds += 2
    await board.current()
    assert desk.looks == 2


async def test_nobody_looks_so_nobody_is_asked() -> None:
    """Without visitors, changes cost nothing; with one that follows, each is passed on."""
    desk = lively()
    board, _ = _board(desk)
    watching = asyncio.create_task(board.watch())
    try:
        desk.moved()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.looks == 0
        async with aclosing(board.follow(30.0)) as snapshots:
            first = await anext(snapshots)
            desk.change("street", items=48_113)
            second = await anext(snapshots)
        assert first is not None
        assert second is not None
        assert [view.items for view in (first.jobs[1], second.jobs[1])] == [48_112, 48_113]
        assert board.followers == 0
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def test_silence_is_told_and_an_end_is_one() -> None:
    """A visitor who follows hears of silence, and ends when the board does."""
    board, _ = _board(lively())
    async with aclosing(board.follow(0.001)) as snapshots:
        assert await anext(snapshots) is not None
        assert await anext(snapshots) is None
        board.close()
        assert [each async for each in snapshots] == []


async def test_what_is_wrong_stands_beside_what_was() -> None:
    """A state that can't be read leaves the page as it was, and says so; so does a bug, which the log hears of too."""
    desk, events = lively(), list[Event]()
    board, clock = _board(desk, events)
    before = await board.current()
    desk.broken = StoreFailed("the state can't be read: disk I/O error")
    clock.seconds += 2
    after = await board.current()
    assert after.jobs == before.jobs
    assert after.trouble == "the state can't be read: disk I/O error"
    assert events == []
    desk.broken = RuntimeError("oops")
    clock.seconds += 2
    assert (await board.current()).trouble == "the page can't be drawn anew: RuntimeError"
    assert [event.message for event in events if isinstance(event, Warned)] == [
        "the page can't be drawn anew: RuntimeError: oops"
    ]
    desk.broken = None
    clock.seconds += 2
    assert (await board.current()).trouble is None


async def test_histories_are_read_once_a_run() -> None:
    """Runs of a job are asked for when it has run again, owed items when their number changes: not with every look."""
    desk = Desk()
    first = ran("street", NOW, stored=1)
    desk.history = [first]
    desk.views = {"street": idle("street", last=first, owed=1)}
    desk.debts = {"street": owing("street", 1)}
    board, clock = _board(desk)
    shown = await board.current()
    assert [len(shown.runs["street"]), len(shown.owed["street"])] == [1, 1]
    desk.history.append(ran("street", NOW.replace(hour=15), stored=2))
    desk.debts["street"] += owing("street", 1)
    clock.seconds += 2
    again = await board.current()
    assert again.runs["street"] is shown.runs["street"]
    assert again.owed["street"] is shown.owed["street"]
    desk.change("street", last=desk.history[-1], owed=2)
    clock.seconds += 2
    later = await board.current()
    assert [len(later.runs["street"]), len(later.owed["street"])] == [2, 2]
