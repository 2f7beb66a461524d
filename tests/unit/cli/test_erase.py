"""`erase`: what is asked for goes from everywhere, with all that belongs to it, and does not come back."""

import json
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
