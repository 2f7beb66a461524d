"""A run in parts: whoever does them, in whatever order and however often, it ends once and as one process would."""

import fcntl
import json
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from syncer.blobs import folder
from syncer.fleet import ending, orders, shares
from syncer.fleet.crew import Again
from syncer.fleet.queue import FINALISE, PLAN, UNIT
from syncer.fleet.submit import pause, stop
from syncer.flow.job import RunOptions
from syncer.model.errors import Busy, Exit, NotNow
from syncer.model.refs import PartitionKey
from syncer.model.report import Counts
from syncer.ports import Claim, RunRow
from syncer.sinks.manifest import JobManifest
from syncer.sources.memory import MemoryPlatform
from tests.unit.fleet.conftest import PROJECTS, Member, joined


def told(row: RunRow) -> Any:
    """Return what the report counts."""
    return row.report["counts"]


@pytest.mark.parametrize("job", ["files", "boxes"])
async def test_crews_do_a_run_together_and_it_ends_once(config: Path, platform: MemoryPlatform, job: str) -> None:
    """Never more than the window is queued; HEAD names all of it; a second end changes nothing."""
    async with joined(config) as one, joined(config) as other:
        assert await one.submit(job)
        assert not await other.submit(job)
        assert await one.take()
        turns = cycle([other, one])
        while tasks := await one.tasks():
            assert sum(name == UNIT for name, _ in tasks) <= 2
            assert await next(turns).take()
        row = await one.last(job)
        assert (row.code, told(row)["listed"], told(row)["stored"]) == (Exit.DONE, 3 * PROJECTS, 3 * PROJECTS)
        await ending.finalise(one.crew, 1)
        assert (await one.last(job)).ended == row.ended
        assert len(await one.syncer.store.runs(job, 10)) == 1
        view = await one.syncer.store.fleet()
        assert view is not None
        assert (view.untold, [(each.state, each.units, each.done, each.stored) for each in view.runs]) == (
            0, [("ended", PROJECTS, PROJECTS, 3 * PROJECTS)],
        )  # fmt: skip
        root = config.parent / ("lake" if job == "files" else "box")
        head = json.loads((root / "_manifest" / job / "HEAD.json").read_text())
        assert len(head["segments"]) == PROJECTS
        assert len(head["containers"]) == (0 if job == "files" else PROJECTS)
        assert (root / "_manifest" / job / "_SUCCESS").exists()
        # What one process does afterwards finds nothing left to do.
        report = await one.syncer.sync(job)
        assert (report.exit_code(), report.complete, report.counts.stored) == (Exit.DONE, True, 0)


async def test_heads_move_for_many_units_at_once(config: Path, platform: MemoryPlatform) -> None:
    """Units leave notes; the end of the run tells all of them in one move."""
    async with joined(config) as one:
        await one.submit("files")
        await one.work()
        assert (await one.last("files")).report["generations"] == {"lake": 1}


async def test_what_units_rewrite_is_in_no_snapshot_until_head_says_so(config: Path, platform: MemoryPlatform) -> None:
    """Units compact archives long before HEAD is told: the generation that it names meanwhile can't be kept."""
    async with joined(config) as one:
        await one.submit("appended")
        await one.work()
        platform.put("10", b"newer", partition=PartitionKey("1"))
        await one.submit("appended")
        while (task := (await one.tasks())[0][0]) != FINALISE:
            assert await one.take(), task
        (sink,) = (await one.syncer.job("appended")).sinks
        snapshots = sink.manifest("appended").snapshots
        with pytest.raises(NotNow, match=r"1\.zip of generation \d+ is being rewritten"):
            await snapshots.create("early")
        await one.work()
        assert (await snapshots.create("late")).generation > 1
        head = json.loads((config.parent / "appended/_manifest/appended/HEAD.json").read_text())
        assert head["rewriting"] == []


async def test_a_lock_that_another_process_holds_is_waited_for(
    config: Path, platform: MemoryPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stands still with the lock of a folder in its hands ends neither planning nor the run."""
    monkeypatch.setattr(folder, "_TRIES", 2)
    lock = config.parent / "lake" / "_manifest" / ".lock"
    lock.parent.mkdir(parents=True)
    async with joined(config) as one:
        await one.submit("files")
        with lock.open("w") as held:
            for task in (PLAN, FINALISE):
                while (await one.tasks())[0][0] != task:
                    assert await one.take()
                fcntl.flock(held, fcntl.LOCK_EX)
                with pytest.raises(Again):
                    await one.take()
                fcntl.flock(held, fcntl.LOCK_UN)
        await one.work()
        row = await one.last("files")
        assert (row.code, told(row)["stored"], row.report["problems"]) == (Exit.DONE, 3 * PROJECTS, [])


async def test_a_unit_whose_place_is_held_waits_but_not_for_ever(
    config: Path, platform: MemoryPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is put back, and the next attempt goes on; where that never ends, it is given up in words."""
    claim, held = JobManifest.claim, [True]

    async def busy(this: JobManifest, wanted: Claim, *, adopt: bool = False) -> None:
        if held[0] and wanted.paths[0] == "3/":
            message = "the lock is held by another process"
            raise Busy(message)
        await claim(this, wanted, adopt=adopt)

    monkeypatch.setattr(JobManifest, "claim", busy)
    async with joined(config) as one:
        await one.submit("files")
        waits = await _patiently(one)
        assert waits == shares.MOST
        row = await one.last("files")
        assert (row.code, told(row)["stored"]) == (Exit.NOT_NOW, 3 * (PROJECTS - 1))
        assert f"given up after {shares.MOST} attempts" in str(row.report["problems"])
        await one.submit("files")
        await one.take()
        with pytest.raises(Again):
            await _patiently(one, 1)
        held[0] = False
        await one.work()
        row = await one.last("files")
        assert (row.code, told(row)["stored"]) == (Exit.DONE, 3)


async def _patiently(one: Member, most: int = 1000) -> int:
    """Do all there is; return how often something had to wait. Raises `Again` at the last time that is allowed."""
    waits = 0
    while True:
        try:
            if not await one.take():
                return waits
        except Again:
            waits += 1
            if waits == most:
                raise


async def test_a_replaced_worker_counts_nothing(config: Path, platform: MemoryPlatform) -> None:
    """Its number is not the unit's any more: whatever it says of the unit is left alone."""
    async with joined(config) as one:
        await one.submit("files")
        await one.take()
        write = one.crew.database.write
        first = await write(lambda c: shares.begin(c, 1, 0, "frozen"))
        second = await write(lambda c: shares.begin(c, 1, 0, "fresh"))
        assert first is not None
        assert second is not None
        assert not await write(lambda c: shares.done(c, first, Counts(stored=9), {}, 2))
        assert not await write(lambda c: shares.put_back(c, first, Counts(stored=9)))
        assert await write(lambda c: shares.put_back(c, second, Counts()))
        await one.work()
        assert told(await one.last("files"))["stored"] == 3 * PROJECTS


async def test_a_worker_that_leaves_puts_its_work_back(config: Path, platform: MemoryPlatform) -> None:
    """Planning and units come again, for somebody else, and nothing is counted twice."""
    async with joined(config) as one, joined(config) as other:
        await one.submit("files")
        one.crew.leaving = True
        with pytest.raises(Again):
            await one.take()
        await other.take()
        with pytest.raises(Again):
            await one.take()
        await other.work()
        assert told(await other.last("files"))["stored"] == 3 * PROJECTS


async def test_a_run_that_is_cancelled_ends_with_what_it_has(config: Path, platform: MemoryPlatform) -> None:
    """What did not begin never does; the report says who stopped it, with the code of a limit."""
    async with joined(config) as one:
        await one.submit("files")
        await one.take()
        await one.take()
        assert await stop(one.syncer, "files", "cancelled")
        await one.work()
        row = await one.last("files")
        assert (row.code, row.report["stopped"], row.report["complete"]) == (Exit.STOPPED, "cancelled", False)
        assert told(row)["stored"] == 3
        assert not await stop(one.syncer, "files", "cancelled")
        await one.submit("files")
        await one.work()
        assert (await one.last("files")).code == Exit.DONE


async def test_a_run_that_is_cancelled_before_it_begins_stores_nothing(config: Path, platform: MemoryPlatform) -> None:
    """Planning meets the wish, and ends the run."""
    async with joined(config) as one:
        await one.submit("files")
        assert await stop(one.syncer, "files", "cancelled")
        await one.work()
        assert (await one.last("files")).code == Exit.STOPPED


async def test_a_paused_run_waits_outside_of_the_queue(config: Path, platform: MemoryPlatform) -> None:
    """No unit begins until it goes on."""
    async with joined(config) as one:
        await one.submit("files")
        await one.take()
        assert await pause(one.syncer, "files", paused=True)
        await one.work()
        assert set((await one.units()).values()) == {"waiting"}
        assert await pause(one.syncer, "files", paused=False)
        await one.work()
        assert told(await one.last("files"))["stored"] == 3 * PROJECTS


async def test_two_fleets_on_one_state_are_told_apart(config: Path, platform: MemoryPlatform) -> None:
    """A worker with other settings refuses; if nobody else comes, the run ends with 78 and says whose fault it is."""
    async with joined(config) as one:
        await one.submit("files", config="of another file")
        for _ in range(4):
            with pytest.raises(Again):
                await one.take()
        assert await one.take()
        row = await one.last("files")
        assert row.code == Exit.SETTINGS
        assert "two fleets share one state" in json.dumps(row.report["problems"])


async def test_a_refusal_in_the_middle_leaves_the_unit_to_others(config: Path, platform: MemoryPlatform) -> None:
    """The order remembers who refused, so that the command can say it."""
    async with joined(config) as one:
        await one.submit("files")
        await one.take()
        config.write_text(config.read_text().replace('projects: ["*"]', 'projects: ["1", "2"]'))
        async with joined(config) as other:
            with pytest.raises(Again):
                await other.take()
        order = await one.crew.database.read(lambda c: orders.active(c, "files"))
        assert order is not None
        assert "other settings for job files" in (order.refused or "")
        await one.work()
        assert (await one.last("files")).code == Exit.DONE


async def test_what_ends_planning_ends_the_run(config: Path, platform: MemoryPlatform) -> None:
    """A process that runs the whole job on its own is in the way: the run says so with 75, and the next one works."""
    async with joined(config) as one, joined(config) as other:
        async with other.syncer.store.lease("files"):
            await one.submit("files")
            await one.work()
        assert (await one.last("files")).code == Exit.NOT_NOW
        await one.submit("files")
        await one.work()
        assert (await one.last("files")).code == Exit.DONE


async def test_units_that_share_a_folder_are_refused(config: Path, platform: MemoryPlatform) -> None:
    """Names are kept apart within one process only."""
    config.write_text(config.read_text().replace('url: "file:lake"', 'url: "file:lake", path: "all/{item}.json"'))
    async with joined(config) as one:
        await one.submit("files")
        await one.work()
        row = await one.last("files")
        assert row.code == Exit.SETTINGS
        assert "--fleet" in json.dumps(row.report["problems"])


async def test_a_unit_that_no_task_stands_for_is_queued_again(config: Path, platform: MemoryPlatform) -> None:
    """Tasks can get lost; rows can't."""
    async with joined(config) as one:
        await one.submit("files")
        await one.take()
        await one.crew.database.write(lambda c: c.execute("DELETE FROM procrastinate_jobs"))
        assert await one.tasks() == []
        assert await one.crew.database.write(lambda c: shares.found_again(c, 2)) == 2
        assert [name for name, _ in await one.tasks()] == [UNIT, UNIT]
        await one.work()
        assert (await one.last("files")).code == Exit.DONE


async def test_options_of_a_pass_reach_its_parts(config: Path, platform: MemoryPlatform) -> None:
    """A second run fetches everything again where that is asked for."""
    async with joined(config) as one:
        for options, stored in ((RunOptions(), 3), (RunOptions(), 0), (RunOptions(refetch=True), 3)):
            await one.submit("files", options)
            assert [name for name, _ in await one.tasks()] == [PLAN]
            await one.work()
            assert told(await one.last("files"))["stored"] == stored * PROJECTS
        assert FINALISE not in [name for name, _ in await one.tasks()]
