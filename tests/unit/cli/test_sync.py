"""`syncer sync` and `syncer plan` on a platform in memory."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from syncer.cli.passes import Pass
from syncer.model.errors import Exit
from syncer.schedule.once import Once
from syncer.sources.memory import MemoryPlatform
from syncer.state import open_state
from tests.unit.cli.conftest import Run


def test_rule_21_all_jobs_and_a_line_that_adds_up(run: Run, config: Path) -> None:
    """Without a name all jobs run, and each prints its reconcile line and where the data lies."""
    ended = run("sync")
    assert (ended.code, ended.out) == (Exit.DONE, "")
    for job, place in (("files", "lake"), ("archive", "box")):
        assert f"{job}: listed 5 = stored 5 + unchanged 0 + owed 0 + filtered 0 + frozen 0" in ended.words()
        assert (config.parent / place).as_uri() in ended.words()
    assert "5 stored" in ended.words()


def test_the_report_as_json(run: Run, config: Path) -> None:
    """`-o json` prints a list of reports, `-o jsonl` one a line; words stay on standard error."""
    del config
    reports = run("sync", "files", "-o", "json").json()
    assert [each["job"] for each in reports] == ["files"]
    assert (reports[0]["counts"]["stored"], reports[0]["exit_code"], reports[0]["complete"]) == (5, 0, True)
    again = run("sync", "-o", "jsonl")
    assert [line.partition('"job": "')[2].partition('"')[0] for line in again.out.splitlines()] == ["files", "archive"]


def test_rule_21_unknown_job(run: Run, config: Path) -> None:
    """An unknown job ends with 2 before anything runs, with a did-you-mean."""
    del config
    ended = run("sync", "files", "archve")
    assert (ended.code, ended.err) == (Exit.USAGE, "error: no job 'archve'; did you mean 'archive'?\n")
    assert run("history").out == ""


def test_rule_21_no_configuration(run: Run) -> None:
    """Without a file there are no jobs: 78, and what to do."""
    ended = run("sync")
    assert ended.code == Exit.SETTINGS
    assert "syncer init" in ended.err


def test_rule_21_all_problems_of_a_configuration_are_listed(run: Run, config: Path) -> None:
    """A configuration that can't be used ends with 78, and each of its problems stands on a line."""
    config.write_text(config.read_text() + "jbos: {}\nstate: 7\n")
    ended = run("sync")
    assert ended.code == Exit.SETTINGS
    config.write_text(config.read_text().replace("state: 7\n", "").replace("type: zip", "type: zpi"))
    ended = run("sync")
    assert ended.code == Exit.SETTINGS
    assert "problems in syncer.yaml" in ended.err
    assert "did you mean 'zip'" in ended.err
    assert "did you mean 'jobs'" in ended.err


def test_rule_20_stopped_as_asked(run: Run, config: Path) -> None:
    """A limit ends with 5 and says how to go on; later jobs are not begun, and named."""
    del config
    ended = run("sync", "--max-items", "2")
    assert ended.code == Exit.STOPPED
    assert "stopped by --max-items; run it again to go on" in ended.words()
    assert "not begun: archive" in ended.words()
    assert run("sync").code == Exit.DONE


def test_rule_18_owed_items_are_named(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """Owed items end with 3, the first few are named with their reason, and --allow-owed lets them pass."""
    del config
    platform.fail("3", "the server says no\x1b[2J")
    ended = run("sync", "files")
    assert ended.code == Exit.OWING
    assert r"7 / 3: the server says no\x1b[2J" in ended.words()
    allowed = run("sync", "files", "--allow-owed", "1", "-o", "json")
    assert (allowed.code, allowed.json()[0]["exit_code"]) == (Exit.DONE, Exit.DONE)


def test_rule_14_held_deletions_say_how_they_are_accepted(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """Deletions above max_delete end with 3, and the line to accept them works."""
    for number in range(6, 31):
        platform.put(str(number))
    assert run("sync", "files").code == Exit.DONE
    for number in range(1, 21):
        platform.delete(str(number))
    ended = run("sync", "files", "--full", "-c", config)
    assert ended.code == Exit.OWING
    assert "--max-delete 20" in ended.words()
    done = run("sync", "files", "--full", "--max-delete", "20")
    assert (done.code, "20 deleted" in done.words()) == (Exit.DONE, True)


def test_a_job_that_cannot_be_assembled_does_not_stop_the_others(run: Run, config: Path) -> None:
    """One wrong template costs one job; the code is that of the worst."""
    config.write_text(config.read_text().replace('url: "file:lake"', 'url: "file:lake", path: "{nonsense}.json"'))
    ended = run("sync", "-o", "json")
    assert ended.code == Exit.SETTINGS
    assert "nonsense" in ended.words()
    assert [report["exit_code"] for report in ended.json()] == [Exit.SETTINGS, Exit.DONE]


def test_quiet_says_nothing_when_all_is_well(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """-q leaves only trouble."""
    del config
    assert run("-q", "sync").err == ""
    platform.put("9")
    platform.fail("9", "no")
    assert "owed: 1" in run("sync", "files", "-q").words()


def test_log_format_json_is_nothing_but_json(run: Run, config: Path) -> None:
    """With --log-format json every line of standard error is a JSON object, the account included."""
    del config
    lines = run("sync", "--log-format", "json").err.splitlines()
    assert all(line.startswith("{") for line in lines)
    assert any("listed 5 = stored 5" in line for line in lines)


def test_rule_20_dry_run_is_plan(run: Run, config: Path) -> None:
    """`sync --dry-run` and `plan` print the same, and nothing is written."""
    planned = run("plan", "-o", "json")
    assert planned.code == Exit.DONE
    assert planned.json()[0]["legs"]["lake"]["new"] == 5
    assert run("sync", "-n", "-o", "json").json() == planned.json()
    assert "JOB" in run("plan").out
    assert [path.name for path in config.parent.iterdir()] == ["syncer.yaml"]


def test_plan_tells_of_a_job_that_cannot_be_planned(run: Run, config: Path) -> None:
    """A wrong job is told, the others are planned, and the code is the worst."""
    config.write_text(config.read_text().replace('url: "file:lake"', 'url: "file:lake", path: "{nonsense}.json"'))
    ended = run("plan", "-o", "json")
    assert ended.code == Exit.SETTINGS
    assert [each["job"] for each in ended.json()] == ["archive"]


def test_rule_21_a_signal_drains_and_the_rest_is_not_begun(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first signal no further job begins, and the code is 75."""
    del config
    whole = Once.work

    async def work(once: Once, jobs: list[str]) -> object:
        (signalled,) = passes
        reports = await whole(once, jobs[:1])
        signalled._drain("SIGTERM")
        return [*reports, *await whole(once, jobs[1:])]

    passes: list[Pass] = []
    monkeypatch.setattr(Once, "work", work)
    told = Pass.run

    async def remembered(this: Pass, *words: object) -> object:
        passes.append(this)
        return await told(this, *words)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(Pass, "run", remembered)
    ended = run("sync")
    assert ended.code == Exit.NOT_NOW
    assert "not begun: archive" in ended.words()


def test_rule_21_a_lease_that_is_held(run: Run, config: Path) -> None:
    """A job that another process works on ends with 75 and names that process; looking at it is free."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_state("sqlite:state.db", config.parent)) as store,
        portal.wrap_async_context_manager(store.lease("files")),
    ):
        ended = run("sync", "files")
        assert (ended.code, f"pid {os.getpid()}" in ended.words()) == (Exit.NOT_NOW, True)
        assert run("plan", "files").code == Exit.DONE
    assert run("sync", "files").code == Exit.DONE


def test_status_and_history(run: Run, config: Path) -> None:
    """Both tell of jobs from the state alone, newest first, also as JSON."""
    assert run("status", "-c", config).code == Exit.DONE
    run("sync", "files")
    run("sync", "files")
    rows = run("status", "-o", "json").json()
    assert [(row["job"], row["items"], row["exit"]) for row in rows] == [("files", 5, 0), ("archive", 0, None)]
    runs = run("history", "files", "-o", "json").json()
    assert len(runs) == 2
    assert runs[0]["report"]["counts"]["stored"] == 0
    assert datetime.fromisoformat(runs[0]["started"]).tzinfo == UTC
    assert "FILES" not in run("history", "--limit", "1").out
    assert run("status", "fils").code == Exit.USAGE
    assert run("history", "fils").code == Exit.USAGE
