"""Options that several commands share."""

import pytest

from syncer.cli.exits import UsageError
from syncer.cli.options import PASS, PassFlags, shard_from_environment, shard_of
from syncer.cli.tree import app
from syncer.flow.job import RunOptions


def _flags(*words: str) -> PassFlags:
    _, bound, _ = app.parse_args(["sync", *words], exit_on_error=False, print_error=False)
    return bound.arguments.get("flags", PASS)


def test_flags_become_run_options() -> None:
    """Every option of a pass reaches the run, sizes as bytes and durations as seconds."""
    words = (
        "--relist --refetch --max-items 7 --max-bytes 2MiB --max-time 1h30m --shard 1/4 --max-delete 3 --prune"
        " --accept-gone 7 --accept-gone 8/a --relayout --adopt"
    )
    assert _flags(*words.split()).options() == RunOptions(
        relist=True, refetch=True, max_items=7, max_bytes=2 * 2**20, max_time=5400.0, shard=(1, 4), max_delete=3,
        prune=True, accept_gone=("7", "8/a"), relayout=True, adopt=True,
    )  # fmt: skip


def test_nothing_given_is_nothing_asked() -> None:
    """Without options a pass is an ordinary one."""
    assert _flags().options() == RunOptions()


@pytest.mark.parametrize(("word", "name"), [("--full", "relist"), ("--limit=3", "max_items"), ("-n", "dry_run")])
def test_other_names_of_options(word: str, name: str) -> None:
    """`--full` is --relist, `--limit` is --max-items, `-n` is --dry-run."""
    assert getattr(_flags(word), name)


def test_rule_5_share_from_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of an indexed Job is the share if SYNCER_SHARDS says of how many; --shard wins."""
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "2")
    assert shard_from_environment() is None
    monkeypatch.setenv("SYNCER_SHARDS", "4")
    assert _flags().options().shard == (2, 4)
    assert _flags("--shard", "0/2").options().shard == (0, 2)
    monkeypatch.setenv("SYNCER_SHARDS", "2")
    with pytest.raises(UsageError, match="JOB_COMPLETION_INDEX"):
        shard_from_environment()


@pytest.mark.parametrize("text", ["", "1", "/", "a/b", "-1/2", "2/2", "1/0"])
def test_a_share_that_is_none(text: str) -> None:
    """Only I/N with I below N is a share."""
    with pytest.raises(ValueError, match="expected I/N"):
        shard_of(*text.partition("/")[::2])
