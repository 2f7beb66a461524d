"""The clocks: the system's, and the fake one."""

import time
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from syncer.ports import Clock
from syncer.schedule.clock import FakeClock, SystemClock


def test_both_clocks_are_clocks() -> None:
    """Both fit the door."""
    clocks: list[Clock] = [SystemClock(), FakeClock()]
    assert all(clock.now().tzinfo is UTC for clock in clocks)


async def test_the_system_clock_tells_the_time() -> None:
    """Real time is real, and a sleep of 0 or less returns at once."""
    clock = SystemClock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    before = clock.monotonic()
    await clock.sleep(0)
    await clock.sleep(-3)
    assert before <= clock.monotonic() < before + 5


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()])
async def test_sleep_is_a_cancellation_point_even_for_0(clock: Clock) -> None:
    """A cancelled task gets no further than its next sleep, however short."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clock.sleep(0)
        pytest.fail("the sleep went through")
    assert scope.cancelled_caught


async def test_virtual_time_stands_still_until_it_is_advanced() -> None:
    """A sleeper wakes at its moment and not before."""
    clock, woken = FakeClock(), list[float]()

    async def sleeper() -> None:
        await clock.sleep(60)
        woken.append(clock.monotonic())

    async with anyio.create_task_group() as group:
        group.start_soon(sleeper)
        await clock.wait_for_sleepers()
        await clock.advance(59.5)
        assert (woken, clock.waiting) == ([], 1)
        await clock.advance(0.5)
        assert (woken, clock.waiting) == ([60.0], 0)
    assert clock.now() == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


async def test_advance_goes_from_sleeper_to_sleeper() -> None:
    """A loop that sleeps one second each time turns ten times in ten seconds, in step with slower ones."""
    clock, seen = FakeClock(), list[tuple[str, float]]()

    async def loop(name: str, pause: float) -> None:
        while True:
            await clock.sleep(pause)
            seen.append((name, clock.monotonic()))

    async with anyio.create_task_group() as group:
        group.start_soon(loop, "fast", 1)
        group.start_soon(loop, "slow", 4)
        await clock.wait_for_sleepers(2)
        await clock.advance(10)
        group.cancel_scope.cancel()
    assert [at for name, at in seen if name == "fast"] == [float(at) for at in range(1, 11)]
    assert [at for name, at in seen if name == "slow"] == [4.0, 8.0]
    assert [at for _, at in seen] == sorted(at for _, at in seen)


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    """Nothing waits for a task that is gone."""
    clock = FakeClock()
    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep, 5)
        await clock.wait_for_sleepers()
        group.cancel_scope.cancel()
    assert clock.waiting == 0


async def test_autojump_skips_the_waiting() -> None:
    """An hour in a hundred naps takes next to no real time, and naps end in the order of their moments."""
    clock, woken = FakeClock(autojump=0.001), list[int]()

    async def nap(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    before = time.monotonic()
    async with anyio.create_task_group() as group:
        for seconds in (3600, 60, 900):
            group.start_soon(nap, seconds)
    for _ in range(100):
        await clock.sleep(36)
    assert woken == [60, 900, 3600]
    assert clock.monotonic() == pytest.approx(7200)
    assert time.monotonic() - before < 20
