"""`retention`: what superseded versions go, and which never do."""

import zipfile
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.unit.cli.conftest import Run


@pytest.fixture
def kept(config: Path) -> Path:
    """Let both jobs keep what is superseded; return the folder of the objects."""
    text = config.read_text().replace('url: "file:lake"', 'url: "file:lake", versions: keep')
    config.write_text(text.replace('url: "file:box"', 'url: "file:box", mode: delta'))
    return config.parent / "lake"


def objects(folder: Path) -> list[str]:
    """Return the names of the label documents."""
    return sorted(path.name for path in folder.glob("*.json"))


def entries(archive: Path) -> int:
    """Return how many entries an archive has."""
    with zipfile.ZipFile(archive) as file:
        return len(file.namelist())


def corrected(run: Run, platform: MemoryPlatform, job: str, *bodies: bytes) -> None:
    """Run, and again after each correction of item 3; the last run deletes item 5."""
    first = run("sync", job)
    assert first.code == Exit.DONE, first.err
    for body in bodies:
        platform.put("3", body)
        later = run("sync", job)
        assert later.code == Exit.DONE, later.err
    platform.delete("5")
    assert run("sync", job, "--full").code == Exit.DONE


def test_each_version_has_an_object_of_its_own(run: Run, kept: Path, platform: MemoryPlatform) -> None:
    """A correction adds an object and replaces none; verify is content with the superseded ones."""
    corrected(run, platform, "files", b"second", b"third")
    assert objects(kept) == ["1@1.json", "2@2.json", "3@3.json", "3@6.json", "3@7.json", "4@4.json", "5@5.json"]
    assert run("verify", "files", "--deep", "-o", "json").json() == []
    current = [row["path"] for row in run("manifest", "files", "-o", "json").json()]
    assert sorted(current) == ["1@1.json", "2@2.json", "3@7.json", "4@4.json"]


def test_runs_and_days_decide(run: Run, kept: Path, platform: MemoryPlatform) -> None:
    """What either of the two wants stays; a dry run says what would go; the rest goes, and is never current."""
    corrected(run, platform, "files", b"second", b"third")
    assert "0 superseded versions would go" in run("retention", "files", "--keep-days", "1", "-n").words()
    assert "0 superseded versions would go" in run("retention", "files", "--keep-runs", "3", "-n").words()
    assert "1 superseded versions would go" in run("retention", "files", "--keep-runs", "2", "-n").words()
    assert "0 superseded" in run("retention", "files", "--keep-runs", "2", "--keep-days", "1", "-n").words()
    assert run("retention", "files", "--keep-runs", "2").code == Exit.USAGE  # nobody is there to say yes
    assert run("retention", "files", "--keep-runs", "2", "--yes").code == Exit.DONE
    assert objects(kept) == ["1@1.json", "2@2.json", "3@6.json", "3@7.json", "4@4.json", "5@5.json"]
    assert run("retention", "files", "--keep-runs", "0", "--yes").code == Exit.DONE
    assert objects(kept) == ["1@1.json", "2@2.json", "3@7.json", "4@4.json", "5@5.json"]
    assert "0 superseded" in run("retention", "files", "--keep-runs", "0", "--yes").words()
    assert run("verify", "files", "--deep", "-o", "json").json() == []
    assert run("sync", "files", "-o", "json").json()[0]["counts"]["stored"] == 0


def test_history_survives_merging(run: Run, kept: Path, platform: MemoryPlatform) -> None:
    """More runs than a manifest has segments: superseded versions are still known, and still go."""
    corrected(run, platform, "files", *(b"%d" % number for number in range(70)))
    assert len(objects(kept)) == 75
    assert run("verify", "files", "-o", "json").json() == []
    run("retention", "files", "--keep-runs", "0", "--yes")
    assert len(objects(kept)) == 5


def test_archives_of_earlier_runs_give_up_what_is_dead(run: Run, kept: Path, platform: MemoryPlatform) -> None:
    """In `delta` mode archives of earlier runs are rewritten without their superseded entries, and keep the others."""
    corrected(run, platform, "archive", b"second", b"third")
    box = kept.parent / "box"
    assert sum(map(entries, box.glob("*.zip"))) == 7
    assert run("retention", "archive", "--keep-runs", "3", "--yes").code == Exit.DONE
    assert sum(map(entries, box.glob("*.zip"))) == 7
    assert run("retention", "archive", "--keep-runs", "0", "--yes").code == Exit.DONE
    assert sum(map(entries, box.glob("*.zip"))) == 4
    assert min(map(entries, box.glob("*.zip"))) > 0, "an archive without entries is left"
    assert "0 superseded versions would go" in run("retention", "archive", "--keep-runs", "0", "-n").words()
    assert run("verify", "archive", "--deep", "-o", "json").json() == []
    assert run("sync", "archive", "-o", "json").json()[0]["counts"]["stored"] == 0


def test_a_sink_that_keeps_nothing_has_nothing_to_remove(run: Run, config: Path) -> None:
    """Without `versions: keep` or `mode: delta` the command says so, and what does keep."""
    del config
    assert run("retention", "files").code == Exit.USAGE
    ended = run("retention", "files", "--keep-runs", "1")
    assert (ended.code, "versions: keep" in ended.words()) == (Exit.SETTINGS, True)


def test_an_object_of_somebody_else_is_never_replaced(run: Run, kept: Path, platform: MemoryPlatform) -> None:
    """Where a version is to be written and other bytes lie, the sink stops and names the object, with exit code 4."""
    run("sync", "files")
    platform.put("3", b"second")
    (kept / "3@6.json").write_bytes(b"theirs")
    ended = run("sync", "files")
    assert (ended.code, "3@6.json" in ended.words()) == (Exit.DAMAGE, True)
    assert (kept / "3@6.json").read_bytes() == b"theirs"


def test_a_damaged_version_is_repaired_in_place(run: Run, kept: Path) -> None:
    """Repair writes a version again under its own name: it is the same one."""
    run("sync", "files")
    (kept / "2@2.json").write_bytes(b"damaged")
    (kept / "4@4.json").unlink()
    counts = run("repair", "files", "-o", "json").json()[0]["counts"]
    assert counts["replayed"] == 2
    assert run("verify", "files", "--deep", "-o", "json").json() == []
