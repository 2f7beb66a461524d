"""`syncer state`: what destroys asks first, and a state comes back from wherever it is."""

import os
import sys
from io import StringIO
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from syncer.cli.confirm import confirmed
from syncer.cli.exits import UsageError
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from syncer.state import open_state
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    "words",
    [("reset", "files"), ("rename", "files", "records"), ("rebuild", "files"), ("import", "copy.db")],
)
def test_nothing_is_destroyed_unasked(run: Run, config: Path, words: tuple[str, ...]) -> None:
    """Without a terminal and without --yes nothing happens, and the hint names --yes."""
    del config
    run("sync", "files")
    run("state", "export", "copy.db")
    ended = run("state", *words)
    assert (ended.code, "--yes" in ended.err) == (Exit.USAGE, True)
    assert run("status", "files", "-o", "json").json()[0]["items"] == 5


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "done"), [("y\n", True), ("YES\n", True), ("\n", False), ("no\n", False)])
async def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, answer: str, done: bool) -> None:
    """On a terminal the question is put, with no as the default."""
    shown = _Terminal()
    monkeypatch.setattr(sys, "stdin", _Terminal(answer))
    monkeypatch.setattr(sys, "stderr", shown)
    if done:
        await confirmed("Really?", yes=False)
    else:
        with pytest.raises(UsageError, match="nothing was changed"):
            await confirmed("Really?", yes=False)
    assert shown.getvalue() == "Really? [y/N] "


def test_a_job_is_forgotten(run: Run, config: Path) -> None:
    """After `reset` the state knows nothing of a job; its destination stays."""
    run("sync", "files")
    assert run("state", "reset", "files", "--yes").code == Exit.DONE
    assert run("status", "files", "-o", "json").json()[0]["items"] == 0
    assert (config.parent / "lake" / "1.json").exists()
    assert run("state", "reset", "flies", "--yes").code == Exit.USAGE


def test_rule_9_a_state_is_rebuilt_from_its_destination(run: Run, config: Path) -> None:
    """After `reset` and `rebuild` the next pass fetches nothing again."""
    del config
    run("sync", "files")
    run("state", "reset", "files", "--yes")
    assert "5 rows came back" in run("state", "rebuild", "files").words()
    assert run("sync", "files", "-o", "json").json()[0]["counts"]["stored"] == 0


def test_a_whole_state_is_copied_out_and_in(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """A copy is private, never replaces a file, and brings everything back; the next pass goes on from there."""
    run("sync", "files")
    copy = config.parent / "copy.db"
    assert run("state", "export", copy).code == Exit.DONE
    assert copy.stat().st_mode & 0o777 == 0o600
    assert run("state", "export", copy).code == Exit.USAGE
    run("state", "reset", "files", "--yes")
    assert run("state", "import", copy, "--yes").code == Exit.DONE
    assert run("status", "files", "-o", "json").json()[0]["items"] == 5
    platform.put("6")
    assert run("sync", "files", "-o", "json").json()[0]["counts"]["stored"] == 1


def test_rule_5_nothing_changes_hands_while_a_job_runs(run: Run, config: Path) -> None:
    """Whatever replaces the state of a job needs its lease, and names who holds it."""
    run("sync", "files")
    run("state", "export", "copy.db")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_state("sqlite:state.db", config.parent)) as store,
        portal.wrap_async_context_manager(store.lease("files")),
    ):
        for words in (("import", "copy.db"), ("reset", "files"), ("rebuild", "files"), ("rename", "files", "records")):
            ended = run("state", *words, "--yes")
            assert (ended.code, f"pid {os.getpid()}" in ended.err) == (Exit.NOT_NOW, True)
    assert run("state", "import", "copy.db", "--yes").code == Exit.DONE


def test_what_is_no_copy_is_not_taken(run: Run, config: Path) -> None:
    """A file that is no state, or is not there, replaces nothing."""
    run("sync", "files")
    other = config.parent / "other.db"
    other.write_bytes(b"x" * 5000)
    assert run("state", "import", other, "--yes").code == Exit.SETTINGS
    assert run("state", "import", "nowhere.db", "--yes").code == Exit.USAGE
    assert run("status", "files", "-o", "json").json()[0]["items"] == 5


def test_a_job_is_renamed(run: Run, config: Path) -> None:
    """State and manifest follow a new name, nothing is fetched again, and a name that is taken is refused."""
    run("sync")
    assert run("state", "rename", "files", "archive", "--yes").code == Exit.SETTINGS
    assert run("state", "rename", "files", "records", "--yes").code == Exit.DONE
    config.write_text(config.read_text().replace("files:", "records:"))
    again = run("sync", "records", "-o", "json")
    assert (again.code, again.json()[0]["counts"]["stored"]) == (Exit.DONE, 0)
    assert len(run("manifest", "records", "-o", "jsonl").out.splitlines()) == 5
    assert run("verify", "--deep", "-o", "json").json() == []
    assert [row["job"] for row in run("status", "-o", "json").json()] == ["records", "archive"]


def test_a_job_that_no_configuration_knows_keeps_its_name(run: Run, config: Path) -> None:
    """Where its destinations are is not known, so its manifest could not follow."""
    run("sync", "files")
    config.write_text(config.read_text().replace("files:", "others:"))
    assert run("state", "rename", "files", "records", "--yes").code == Exit.SETTINGS


def test_a_state_in_memory_is_not_copied(run: Run, config: Path) -> None:
    """There is nothing to copy where the state is in memory only."""
    config.write_text(config.read_text().replace("sqlite:state.db", "'memory:'"))
    assert run("state", "export", "copy.db").code == Exit.USAGE
