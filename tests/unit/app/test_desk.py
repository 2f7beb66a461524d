"""The daemon's desk: when visitors hear that something changed."""

import asyncio
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

from syncer.app.desk import Desk
from tests.support.clock import START, InstantClock


def _desk() -> tuple[Desk, InstantClock]:
    clock = InstantClock()
    nobody: Any = SimpleNamespace(clock=clock)
    return Desk("1", START, nobody, nobody, nobody), clock


async def test_what_rings_while_a_visitor_is_busy_is_heard() -> None:
    """A change that comes while a visitor looks at the one before is told next: the last one is never lost."""
    desk, clock = _desk()
    async with aclosing(desk.changes()) as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        desk.ring()
        await first
        # The visitor still draws the page: what it has seen is outdated already.
        desk.ring()
        await asyncio.wait_for(anext(changes), 10)
    assert clock.slept == [1.0]


async def test_every_visitor_hears_of_a_change() -> None:
    """Several who wait are told of the same change, each once, and then wait for the next."""
    desk, _ = _desk()
    async with aclosing(desk.changes()) as one, aclosing(desk.changes()) as other:
        waiting = [asyncio.ensure_future(anext(each)) for each in (one, other)]
        await asyncio.sleep(0)
        desk.ring()
        await asyncio.wait_for(asyncio.gather(*waiting), 10)
        again = [asyncio.ensure_future(anext(each)) for each in (one, other)]
        done, _ = await asyncio.wait(again, timeout=0.05)
        assert not done
        desk.ring()
        await asyncio.wait_for(asyncio.gather(*again), 10)
