"""`manifest`, `verify`, `repair`, `compact`, `adopt`: care for what is stored."""

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncer.cli.merged import merged
from syncer.model.errors import Exit
from syncer.model.refs import ItemKey
from syncer.model.rows import ManifestRow
from syncer.ports import SegmentRef
from syncer.sources.memory import MemoryPlatform
from tests.unit.cli.conftest import Run


def _row(op: str, item: str, version: str) -> ManifestRow:
    key = ItemKey("annotation", "7", None, None, item)
    return ManifestRow(op, key, version, f"7/{item}.json", None, 1, "00", {}, "run", "2026-01-01T00:00:00Z")


class _Manifest:
    async def rows(self) -> AsyncIterator[tuple[SegmentRef, ManifestRow]]:
        segment = SegmentRef("one", 1, "00", 1, 1)
        for number in range(5000):
            yield segment, _row("put", str(number % 2500), str(number))
        yield segment, _row("delete", "7", "x")
        yield segment, _row("withdraw", "8", "x")


async def test_rule_8_the_last_row_of_a_key_wins() -> None:
    """A merged manifest has one row an item, the last one; deleted ones are gone, withdrawn ones stay and say so."""
    rows = {row.key.item: row async for batch in merged(_Manifest()) for row in batch}  # type: ignore[arg-type]  # one method of it
    assert len(rows) == 2499
    assert "7" not in rows
    assert (rows["8"].op, rows["9"].version) == ("withdraw", "2509")


def test_a_manifest_in_every_form(run: Run, config: Path) -> None:
    """What is current is printed as a table, JSON, JSON lines and CSV, by job or by destination."""
    run("sync", "files")
    rows = run("manifest", "files", "-o", "json").json()
    assert sorted(row["item"] for row in rows) == ["1", "2", "3", "4", "5"]
    assert (config.parent / "lake" / rows[0]["path"]).stat().st_size == rows[0]["size"]
    assert [json.loads(line) for line in run("manifest", "files", "-o", "jsonl").out.splitlines()] == rows
    assert len(list(csv.DictReader(io.StringIO(run("manifest", "files", "-o", "csv").out)))) == 5
    assert run("manifest", "files").out.startswith("KIND")
    assert run("manifest", "archive").code == Exit.SETTINGS
    assert run("manifest", "fiels").code == Exit.USAGE


def test_a_manifest_of_an_export(run: Run, config: Path) -> None:
    """The destination of an export goes by its path, in `manifest` and in `verify`, without its platform."""
    run("export", "mem", "--project", "7", "--to", "out.zip")
    config.unlink()
    assert len(run("manifest", "out.zip", "-o", "jsonl").out.splitlines()) == 5
    assert run("verify", "out.zip", "--deep").code == Exit.DONE
    assert run("verify", "other.zip").code != Exit.DONE
    assert run("verify", "out.zip", "--source").code == Exit.USAGE


def test_damage_in_an_export_is_cured_as_its_hint_says(run: Run, config: Path) -> None:
    """Without a configured job `repair` has nothing to go by: the export itself, with --refetch, mends the files."""
    run("export", "mem", "--project", "7", "--to", "out/")
    (config.parent / "out" / "3.json").write_text("replaced")
    found = run("verify", "out/")
    assert (found.code, "repair" in found.err, "--refetch" in found.err) == (Exit.DAMAGE, False, True)
    assert run("export", "mem", "--project", "7", "--to", "out/", "--refetch").code == Exit.DONE
    assert run("verify", "out/", "--deep").code == Exit.DONE


@pytest.mark.parametrize("to", ["out/", "box/out.zip"])
def test_an_emptied_export_begins_anew_as_its_hint_says(run: Run, config: Path, to: str) -> None:
    """It has no job to repair: forgetting what was there lets the same line fetch everything again."""
    line = ("export", "mem", "--project", "7", "--to", to)
    run(*line)
    shutil.rmtree(config.parent / to.partition("/")[0])
    ended = run(*line)
    told = re.search(r"syncer state reset ([\w-]+)", ended.err)
    assert (ended.code, told is not None) == (Exit.DAMAGE, True)
    assert run("state", "reset", told[1] if told else "", "--yes").code == Exit.DONE
    assert run(*line).code == Exit.DONE
    assert run("verify", to, "--deep").code == Exit.DONE


def test_one_of_several_sinks_is_named(run: Run, config: Path) -> None:
    """A manifest is of one sink; where a job has two, --sink says which."""
    config.write_text(config.read_text().replace("sinks: [lake]", "sinks: [lake, box]"))
    run("sync", "files")
    assert "--sink: lake, box" in run("manifest", "files").err
    assert run("manifest", "files", "--sink", "box", "-o", "jsonl").out.count("7.zip") == 5
    assert "did you mean 'box'" in run("manifest", "files", "--sink", "bxo").err


def test_rule_21_damage_ends_with_4_and_is_repaired(run: Run, config: Path) -> None:
    """Missing and damaged items end with 4, foreign files do not; `repair` fetches again just what is wrong."""
    run("sync", "files")
    assert run("verify", "files", "--deep").code == Exit.DONE
    lake = config.parent / "lake"
    (lake / "3.json").write_text((lake / "3.json").read_text().swapcase())
    (lake / "4.json").unlink()
    (lake / "README").write_text("mine")
    shallow = run("verify", "files", "-o", "json")
    assert (shallow.code, {row["finding"] for row in shallow.json()}) == (Exit.DAMAGE, {"missing", "extra"})
    deep = run("verify", "files", "--deep", "-o", "json")
    assert {row["path"]: row["finding"] for row in deep.json()} == {
        "3.json": "damaged", "4.json": "missing", "README": "extra",
    }  # fmt: skip
    assert "syncer repair files" in deep.err
    repaired = run("repair", "files")
    assert repaired.code == Exit.DONE
    assert "2 items were missing or damaged" in repaired.words()
    assert run("verify", "files", "--deep").code == Exit.DONE


@pytest.mark.parametrize("job", ["files", "archive"])
def test_an_emptied_destination_is_noticed_and_filled_again(run: Run, config: Path, job: str) -> None:
    """A run does not call it complete that all is gone; `repair` brings everything back, manifest included."""
    assert run("sync", job).code == Exit.DONE
    root = next(config.parent.rglob("HEAD.json")).parents[2]
    before = run("manifest", job, "-o", "csv").out.count("\n")
    shutil.rmtree(root)
    for _ in range(2):
        ended = run("sync", job)
        assert (ended.code, f"syncer repair {job}" in ended.err) == (Exit.DAMAGE, True)
        assert not list(root.rglob("_SUCCESS"))
    assert run("repair", job).code == Exit.DONE
    assert run("verify", job, "--deep", "-o", "json").json() == []
    assert run("manifest", job, "-o", "csv").out.count("\n") == before
    assert run("sync", job).code == Exit.DONE


def test_what_no_row_names_is_removed_when_asked_for(run: Run, config: Path) -> None:
    """Repair leaves extra files alone; with --remove-extra it asks, and removes what lies where the job may write."""
    run("sync", "files")
    lake = config.parent / "lake"
    stray = lake / "9.json"
    stray.write_text("of a pass that died")
    assert run("repair", "files").code == Exit.DONE
    assert run("repair", "files", "--remove-extra").code == Exit.USAGE  # nobody is there to say yes
    assert stray.exists()
    ended = run("repair", "files", "--remove-extra", "--yes")
    assert (ended.code, "1 of 1 objects were removed" in ended.words()) == (Exit.DONE, True)
    assert not stray.exists()
    assert run("verify", "files", "--deep", "-o", "json").json() == []
    assert "objects were removed" not in run("repair", "files", "--remove-extra", "--yes").words()


@pytest.mark.parametrize(
    ("job", "cure"),
    [("files", "repair"), ("files", "rebuild"), ("files", "reset"), ("archive", "repair"), ("archive", "rebuild")],
)
def test_an_older_copy_of_a_destination_is_noticed(
    run: Run, config: Path, platform: MemoryPlatform, job: str, cure: str
) -> None:
    """A run does not go on from what was restored; each of the ways that the hint names brings it up to date."""
    assert run("sync", job).code == Exit.DONE
    root = next(config.parent.rglob("HEAD.json")).parents[2]
    copy = shutil.copytree(root, config.parent / "copy")
    for body in (b"corrected", b"corrected again"):
        platform.put("3", body)
        platform.put("8", body)
        assert run("sync", job).code == Exit.DONE
    shutil.rmtree(root)
    shutil.copytree(copy, root)
    for _ in range(2):
        ended = run("sync", job)
        assert (ended.code, f"syncer repair {job}" in ended.err) == (Exit.DAMAGE, True)
        assert "older copy" in ended.words()
    command = ("repair", job) if cure == "repair" else ("state", cure, job, "--yes")
    assert run(*command).code == Exit.DONE
    last = run("sync", job, "-o", "json")
    assert last.code == Exit.DONE, last.err
    assert last.json()[0]["counts"]["stored"] == {"repair": 0, "rebuild": 2, "reset": 6}[cure]
    assert run("verify", job, "--deep", "-o", "json").json() == []
    assert {row["item"] for row in run("manifest", job, "-o", "json").json()} == {"1", "2", "3", "4", "5", "8"}
    assert run("sync", job).code == Exit.DONE


@pytest.mark.parametrize("job", ["files", "archive"])
@pytest.mark.parametrize("damage", [None, b"garbage\n"])
def test_a_lost_segment_of_the_manifest_is_written_anew(run: Run, config: Path, job: str, damage: bytes | None) -> None:
    """`verify` names it; `repair` writes the manifest from the state, and fetches nothing that still lies there."""
    run("sync", job)
    before = run("manifest", job, "-o", "json").json()
    segment = next(config.parent.rglob("0*-0*.jsonl"))
    segment.unlink()
    if damage:
        segment.write_bytes(damage)
    found = run("verify", job)
    assert (found.code, segment.name in found.err, "syncer repair" in found.err) == (Exit.DAMAGE, True, True)
    repaired = run("repair", job, "-o", "json")
    assert (repaired.code, repaired.json()[0]["counts"]["stored"]) == (Exit.DONE, 0)
    assert run("verify", job, "--deep", "-o", "json").json() == []
    after = run("manifest", job, "-o", "json").json()
    assert all(row["run"] and row["at"] for row in after)
    assert [{**row, "run": "", "at": ""} for row in after] == [{**row, "run": "", "at": ""} for row in before]


def test_state_and_head_lost_together(run: Run, config: Path) -> None:
    """Documents are found again by the segments; of archives nobody knows enough: that is said, nothing written."""
    run("sync")
    heads = list(config.parent.rglob("HEAD.json"))
    for file in (*heads, *config.parent.glob("state.db*")):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    again = run("sync", "files", "-o", "json")
    assert (again.code, again.json()[0]["counts"]["stored"]) == (Exit.DONE, 0)
    assert run("verify", "files", "--deep", "-o", "json").json() == []
    refused = run("sync", "archive")
    assert (refused.code, "from a copy" in refused.err) == (Exit.DAMAGE, True)
    assert len(list(config.parent.rglob("HEAD.json"))) == 1


def test_verify_goes_on_after_a_destination_that_is_not_there(run: Run, config: Path) -> None:
    """A job that never ran is told, and the other one is verified all the same."""
    del config
    run("sync", "archive")
    ended = run("verify")
    assert ended.code == Exit.DAMAGE
    assert "there is no manifest of job files" in ended.words()
    assert "run the job, or the export, again" in ended.words()
    assert "as recorded" in ended.words()


def test_verify_against_the_platform(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """--source says what the platform has and the destination has not."""
    del config
    run("sync", "files")
    assert "in step with the platform" in run("verify", "files", "--source").words()
    platform.put("6")
    ended = run("verify", "files", "--source")
    assert (ended.code, "1 new" in ended.words()) == (Exit.OWING, True)


def test_rule_6_salvage_needs_nothing_else(run: Run, config: Path) -> None:
    """An archive without its directory becomes a valid one again; a file that is there is not replaced."""
    run("sync", "archive")
    whole = (config.parent / "box" / "7.zip").read_bytes()
    torn = config.parent / "torn.partial"
    torn.write_bytes(whole[: whole.rfind(b"PK\x01\x02") // 2 * 2])
    ended = run("repair", "--salvage", torn, "--to", "saved.zip")
    assert ended.code == Exit.DONE
    with zipfile.ZipFile(config.parent / "saved.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 5
    assert run("repair", "--salvage", torn, "--to", "saved.zip").code == Exit.USAGE
    assert run("repair", "--salvage", "nowhere", "--to", "x.zip").code == Exit.USAGE


def test_rule_4_a_destination_of_another_job_is_refused(run: Run, config: Path) -> None:
    """What an export wrote is not a job's; both are named, and `adopt` only takes what the job writes to."""
    del config
    export = run("export", "mem", "--project", "7", "--to", "lake/", "-o", "json").json()[0]["job"]
    refused = run("sync", "files")
    assert refused.code == Exit.SETTINGS
    assert export in refused.words()
    assert "files" in refused.words()
    ended = run("adopt", "file:///elsewhere", "--job", "files")
    assert (ended.code, "lake" in ended.words()) == (Exit.SETTINGS, True)
    assert run("adopt", "file:///elsewhere", "--job", "flies").code == Exit.USAGE


@pytest.mark.parametrize(("job", "to"), [("files", "lake/"), ("archive", "box/7.zip")])
def test_rule_4_an_export_is_adopted(run: Run, config: Path, job: str, to: str) -> None:
    """A job takes over what an export wrote, fetches nothing of it again, and goes on from there."""
    (config.parent / "box").mkdir()
    export = run("export", "mem", "--project", "7", "--to", to, "-o", "json").json()[0]["job"]
    adopted = run("adopt", to.removesuffix("7.zip"), "--job", job, "-o", "json")
    assert (adopted.code, adopted.json()[0]["counts"]["stored"]) == (Exit.DONE, 0)
    again = run("sync", job, "-o", "json")
    assert (again.code, again.json()[0]["counts"]["stored"]) == (Exit.DONE, 0)
    assert len(run("manifest", job, "-o", "jsonl").out.splitlines()) == 5
    assert run("verify", job, "--deep", "-o", "json").json() == []
    assert export not in [row["job"] for row in run("status", "-o", "json").json()]


def test_rule_4_a_destination_of_a_lost_state_is_adopted(run: Run, config: Path) -> None:
    """A job of a new state takes over what the same job of a lost one wrote."""
    run("sync", "files")
    config.write_text(config.read_text().replace("state.db", "other.db"))
    adopted = run("adopt", config.parent / "lake", "--job", "files", "-o", "json")
    assert (adopted.code, adopted.json()[0]["counts"]["stored"]) == (Exit.DONE, 0)
    assert run("verify", "files", "--deep", "-o", "json").json() == []


def test_adopt_does_not_guess_among_several_owners(run: Run, config: Path) -> None:
    """Where two jobs have a manifest, neither of them is taken."""
    for name in ("one", "two"):
        folder = config.parent / "lake" / "_manifest" / name
        folder.mkdir(parents=True)
        (folder / "owner.json").write_text(json.dumps({"job": name}))
    ended = run("adopt", "lake/", "--job", "files")
    assert (ended.code, "one, two" in ended.words()) == (Exit.SETTINGS, True)


def test_compact(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """`compact` says what it gave back, and the archive is as recorded."""
    del config
    run("sync", "archive")
    platform.put("3")
    run("sync", "archive")
    ended = run("compact", "archive")
    assert (ended.code, "given back" in ended.words()) == (Exit.DONE, True)
    assert run("verify", "archive", "--deep").code == Exit.DONE
