"""Schedules of a fleet: each turn is taken once, by whoever looks first, and a run comes with it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syncer.fleet import orders, tick
from syncer.schedule import memory
from syncer.schedule.due import Past
from syncer.schedule.memory import Memory
from syncer.sources.memory import MemoryPlatform
from tests.unit.fleet.conftest import Member, joined


async def remembered(member: Member) -> Memory:
    """Return what is known of the schedule."""
    return memory.load((await member.syncer.store.recall("clock")).get(memory.NAME))


async def last_turn(member: Member, ago: timedelta) -> None:
    """Let the last turn lie so far back."""
    known = Memory(Past(datetime.now(UTC) - ago)).dump()
    await member.syncer.store.remember("clock", memory.NAME, known)


async def test_a_turn_is_taken_once(config: Path, platform: MemoryPlatform) -> None:
    """Two workers look at the same moment: one run, and the next turn is tomorrow's."""
    async with joined(config) as one, joined(config) as other:
        await tick.tick(one.crew)
        assert (await remembered(one)).past is not None
        assert await one.tasks() == []
        await last_turn(one, timedelta(days=1, minutes=1))
        await asyncio.gather(tick.tick(one.crew), tick.tick(other.crew), tick.tick(one.crew))
        assert len(await one.tasks()) == 1
        order = await one.crew.database.read(lambda c: orders.active(c, "clock"))
        assert order is not None
        assert (order.why, order.options.patient) == ("schedule", True)
        await other.work()
        await tick.tick(one.crew)
        assert await one.tasks() == []
        assert [row.run for row in await one.syncer.store.runs("clock", 10)] == [order.run]


async def test_a_turn_that_comes_during_a_run_is_passed_over(config: Path, platform: MemoryPlatform) -> None:
    """The history says so, and no second run waits."""
    async with joined(config) as one:
        await one.submit("clock")
        await last_turn(one, timedelta(days=1, minutes=1))
        await tick.tick(one.crew)
        await one.work()
        await tick.tick(one.crew)
        assert await one.tasks() == []
        stopped = [row.report.get("stopped") for row in await one.syncer.store.runs("clock", 10)]
        assert sorted(map(str, stopped)) == ["None", "skipped_overlap"]


async def test_a_paused_job_has_no_turns(config: Path, platform: MemoryPlatform) -> None:
    """It stays paused whoever looks."""
    async with joined(config) as one:
        known = Memory(Past(datetime.now(UTC) - timedelta(days=2)), paused=True).dump()
        await one.syncer.store.remember("clock", memory.NAME, known)
        await tick.tick(one.crew)
        assert await one.tasks() == []
        assert (await remembered(one)).paused
