"""A drain: what a signal waits for, what a limit waits for, and what is cut off."""

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from syncer.flow.drain import Drain
from syncer.flow.job import RunOptions
from syncer.model.entries import Body, Entry
from syncer.model.errors import Exit, ItemFailed
from syncer.model.events import Event, ItemFetched, PagePlanned
from syncer.model.refs import AnnotationRef, Partition
from syncer.ports import Selection
from syncer.sinks.prefix.session import PrefixSession
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine

LAKE = {"lake": {"type": "prefix", "url": "file:lake"}}
#: Long enough for what can be finished, also on a machine that does much else.
GRACE = 3.0


class Stuck(MemorySource):
    """A source of which some items never arrive, or whose partitions never do."""

    stuck: frozenset[str] = frozenset()
    lost = False

    async def partitions(self, select: Selection) -> AsyncGenerator[Partition]:
        """Find them, or wait for ever."""
        if self.lost:
            await anyio.sleep_forever()
        async for each in super().partitions(select):
            yield each

    async def open(self, refs: Sequence[AnnotationRef]) -> AsyncGenerator[Body | ItemFailed]:
        """Open them; a stuck one takes its batch with it."""
        if any(ref.key.item in self.stuck for ref in refs):
            await anyio.sleep_forever()
        async for each in super().open(refs):
            yield each


def draining(tmp_path: Path, source: MemorySource, when: Callable[[Event], bool], **how: bool) -> tuple[Engine, Drain]:
    """Return an engine that begins to drain at the first event of a kind."""

    def emit(event: Event) -> None:
        if when(event):
            drain.start("SIGTERM", **how)

    engine = Engine(tmp_path, source, sinks=LAKE, emit=emit)
    drain = Drain(engine.heard, GRACE)
    return engine, drain


def fetched(event: Event) -> bool:
    """Tell whether an item arrived."""
    return isinstance(event, ItemFetched)


async def rest(tmp_path: Path, source: MemorySource) -> int:
    """Run again, undisturbed; return how many items were left for it, and check that all of them are there now."""
    report = await Engine(tmp_path, source, sinks=LAKE).run()
    assert report.exit_code() is Exit.DONE
    assert len(list((tmp_path / "lake").glob("*.json"))) == len(source.platform.live())
    return report.counts.stored


async def test_rule_20_fetches_in_flight_get_half_and_the_writer_the_rest(tmp_path: Path) -> None:
    """An item that never arrives is given up after half of the grace period; all others of its time are committed."""
    source = Stuck(MemoryPlatform(40))
    source.stuck = frozenset({"5"})
    engine, drain = draining(tmp_path, source, fetched, bounded=True)
    with anyio.fail_after(60):
        report = await engine.run(drain=drain)
    assert report.exit_code() is Exit.NOT_NOW
    assert (report.stopped, report.problems) == ("SIGTERM", ())
    assert report.counts.stored > 0
    assert report.counts.difference == 0
    source.stuck = frozenset()
    assert await rest(tmp_path, source) == 40 - report.counts.stored


async def test_what_was_planned_and_not_begun_is_left_to_the_next_run(tmp_path: Path) -> None:
    """After a signal no further request begins, though the queue of planned items is long."""
    source = MemorySource(MemoryPlatform(200), page_size=100)
    engine, drain = draining(tmp_path, source, lambda event: isinstance(event, PagePlanned), bounded=True)
    engine.fetchers = 2
    report = await engine.run(drain=drain)
    assert sum(source.opened.values()) <= 2 * source.features.batch
    assert await rest(tmp_path, source) == 200 - report.counts.stored


async def test_rule_20_a_limit_in_items_waits_for_what_was_taken_in(tmp_path: Path) -> None:
    """An item that takes longer than any grace period is part of the pass that it was counted in."""
    platform = MemoryPlatform(10)
    platform.slow("3", 0.3)
    engine = Engine(tmp_path, MemorySource(platform), sinks=LAKE)
    report = await engine.run(RunOptions(max_items=4), drain=Drain(engine.heard, grace=0.01))
    assert (report.counts.stored, report.exit_code()) == (4, Exit.STOPPED)


async def test_a_platform_that_lists_nothing_holds_no_drain_up(tmp_path: Path) -> None:
    """A listing of partitions that never answers is given up as soon as intake is closed."""
    source = Stuck(MemoryPlatform(3))
    source.lost = True
    engine = Engine(tmp_path, source, sinks=LAKE)
    drain = Drain(engine.heard, grace=1000)
    async with anyio.create_task_group() as group:
        group.start_soon(_drain_soon, drain)
        with anyio.fail_after(60):
            report = await engine.run(drain=drain)
    assert (report.exit_code(), report.complete, report.counts.listed) == (Exit.NOT_NOW, False, 0)
    source.lost = False
    assert await rest(tmp_path, source) == 3


async def _drain_soon(drain: Drain) -> None:
    await anyio.lowlevel.checkpoint()
    drain.start("SIGTERM", bounded=True)


async def test_rule_21_a_destination_that_hangs_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends within the grace period and says so; its lease is free, and the next run does the rest."""
    written = PrefixSession.write

    async def hang(session: PrefixSession, entries: Sequence[Entry]) -> None:
        await written(session, entries)
        await anyio.sleep_forever()

    source = MemorySource(MemoryPlatform(30))
    with monkeypatch.context() as patch:
        patch.setattr(PrefixSession, "write", hang)
        engine, drain = draining(tmp_path, source, fetched, bounded=True)
        with anyio.fail_after(60):
            report = await engine.run(drain=drain)
    (problem,) = report.problems
    assert (problem.code, report.exit_code()) == (Exit.NOT_NOW, Exit.NOT_NOW)
    assert f"not through {GRACE:g} s after SIGTERM" in problem.message
    assert "the next run goes on from there" in str(problem.hint)
    assert report.counts.difference == 0
    assert await rest(tmp_path, source) == 30


async def test_a_limit_in_time_cuts_no_destination_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody will kill the process then: what arrived is written and published, however long it takes."""
    written = PrefixSession.write

    async def slow(session: PrefixSession, entries: Sequence[Entry]) -> None:
        await anyio.sleep(0.2)
        await written(session, entries)

    monkeypatch.setattr(PrefixSession, "write", slow)
    source = MemorySource(MemoryPlatform(30))
    engine, drain = draining(tmp_path, source, fetched)
    drain.grace = 0.05
    report = await engine.run(drain=drain)
    assert report.problems == ()
    assert report.counts.stored > 0


async def test_errors_leave_a_bounded_run_as_they_are(tmp_path: Path) -> None:
    """A bug is not wrapped on its way through the drain, and neither is what it means."""
    engine = Engine(tmp_path, MemorySource(MemoryPlatform(3)), sinks=LAKE)
    message = "a bug"

    async def broken() -> None:
        raise ValueError(message)

    with pytest.raises(ValueError, match=message):
        await Drain(engine.heard).in_time(engine.clock, broken)


def test_the_first_reason_stays_and_a_signal_makes_haste() -> None:
    """A limit that was reached first stays the reason, though a signal no longer waits for all that was taken in."""
    told: list[Any] = []
    drain = Drain(told.append)
    drain.start("--max-items", patient=True)
    assert (drain.started, drain.hurried) == (True, False)
    drain.start("SIGTERM", bounded=True)
    assert (drain.reason, drain.hurried, len(told)) == ("--max-items", True, 1)
