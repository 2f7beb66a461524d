"""Erasures that are killed before and after every write, to the state and to the destination, and gone on with."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncer.app.care import verify_job
from syncer.app.erasing import Erasure, erase, resume
from syncer.app.library import Syncer, open_syncer
from syncer.blobs.folder import FolderBlobs
from syncer.flow.job import RunOptions
from syncer.flow.verify import Survey
from syncer.model.errors import Exit
from syncer.model.refs import ItemKey
from syncer.sources.memory import MemoryPlatform, platform_named
from syncer.state.sqlite.database import SqliteDatabase
from tests.support.engine import CrashError
from tests.support.story import died
from tests.support.traces import traces

PERSON, NAME = "item-of-a-person", "Ada-of-no-other-file"
KEY = ItemKey("annotation", "7", None, None, PERSON)
#: What makes something durable: in the state, and at the destination.
WRITES: tuple[tuple[type, str], ...] = (
    (SqliteDatabase, "write"),
    (SqliteDatabase, "clean"),
    (FolderBlobs, "put"),
    (FolderBlobs, "put_many"),
    (FolderBlobs, "delete_many"),
    (FolderBlobs, "adopt"),
)


class Death:
    """Counts writes, and dies before or after one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between everybody and what they write to."""
        self.met = 0
        self.at: int | None = None
        self.after = False
        for room, name in WRITES:
            monkeypatch.setattr(room, name, self._counted(getattr(room, name)))

    def _counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*args: Any, **options: Any) -> Any:
            self.met += 1
            if self.at is not None and self.met > self.at:
                if self.met == self.at + 1 and self.after:
                    await write(*args, **options)
                # What is dead writes nothing more, whoever asks.
                raise CrashError
            return await write(*args, **options)

        return counted


def prepared(folder: Path, lake: str, box: str, platform: str) -> Path:
    """Write a configuration with one job into files and archives."""
    folder.mkdir()
    (folder / "syncer.yaml").write_text(
        f"state: sqlite:state.db\nplatforms: {{mem: {{type: memory, platform: {platform}}}}}\n"
        f'sinks:\n  lake: {{type: prefix, url: "file:lake"{lake}}}\n  box: {{type: zip, url: "file:box"{box}}}\n'
        'jobs: {job: {platform: mem, select: {projects: ["7"]}, sinks: [lake, box]}}\n'
    )
    return folder / "syncer.yaml"


async def stored(config: Path, platform: MemoryPlatform) -> None:
    """Store a person's item with its photo, corrected twice, among others."""
    async with open_syncer(config) as syncer:
        for edit in range(3):
            platform.put(PERSON, b'{"name":"%s","edit":%d}' % (NAME.encode(), edit), group="task-1")
            platform.put("photo", NAME.encode() * 9, kind="media", group="task-1")
            platform.put("2", b"%d" % edit)
            assert (await syncer.sync("job")).exit_code() is Exit.DONE


async def finished(syncer: Syncer, *, by: str) -> None:
    """Go on as whoever comes next would."""
    if by == "the same command":
        _, code = await erase(syncer, ["job"], Erasure([KEY]))
    elif by == "resume":
        _, code = await resume(syncer, ["job"])
    else:
        code = (await syncer.sync("job", RunOptions(relist=True))).exit_code()
    assert code is Exit.DONE


async def current(syncer: Syncer) -> set[tuple[str, str, int]]:
    """Return sink, item and size of what readers find, every byte of which is there."""
    assert [damage async for damage in verify_job(syncer, "job", deep=True)] == []
    found: set[tuple[str, str, int]] = set()
    for sink in (await syncer.job("job")).sinks:
        survey = await Survey.read(sink.manifest("job"))
        found.update((sink.name, each.key.canonical(), each.size) for each in survey.current.values())
    return found


@pytest.mark.parametrize(
    ("lake", "box", "by"),
    [("", "", "the same command"), (", versions: keep", ", mode: delta", "resume"), ("", ", mode: append", "a pass")],
)
@pytest.mark.slow
@pytest.mark.timeout(3000)
async def test_killed_at_any_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake: str, box: str, by: str
) -> None:
    """Wherever an erasure dies, whoever comes next ends it: nothing is left, and all else is as it was."""
    await _every(tmp_path, monkeypatch, lake, box, by, step=1)


async def test_killed_at_some_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same at every ninth write."""
    await _every(tmp_path, monkeypatch, "", ", mode: append", "a pass", step=9)


async def _every(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake: str, box: str, by: str, *, step: int) -> None:
    death = Death(monkeypatch)
    config, copy = prepared(tmp_path / "work", lake, box, tmp_path.name), tmp_path / "copy"
    platform = platform_named(tmp_path.name)
    platform.put("1")
    await stored(config, platform)
    # With their times: they are what archives are known by.
    shutil.copytree(config.parent, copy)
    expected, number, survived = None, 0, False
    while not survived:
        for after in (False, True):
            shutil.rmtree(config.parent)
            shutil.copytree(copy, config.parent)
            death.met, death.at, death.after = 0, number, after
            try:
                async with open_syncer(config) as syncer:
                    await erase(syncer, ["job"], Erasure([KEY]))
            except BaseException as error:
                if not died(error):
                    raise
            survived = death.met <= number
            death.at = None
            async with open_syncer(config) as syncer:
                if not survived:
                    begun = "erasure" in await syncer.store.recall("job")
                    asked = begun or not traces(config.parent, [NAME, PERSON])
                    await finished(syncer, by=by if asked else "the same command")
                assert (await syncer.sync("job", RunOptions(refetch=True))).exit_code() is Exit.DONE
                found = await current(syncer)
            assert traces(config.parent, [NAME, PERSON]) == [], f"killed at write {number}"
            expected = expected or found
            assert found == expected, f"killed at write {number}"
        number += step
    assert number > 20
