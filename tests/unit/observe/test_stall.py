"""Runs that stand still, and the lag of the loop."""

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import pytest

from syncer.model import events
from syncer.model.running import Running, works_for
from syncer.observe.lag import LagMeter
from syncer.observe.stacks import waits
from syncer.observe.stall import Stall, StallWatch
from syncer.observe.underway import Underway
from tests.support.clock import InstantClock
from tests.support.happenings import PARTITION, report


@asynccontextmanager
async def _busy(work: Callable[[], object]) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(work)  # type: ignore[arg-type]  # any coroutine function
        await anyio.wait_all_tasks_blocked()
        yield
        group.cancel_scope.cancel()


async def test_a_stall_is_told_once_with_its_stage_and_its_end_too() -> None:
    """The run that stands still is named with what has to move next; the one beside it is left alone."""
    clock, told, over = InstantClock(), list[Stall](), list[Running]()
    underway = Underway(clock)
    watch = StallWatch(underway, clock, 600, told.append, over.append)
    for job in ("street", "highway"):
        with works_for(job, "1"):
            underway(events.RunStarted(job, "1", ()))
            underway(events.UnitStarted("7", 1, 1, 1))
            underway(events.PageListed(PARTITION, 10, None))
            underway(events.PagePlanned(PARTITION, 10, 0, 0))
    await clock.sleep(599)
    watch.look()
    assert watch.stalled is None
    with works_for("street", "1"):
        underway(events.Written("lake", 1, 1))
    await clock.sleep(2)
    for _ in range(3):
        watch.look()
    (stall,) = told
    assert (stall.running.job, stall.stage, round(stall.seconds)) == ("highway", "fetching", 601)
    assert watch.stalled == "fetching of highway"
    with works_for("highway", "1"):
        underway(events.Written("lake", 1, 1))
    watch.look()
    assert ([each.job for each in over], watch.stalled) == (["highway"], None)
    await clock.sleep(601)
    watch.look()
    assert sorted(each.running.job for each in told) == ["highway", "highway", "street"]
    for job in ("street", "highway"):
        with works_for(job, "1"):
            underway(events.RunEnded(report(job=job)))
    watch.look()
    assert (watch.stalled, len(over)) == (None, 1)


async def test_the_watch_looks_often_enough() -> None:
    """A stall is found within a tenth more than the time that makes one."""
    clock, told = InstantClock(), list[float]()
    underway = Underway(clock)
    with works_for("street", "1"):
        underway(events.RunStarted("street", "1", ()))
    async with anyio.create_task_group() as group:

        def tell(stall: Stall) -> None:
            told.append(stall.seconds)
            group.cancel_scope.cancel()

        group.start_soon(StallWatch(underway, clock, 60, tell).watch)
    assert told == [60]


async def _pages() -> AsyncGenerator[int]:
    await anyio.sleep_forever()
    yield 1


async def _listing(secret: str) -> None:
    assert secret
    async for _ in _pages():
        pass


async def test_what_everything_waits_for_is_shown_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal waits are one line, through async generators down to the innermost; no value is among them."""
    monkeypatch.setattr("syncer.observe.stacks._ours", lambda frame: frame.f_code.co_filename == __file__)
    async with _busy(partial(_listing, "hunter2")):
        found = waits()
    (line,) = [each for each in found if "_pages" in each]
    assert line.startswith("3 × observe/test_stall.py:")
    assert line.index("_listing") < line.index("_pages")
    assert " > " in line
    assert "hunter2" not in str(found)


async def test_threads_that_are_busy_are_shown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that hangs is named with the place where it does; once it rests, it is not."""
    monkeypatch.setattr("syncer.observe.stacks._ours", lambda frame: frame.f_code.co_filename == __file__)
    begun, stop = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        stop.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, hang)
        await anyio.to_thread.run_sync(begun.wait)
        found = waits()
        stop.set()
    (line,) = [each for each in found if each.startswith("thread ") and "hang" in each]
    assert "observe/test_stall.py:" in line
    assert not [each for each in waits() if each.startswith("thread ") and "hang" in each]


async def test_the_lag_is_what_a_short_sleep_takes_too_long() -> None:
    """The last, the worst and the quantiles of the last minute; what is older is forgotten."""

    class Late(InstantClock):
        late = 0.0

        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds + self.late)
            if self.seconds > self.until:
                raise TimeoutError

        until = 5.0

    clock = Late()
    meter = LagMeter(clock)
    assert (meter.lag, meter.worst, meter.quantile(0.99)) == (0.0, 0.0, 0.0)
    for late, until in ((0.0, 50.0), (0.5, 51.0), (0.0, 55.0)):
        clock.late, clock.until = late, until
        with pytest.raises(TimeoutError):
            await meter.watch()
    assert meter.lag == pytest.approx(0.0, abs=1e-6)
    assert meter.worst == pytest.approx(0.5)
    assert meter.quantile(0.5) == pytest.approx(0.0, abs=1e-6)
    clock.until = 120.0
    with pytest.raises(TimeoutError):
        await meter.watch()
    assert meter.worst == pytest.approx(0.0, abs=1e-6)
