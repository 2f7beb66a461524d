"""Freshness: it moves only with a run that saw everything and stored it, and to the moment when that listing began."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncer.flow.fresh import HISTORY, LONG_AGO, fresh_until, judged
from syncer.flow.job import RunOptions
from syncer.model.errors import Unavailable
from syncer.model.events import Committed
from syncer.model.refs import Cursor, Page, Partition, PartitionKey
from syncer.model.report import Counts, Report
from syncer.ports import Known, RunRow, Selection
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.clock import START, InstantClock
from tests.support.engine import CrashError, Engine, crash_at

LAKE = {"lake": {"type": "prefix", "url": "file:lake"}}


def minute(number: int) -> datetime:
    """Return a moment."""
    return START + timedelta(minutes=number)


def ended(number: int, **changes: object) -> Report:
    """Return the report of a run of a minute that did everything."""
    report = Report("j", f"run-{number}", minute(number), minute(number + 1), Counts(), complete=True)
    return replace(report, **changes)


def row(report: Report, *, killed: bool = False) -> RunRow:
    """Return a line of history."""
    told = {
        "share": report.share,
        "fresh_until": report.fresh_until and report.fresh_until.isoformat(),
        "listing_since": report.listing_since and report.listing_since.isoformat(),
    }
    return RunRow("j", report.run, report.started, None if killed else report.ended, 0, {} if killed else told)


def after(*history: RunRow, report: Report, resumed: bool = False, published: bool = True) -> Report:
    """Judge a run that follows others; the oldest comes first."""
    return judged(report, list(reversed(history)), resumed=resumed, published=published)


def test_a_complete_run_is_fresh_from_its_start() -> None:
    """What was finished while it listed may have been missed, so the end says nothing."""
    told = after(report=ended(5))
    assert (told.fresh_until, told.listing_since) == (minute(5), None)
    assert fresh_until([row(told)]) == minute(5)


@pytest.mark.parametrize(
    "changes",
    [
        {"complete": False},
        {"complete": False, "stopped": "--max-items"},
        {"owed": {"lake": 1}},
        {"frozen": ("8",)},
        {"counts": Counts(held=1)},
        {"notes": ("quick pass",)},
    ],
)
def test_whatever_a_run_leaves_out_keeps_it(changes: dict[str, object]) -> None:
    """Partial, limited, owing, frozen, held or not looked at: the value of the run before stays."""
    before = row(after(report=ended(1)))
    told = after(before, report=ended(5, **changes))
    assert told.fresh_until == minute(1)
    assert fresh_until([row(told), before]) == minute(1)
    assert after(report=ended(5, **changes)).fresh_until is None


def test_what_waits_for_its_publish_is_not_stored() -> None:
    """Committed and not readable is not there for anybody."""
    assert after(row(after(report=ended(1))), report=ended(5), published=False).fresh_until == minute(1)


def test_a_listing_that_went_on_began_with_an_earlier_run() -> None:
    """Pages that a run before had passed were not looked at again: the run that began the listing counts."""
    first = row(after(report=ended(1)))
    second = row(after(first, report=ended(5, complete=False)))
    third = row(after(second, report=ended(7, complete=False)))
    told = after(first, second, third, report=ended(9), resumed=True)
    assert (told.fresh_until, told.listing_since) == (minute(5), None)
    assert after(first, second, third, report=ended(9)).fresh_until == minute(9), "it listed everything anew"


def test_a_killed_run_may_have_begun_a_listing() -> None:
    """It left no report, only its beginning."""
    first = row(after(report=ended(1)))
    killed = [row(ended(number), killed=True) for number in (3, 4)]
    assert after(first, *killed, report=ended(9), resumed=True).fresh_until == minute(3)
    unfinished = row(after(first, *killed, report=ended(9, complete=False)))
    assert after(first, *killed, unfinished, report=ended(11), resumed=True).fresh_until == minute(3)


def test_a_listing_of_unknown_beginning_is_never_taken_for_fresh() -> None:
    """Where the lines of history are all of killed runs, the listing may be older than any of them."""
    killed = [row(ended(number), killed=True) for number in range(HISTORY)]
    told = after(*killed, report=ended(HISTORY), resumed=True)
    assert told.fresh_until == LONG_AGO
    assert fresh_until([row(ended(1), killed=True)]) is None


def test_shares_are_judged_apart_and_the_job_by_the_slowest() -> None:
    """A job that runs in shares is as fresh as its oldest share, and unknown while one never ran."""
    first = row(after(report=ended(1, share="0/2")))
    assert fresh_until([first]) is None
    second = row(after(first, report=ended(2, share="1/2", owed={"lake": 1})))
    assert fresh_until([second, first]) is None
    third = row(after(first, second, report=ended(3, share="1/2")))
    fourth = row(after(first, second, third, report=ended(4, share="0/2")))
    assert fresh_until([fourth, third, second, first]) == minute(3)
    whole = row(after(first, second, third, fourth, report=ended(5, complete=False)))
    assert fresh_until([whole, fourth, third]) is None, "no run of the whole job was fresh yet"


def test_a_clock_that_was_set_back_does_not_leave_it_in_the_future() -> None:
    """The last complete run counts, also where its clock says that it was earlier."""
    future = row(after(report=ended(500)))
    assert after(future, report=ended(5)).fresh_until == minute(5)


# ------------------------------------------------------------------------------------------ whole runs


class Ticking(InstantClock):
    """Each look at the clock is a second later, so that no two runs begin at once."""

    def now(self) -> datetime:
        """Return the wall clock."""
        self.seconds += 1
        return super().now()

    async def sleep(self, seconds: float) -> None:
        """Wait in earnest: the commits that are due by time would else come one after the other without a pause."""
        await asyncio.sleep(seconds)


class Quick(MemorySource):
    """A source whose passes do not look at everything, and say so."""

    async def discover(
        self, partition: Partition, since: Cursor | None, known: Known, select: Selection | None = None
    ) -> AsyncGenerator[Page]:
        """List as ever, with a note at the end of what is no first pass."""
        async for page in super().discover(partition, since, known, select):
            yield replace(page, note="not all was looked at" if since is not None and page.end else None)


def engines(folder: Path, source: MemorySource, **options: object) -> Callable[[], Engine]:
    """Return a function that makes engines on one folder and one clock."""
    clock = Ticking()
    return lambda: Engine(folder, source, **{"sinks": LAKE, "clock": clock, **options})


async def history(engine: Engine) -> list[RunRow]:
    """Return what the state remembers."""
    async with engine.store() as store:
        return list(await store.runs("job", HISTORY))


async def test_the_state_remembers_it(tmp_path: Path) -> None:
    """The history says after a restart what the report of the last run said; a delta by cursor counts."""
    platform = MemoryPlatform(30)
    engine = engines(tmp_path, MemorySource(platform))
    assert (await engine().run()).fresh_until is not None
    platform.put("31")
    report = await engine().run()
    assert report.fresh_until == report.started
    assert fresh_until(await history(engine())) == report.started


async def test_a_limited_run_and_its_end(tmp_path: Path) -> None:
    """`--max-items` keeps it where it was; the run that ends the listing moves it to where the listing began."""
    engine = engines(tmp_path, MemorySource(MemoryPlatform(50)))
    first = await engine().run(RunOptions(max_items=20))
    assert (first.stopped, first.fresh_until) == ("--max-items", None)
    second = await engine().run()
    assert second.complete
    assert second.fresh_until == first.started
    third = await engine().run()
    assert third.fresh_until == third.started


async def test_a_killed_run_and_the_next(tmp_path: Path) -> None:
    """After a kill in the middle of a listing the next run is fresh from the start of the killed one."""
    engine = engines(tmp_path, MemorySource(MemoryPlatform(50)))
    dying = engine()
    dying.emit = crash_at(2, [Committed])
    with pytest.raises(BaseExceptionGroup) as died:
        await dying.run()
    assert died.group_contains(CrashError)
    (killed,) = await history(engine())
    report = await engine().run()
    assert report.fresh_until == killed.started < report.started


async def test_owed_items_keep_it(tmp_path: Path) -> None:
    """It moves again with the run that gets them."""
    platform = MemoryPlatform(10)
    engine = engines(tmp_path, MemorySource(platform))
    first = await engine().run()
    platform.put("11")
    platform.fail("11", times=1)
    assert (await engine().run()).fresh_until == first.started
    third = await engine().run()
    assert third.fresh_until == third.started


async def test_a_detached_sink_keeps_it_until_it_caught_up(tmp_path: Path) -> None:
    """One sink of two that fails: nobody may call the job fresh, although the other has everything."""
    both = {**LAKE, "zip": {"type": "zip", "url": "file:zip"}}
    engine = engines(tmp_path, MemorySource(MemoryPlatform(10)), sinks=both)
    (tmp_path / "zip").write_text("a file where the folder should be")
    assert (await engine().run()).fresh_until is None
    (tmp_path / "zip").unlink()
    third = await engine().run()
    assert third.fresh_until == third.started


async def test_held_deletions_and_frozen_partitions_keep_it(tmp_path: Path) -> None:
    """What the destination shows beyond the platform, or a project that is away, is not in step."""
    platform = MemoryPlatform(60)
    platform.put("a", partition=PartitionKey("8"))
    engine = engines(tmp_path, MemorySource(platform), select=Selection(projects=("7", "8")))
    first = await engine().run()
    for number in range(1, 31):
        platform.delete(str(number))
    held = await engine().run()
    assert (held.counts.held, held.fresh_until) == (30, first.started)
    assert (await engine().run(RunOptions(max_delete=30))).fresh_until != first.started
    platform.partitions.discard(PartitionKey("8"))
    frozen = await engine().run()
    assert frozen.frozen
    assert frozen.fresh_until != frozen.started


async def test_a_pass_that_did_not_look_keeps_it(tmp_path: Path) -> None:
    """A quick pass that says what it left out proves nothing about it."""
    engine = engines(tmp_path, Quick(MemoryPlatform(10)))
    first = await engine().run()
    second = await engine().run()
    assert second.notes
    assert first.fresh_until == second.fresh_until == first.started


async def test_a_listing_that_fails_keeps_it(tmp_path: Path) -> None:
    """A platform that goes away in the middle leaves it where it was."""
    platform = MemoryPlatform(50)
    engine = engines(tmp_path, MemorySource(platform))
    first = await engine().run()
    platform.put("51")
    platform.fail_listing(1, Unavailable("down"))
    assert (await engine().run()).fresh_until == first.started
