"""Several sinks of one job: each has rows, cursors and a position of its own."""

import shutil
from pathlib import Path

from syncer.model.errors import Exit
from syncer.model.events import Committed, LegReset
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import CrashError, Engine, crash_at

LAKE = {"lake": {"type": "prefix", "url": "file:lake"}}
ZIP = {"zip": {"type": "zip", "url": "file:zip"}}


async def test_rule_3_a_sink_added_later_gets_everything_and_the_others_nothing(tmp_path: Path) -> None:
    """The new leg discovers from nothing; the old one finds everything unchanged and is not written again."""
    source = MemorySource(MemoryPlatform(30))
    await Engine(tmp_path, source, sinks=LAKE).run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").glob("*.json")}
    report = await Engine(tmp_path, source, sinks={**LAKE, **ZIP}).run()
    assert report.exit_code() is Exit.DONE
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").glob("*.json")}
    engine = Engine(tmp_path, source, sinks={**LAKE, **ZIP})
    assert (await engine.outcome("zip")).files == (await engine.outcome("lake")).files
    assert set(source.opened.values()) == {2}


async def test_rule_3_a_sink_that_fails_is_detached_and_later_replays_only_what_it_lacks(tmp_path: Path) -> None:
    """A folder that can't be one stops its own leg only; the next run brings just that leg up."""
    platform = MemoryPlatform(20)
    source = MemorySource(platform)
    both = {**ZIP, "lake": {"type": "prefix", "url": "file:lake"}}
    (tmp_path / "lake").write_text("a file where the folder should be")
    report = await Engine(tmp_path, source, sinks=both).run()
    assert (
        report.exit_code() is Exit.NOT_NOW
        or report.exit_code() is Exit.SETTINGS
        or report.exit_code() is Exit.PERMISSION
    )
    assert any("lake" in problem.message for problem in report.problems)
    assert len((await Engine(tmp_path, source, sinks=both).outcome("zip")).rows) == 20
    (tmp_path / "lake").unlink()
    platform.put("21")
    engine = Engine(tmp_path, source, sinks=both)
    report = await engine.run()
    assert report.exit_code() is Exit.DONE
    assert (await engine.outcome("zip")).files == (await engine.outcome("lake")).files
    assert source.opened[platform.key("21")] == 1


async def test_the_failure_of_the_only_sink_is_said_once(tmp_path: Path) -> None:
    """It ends the leg and the unit; whoever reads the report sees one problem, with the sink's name."""
    (tmp_path / "lake").write_text("a file where the folder should be")
    report = await Engine(tmp_path, MemorySource(MemoryPlatform(20)), sinks=LAKE).run()
    (problem,) = report.problems
    assert problem.leg == "lake"


async def test_rule_1_a_lost_spool_goes_back_to_the_published_position(tmp_path: Path) -> None:
    """An unpublished archive that is gone is fetched again, and said; what was published stays."""
    platform = MemoryPlatform(15)
    source = MemorySource(platform)
    await Engine(tmp_path, source, sinks=ZIP).run()
    for number in range(16, 60):
        platform.put(str(number))
    dying = Engine(tmp_path, source, sinks=ZIP)
    dying.emit = crash_at(2, [Committed])
    try:
        await dying.run()
    except* CrashError:
        pass
    lost = [path for path in (tmp_path / "zip").rglob("*") if ".partial" in path.name]
    assert lost
    for path in lost:
        path.unlink()
    engine = Engine(tmp_path, source, sinks=ZIP)
    report = await engine.run()
    assert report.exit_code() is Exit.DONE
    assert any(isinstance(event, LegReset) and event.dropped for event in engine.events)
    assert len((await engine.outcome("zip")).rows) == 59


async def test_rule_9_a_lost_state_comes_back_from_the_manifest(tmp_path: Path) -> None:
    """With the state file gone, nothing that is published is fetched again, and the next change is."""
    platform = MemoryPlatform(25)
    source = MemorySource(platform)
    await Engine(tmp_path, source).run()
    for path in tmp_path.glob("state.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    platform.put("3")
    engine = Engine(tmp_path, source)
    report = await engine.run()
    assert report.exit_code() is Exit.DONE
    assert sum(source.opened.values()) == 26
    assert (await engine.outcome("zip")).files == (await engine.outcome("lake")).files


async def test_rule_9_a_restored_older_state_does_not_fetch_what_the_destination_has(tmp_path: Path) -> None:
    """A state from yesterday's backup is brought up to the destination before anything runs."""
    platform = MemoryPlatform(25)
    source = MemorySource(platform)
    await Engine(tmp_path, source).run()
    shutil.copy(tmp_path / "state.db", tmp_path / "backup")
    for number in range(26, 40):
        platform.put(str(number))
    platform.delete("1")
    await Engine(tmp_path, source).run()
    for path in tmp_path.glob("state.db-*"):
        path.unlink()
    shutil.copy(tmp_path / "backup", tmp_path / "state.db")
    engine = Engine(tmp_path, source)
    report = await engine.run()
    assert report.exit_code() is Exit.DONE
    assert sum(source.opened.values()) == 39
    assert len((await engine.outcome("zip")).rows) == 38
