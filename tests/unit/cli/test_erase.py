"""`erase`: what is asked for goes from everywhere, with all that belongs to it, and does not come back."""

import json
import shutil
from pathlib import Path

import pytest

from syncer.app.reading import read
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.support.traces import traces
from tests.unit.cli.conftest import Ended, Run

#: An id and a name that stand nowhere else, so that every byte can be searched for them.
PERSON, NAME = "item-of-a-person", "Ada-of-no-other-file"
KEY = json.dumps(["annotation", "7", None, None, PERSON])

MODES = {
    "latest": ("", ""),
    "keep": (", versions: keep", ""),
    "append": ("", ", mode: append"),
    "delta": ("", ", mode: delta"),
}


@pytest.fixture(params=MODES)
def stored(request: pytest.FixtureRequest, run: Run, config: Path, platform: MemoryPlatform) -> Path:
    """Return a folder with a person's item, kept in one way or another."""
    return stored_in(run, config, platform, *MODES[request.param])


def stored_in(run: Run, config: Path, platform: MemoryPlatform, lake: str, box: str) -> Path:
    """Store a person's item, corrected twice and with its media, among others; return the folder of everything."""
    text = config.read_text().replace('url: "file:lake"', f'url: "file:lake"{lake}')
    config.write_text(text.replace('url: "file:box"', f'url: "file:box"{box}'))
    for edit in range(3):
        platform.put(PERSON, b'{"name":"%s","edit":%d}' % (NAME.encode(), edit), group="task-1")
        if not edit:
            platform.put("photo", NAME.encode() * 9, kind="media", group="task-1")
        platform.put("2", b"%d" % edit)
        assert run("sync").code == Exit.DONE
    return config.parent


def erase(run: Run, folder: Path, *words: str, keys: str = KEY) -> Ended:
    """Erase what some lines name."""
    (folder / "keys").write_text(keys)
    ended = run("erase", "--keys-from", folder / "keys", "--yes", *words)
    (folder / "keys").unlink()
    return ended


def test_nothing_is_left_and_nothing_comes_back(run: Run, stored: Path, platform: MemoryPlatform) -> None:
    """No byte of document or id stays in files, archives, manifests and state; passes of every kind leave it out."""
    assert len(traces(stored, [NAME, PERSON])) > 4
    ended = erase(run, stored)
    assert ended.code == Exit.DONE, ended.err
    assert traces(stored, [NAME, PERSON]) == []
    assert ended.json()["jobs"][0]["items"] == 2
    for words in (["sync"], ["sync", "--full"], ["sync", "--refetch"]):
        done = run(*words)
        assert done.code == Exit.DONE, done.err
        assert traces(stored, [NAME, PERSON]) == []
    assert "+ suppressed 2" in done.words()
    assert run("verify", "--deep", "-o", "json").json() == []
    platform.put("4", b"after")
    assert run("sync").code == Exit.DONE


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_tables_lose_their_rows(run: Run, config: Path, platform: MemoryPlatform, kind: str) -> None:
    """Files of rows are written anew without them, superseded ones included."""
    config.write_text(config.read_text().replace("box: {type: zip,", f"box: {{type: {kind},"))
    platform.put(PERSON, b'{"name":"%s"}' % NAME.encode())
    assert run("sync").code == Exit.DONE
    platform.put(PERSON, b'{"name":"%s","edit":2}' % NAME.encode())
    assert run("sync").code == Exit.DONE
    assert traces(config.parent, [PERSON])
    ended = erase(run, config.parent)
    assert ended.code == Exit.DONE, ended.err
    assert traces(config.parent, [NAME, PERSON]) == []
    assert run("sync", "--refetch").code == Exit.DONE
    assert run("verify", "--deep", "-o", "json").json() == []
    assert traces(config.parent, [NAME, PERSON]) == []


@pytest.mark.parametrize(("lake", "box"), [("keep", "append"), ("keep", "delta")])
def test_snapshots_stay_without_it(run: Run, config: Path, platform: MemoryPlatform, lake: str, box: str) -> None:
    """A snapshot reads as it did, less what was erased; generations before the erasure are gone, in words."""
    folder = stored_in(run, config, platform, MODES[lake][0], MODES[box][1])
    for job in ("files", "archive"):
        assert run("snapshot", "create", "pin", job).code == Exit.DONE
    platform.put("2", b"later")
    platform.put(PERSON, NAME.encode())
    assert run("sync").code == Exit.DONE
    ended = erase(run, folder)
    assert ended.code == Exit.DONE, ended.err
    assert traces(folder, [NAME, PERSON]) == []
    for job, url in (("files", "lake"), ("archive", "box")):
        with read(str(folder / url), "pin") as labels:
            assert {label.key.item: label.content for label in labels}["2"] == b"2"
        assert run("snapshot", "list", job).code == Exit.DONE
    assert run("verify", "--deep", "-o", "json").json() == []


def test_neither_a_lost_state_nor_a_rebuilt_one_brings_it_back(
    run: Run, config: Path, platform: MemoryPlatform
) -> None:
    """The list lies beside the data, too: who loses the state finds it there."""
    folder = stored_in(run, config, platform, "", "")
    assert erase(run, folder).code == Exit.DONE
    assert run("state", "rebuild", "files", "--yes").code == Exit.DONE
    assert run("sync", "--full").code == Exit.DONE
    assert traces(folder, [NAME, PERSON]) == []
    for file in folder.glob("state.db*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    ended = run("sync")
    assert ended.code == Exit.DONE, ended.err
    assert "suppressed 2" in run("sync", "--full").words()
    assert traces(folder, [NAME, PERSON]) == []


def test_an_older_copy_is_noticed_and_erased_again(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """What was restored is neither called complete nor told as a deletion; it goes without being named."""
    folder = stored_in(run, config, platform, "", "")
    shutil.copytree(folder / "lake", folder / "copy")
    assert erase(run, folder).code == Exit.DONE
    shutil.rmtree(folder / "lake")
    (folder / "copy").rename(folder / "lake")
    assert run("state", "rebuild", "files", "--yes").code == Exit.DONE
    ended = run("sync", "files", "--full")
    assert ended.code == Exit.DAMAGE
    assert "2 erased items are stored again" in ended.words()
    assert "--again" in ended.words()
    assert run("erase", "--again", "files", "--yes").code == Exit.DONE
    assert run("sync", "files", "--full").code == Exit.DONE
    assert traces(folder, [NAME, PERSON]) == []


def test_a_mistake_is_lifted(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """The list shows digests, no names; what is lifted comes with the next pass."""
    folder = stored_in(run, config, platform, "", "")
    assert erase(run, folder).code == Exit.DONE
    listed = run("erase", "--list")
    assert len(listed.json()) >= 2
    assert PERSON not in listed.out
    assert erase(run, folder, "--lift").code == Exit.DONE
    assert run("sync").code == Exit.DONE
    assert (folder / "lake" / f"{PERSON}.json").exists()


def test_a_dry_run_says_what_would_go(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """Counts and places, and nothing is written, not even what was asked."""
    folder = stored_in(run, config, platform, "", "")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".db-shm"}
    told = erase(run, folder, "--dry-run").json()
    assert told["dry_run"]
    assert [(job["job"], job["items"]) for job in told["jobs"]] == [("files", 2), ("archive", 2)]
    assert all(path.read_bytes() == data for path, data in before.items() if path.exists())


def test_others_that_hold_it_are_named(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """Who names one job is told of the other, and by the exit code that something is left to do."""
    folder = stored_in(run, config, platform, "", "")
    ended = erase(run, folder, "files")
    assert ended.code == Exit.OWING
    assert ended.json()["elsewhere"] == ["archive"]
    assert "archive holds some of it too" in ended.words()


@pytest.mark.parametrize("spelled", ["row", "id"])
def test_lines_name_items_in_several_ways(run: Run, config: Path, platform: MemoryPlatform, spelled: str) -> None:
    """Keys, rows of the manifest, and ids with their project."""
    folder = stored_in(run, config, platform, "", "")
    rows = [line for line in run("manifest", "files", "-o", "jsonl").out.splitlines() if PERSON in line]
    given = erase(run, folder, keys=rows[0]) if spelled == "row" else erase(run, folder, "--project", "7", keys=PERSON)
    assert given.code == Exit.DONE, given.err
    assert traces(folder, [NAME, PERSON]) == []
    assert run("sync", "--refetch").code == Exit.DONE
    assert traces(folder, [NAME, PERSON]) == []


def test_others_of_the_group_stay_unless_asked_for(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """What somebody else said of the same task is theirs; `--groups` takes it, too, and whatever comes later."""
    platform.put("another", b"{}", group="task-1")
    folder = stored_in(run, config, platform, "", "")
    assert erase(run, folder).json()["jobs"][0]["same_group_kept"] == 1
    assert (folder / "lake" / "another.json").exists()
    assert erase(run, folder, "--groups", keys='["annotation","7",null,null,"another"]').code == Exit.DONE
    platform.put("one more", b"{}", group="task-1")
    assert "suppressed 4" in run("sync", "--full").words()
    assert not (folder / "lake" / "another.json").exists()
    assert not (folder / "lake" / "one more.json").exists()


def test_one_account_is_meant(run: Run, config: Path) -> None:
    """One id in two installations is two people, so nobody guesses which."""
    text = config.read_text().replace("platforms: {mem:", "platforms: {other: {type: memory, platform: other}, mem:")
    config.write_text(text.replace("archive: {platform: mem", "archive: {platform: other"))
    ended = erase(run, config.parent)
    assert ended.code == Exit.SETTINGS
    assert "--platform" in ended.words()


@pytest.mark.parametrize(
    ("words", "keys"),
    [([], KEY), (["--keys-from", "nowhere"], ""), (["--keys-from", "empty"], ""), (["--keys-from", "keys"], "plain")],
)
def test_what_makes_no_sense_is_refused(run: Run, config: Path, words: list[str], keys: str) -> None:
    """Without keys, with none in the file, and with ids of no project."""
    (config.parent / "empty").write_text("\n# nobody\n")
    (config.parent / "keys").write_text(keys)
    assert run("erase", *words, "--yes").code == Exit.USAGE


def test_an_object_without_a_row_goes_too(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """What a run that died wrote before its commit is known by its name."""
    folder = stored_in(run, config, platform, "", "")
    (folder / "lake" / f"{PERSON}@9.json").write_text(NAME)
    (folder / "lake" / f"of-{PERSON}.txt").write_text("somebody's own")
    told = erase(run, folder).json()
    assert not (folder / "lake" / f"{PERSON}@9.json").exists()
    assert "1 files that no row names have an erased id in their names" in " ".join(told["jobs"][0]["left"])
