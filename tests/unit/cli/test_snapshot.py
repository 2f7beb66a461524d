"""`changes` and `snapshot`: what a destination got since a generation, and generations that stay."""

import json
import re
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.unit.cli.conftest import Ended, Run


@pytest.fixture
def kept(config: Path) -> Path:
    """Let both jobs keep what is superseded; return the folder of the objects."""
    text = config.read_text().replace('url: "file:lake"', 'url: "file:lake", versions: keep, on_delete: delete')
    config.write_text(text.replace('url: "file:box"', 'url: "file:box", mode: delta'))
    return config.parent / "lake"


def lines(ended: Ended) -> list[tuple[str, str]]:
    """Return operation and item of each row that was printed."""
    assert ended.code == Exit.DONE, ended.err
    return [(row["op"], row["item"]) for row in map(json.loads, ended.out.splitlines())]


def reached(ended: Ended) -> int:
    """Return the generation that `changes` went to."""
    return int(re.findall(r"to (\d+)", ended.words())[-1])


@pytest.mark.parametrize("job", ["files", "archive"])
def test_what_changed_since(run: Run, config: Path, platform: MemoryPlatform, job: str) -> None:
    """Everything since nothing; then what a run put and deleted; by job, and by URL without a configuration."""
    assert run("sync", job).code == Exit.DONE
    whole = run("changes", job, "--since", "0", "-o", "jsonl")
    assert sorted(lines(whole)) == [("put", str(number)) for number in range(1, 6)]
    before = reached(whole)
    platform.put("3", b"{}")
    platform.put("new")
    platform.delete("5")
    assert run("sync", job, "--full").code == Exit.DONE
    found = sorted(lines(run("changes", job, "--since", before, "-o", "jsonl")))
    assert found == [("delete", "5"), ("put", "3"), ("put", "new")]
    config.unlink()
    place = {"files": "lake/", "archive": "box/7.zip"}[job]
    assert sorted(lines(run("changes", place, "--since", before, "-o", "jsonl"))) == found
    assert lines(run("changes", place, "--since", before, "--until", before, "-o", "jsonl")) == []
    table = run("changes", place, "--since", before)
    assert table.code == Exit.DONE
    assert table.out.startswith("OP")


def test_what_is_not_known_is_refused_in_words(run: Run, config: Path) -> None:
    """A generation to come, a snapshot that is not there, a place where nothing lies, a job with that little."""
    assert run("sync", "files").code == Exit.DONE
    later = run("changes", "files", "--since", "999")
    assert later.code == Exit.SETTINGS
    assert "no generation 999 yet" in later.words()
    assert "has no snapshot 'best'" in run("changes", "files", "--since", "best").words()
    nothing = run("changes", "archive", "--since", "0")
    assert nothing.code == Exit.SETTINGS
    assert "there is no manifest" in nothing.words()
    assert run("changes", "none/", "--since", "0").code == Exit.SETTINGS
    assert run("changes", "nobody", "--since", "0").code == Exit.USAGE
    assert run("changes", "files").code == Exit.USAGE


def test_a_snapshot_outlives_retention_and_deletion(run: Run, kept: Path, platform: MemoryPlatform) -> None:
    """What it names stays, also what was deleted; once it is dropped, retention takes what only it kept."""
    assert run("sync", "files").code == Exit.DONE
    assert run("snapshot", "create", "best", "files").code == Exit.DONE
    assert run("snapshot", "create", "best", "files").code == Exit.DONE
    there = {path.name for path in kept.glob("*.json")}
    (listed,) = run("snapshot", "list", "files", "-o", "json").json()
    assert listed["name"] == "best"
    assert "best" in run("snapshot", "list", "lake/").out
    platform.put("3", b"{}")
    platform.delete("5")
    assert run("sync", "files", "--full").code == Exit.DONE
    assert run("retention", "files", "--keep-runs", "0", "--yes").code == Exit.DONE
    assert there <= {path.name for path in kept.glob("*.json")}
    assert run("verify", "--deep", "files").code == Exit.DONE
    since = sorted(lines(run("changes", "files", "--since", "best", "-o", "jsonl")))
    assert since == [("delete", "5"), ("put", "3")]
    late = run("snapshot", "create", "late", "files", "--at", listed["generation"])
    assert late.code == Exit.SETTINGS
    assert "complete no longer" in late.words()
    assert run("snapshot", "create", "best", "files", "--at", listed["generation"]).code == Exit.DONE
    assert run("snapshot", "drop", "best", "files").code == Exit.DONE
    assert run("snapshot", "drop", "best", "files").code == Exit.SETTINGS
    assert "there are no snapshots" in run("snapshot", "list", "files").words()
    assert run("retention", "files", "--keep-runs", "0", "--yes").code == Exit.DONE
    assert len({path.name for path in kept.glob("*.json")} & there) == 3
    assert run("verify", "--deep", "files").code == Exit.DONE


def test_archives_of_a_snapshot_are_not_rewritten(run: Run, kept: Path, platform: MemoryPlatform) -> None:
    """In `delta` mode neither retention nor `compact` touches what a snapshot names; by URL it is made just as well."""
    assert run("sync", "archive").code == Exit.DONE
    made = run("snapshot", "create", "best", "box/", "-v")
    assert made.code == Exit.DONE, made.err
    box = kept.parent / "box"
    before = {path.name: path.read_bytes() for path in box.glob("*.zip")}
    platform.put("3", b"{}")
    assert run("sync", "archive").code == Exit.DONE
    for words in (["compact", "archive"], ["retention", "archive", "--keep-runs", "0", "--yes"]):
        assert run(*words).code == Exit.DONE
        assert {name: (box / name).read_bytes() for name in before} == before
    assert run("snapshot", "drop", "best", "archive").code == Exit.DONE
    assert run("retention", "archive", "--keep-runs", "0", "--yes").code == Exit.DONE
    assert {name: (box / name).read_bytes() for name in before} != before
    assert run("verify", "--deep", "archive").code == Exit.DONE


def test_what_is_replaced_in_place_has_no_snapshots(run: Run, config: Path) -> None:
    """Objects that are replaced and `current` archives: refused, with what to do instead; a bad name is, too."""
    for job in ("files", "archive"):
        assert run("sync", job).code == Exit.DONE
        refused = run("snapshot", "create", "best", job)
        assert refused.code == Exit.SETTINGS
        assert "replaced in place" in refused.words()
        assert "versions: keep" in refused.words()
    assert run("snapshot", "create", "12", "files").code == Exit.SETTINGS
    assert run("snapshot", "create", "x", "files", "--at", "best").code == Exit.USAGE
