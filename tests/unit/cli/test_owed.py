"""`syncer owed`: what could not be had, and what is to be done about it."""

from pathlib import Path

import pytest

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.unit.cli.conftest import Run


@pytest.fixture
def owing(run: Run, config: Path, platform: MemoryPlatform) -> str:
    """Run a job that owes items 2 and 3."""
    del config
    platform.fail("2", "gone fishing")
    platform.fail("3", "no\x1b[31m")
    assert run("sync", "files").code == Exit.OWING
    return "files"


def test_rule_18_owed_items_are_listed(run: Run, owing: str) -> None:
    """`list` names job, sink, item and reason, as a table and as JSON."""
    table = run("owed", "list").out
    assert "gone fishing" in table
    assert r"no\x1b[31m" in table
    rows = run("owed", "list", owing, "-o", "json").json()
    assert {row["reason"] for row in rows} == {"gone fishing", "no\x1b[31m"}
    assert run("owed", "list", "archive", "-o", "json").json() == []
    assert run("owed", "list", "filse").code == Exit.USAGE


def test_rule_18_one_item_is_shown(run: Run, owing: str) -> None:
    """`show` takes an id or a whole key and prints all that is known."""
    del owing
    (row,) = run("owed", "show", "2").json()
    assert (row["job"], row["sink"], row["attempts"]) == ("files", "lake", 1)
    assert run("owed", "show", row["key"]).json() == [row]
    assert run("owed", "show", "1").code == Exit.USAGE
    assert run("owed", "show").code == Exit.USAGE


def test_rule_18_ignored_until_and_retried(run: Run, owing: str, platform: MemoryPlatform) -> None:
    """An ignored item is left alone until its time, or until `retry`; then the next pass stores it."""
    platform.mend()
    assert "1 owed items are left alone until 2999-01-01" in run("owed", "ignore", "2", "--until", "2999-01-01").err
    assert run("sync", owing).code == Exit.OWING
    assert [row["key"] for row in run("owed", "list", "-o", "json").json()] == ['["annotation","7",null,null,"2"]']
    assert "tried again in the next pass" in run("owed", "retry").err
    assert run("sync", owing).code == Exit.DONE
    assert "nothing is owed" in run("owed", "list").err


def test_an_id_of_several_items_is_not_guessed(run: Run, owing: str, platform: MemoryPlatform) -> None:
    """An id that two jobs owe needs --job or a whole key."""
    del platform
    assert run("sync", "archive").code == Exit.OWING
    ended = run("owed", "retry", "2")
    assert (ended.code, "--job" in ended.err) == (Exit.USAGE, True)
    assert run("owed", "retry", "2", "--job", owing).code == Exit.DONE
