"""What earlier versions wrote is read and gone on from; what a newer one wrote is refused in words.

`tests/golden/FORMAT` holds state, manifests, archives, objects, snapshots and an interrupted archive of each format.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncer.app.care import rebuild_job, verify_job
from syncer.app.library import Syncer, open_syncer
from syncer.app.reading import read
from syncer.flow.job import RunOptions
from syncer.model.errors import Exit, SettingsError, SyncerError
from syncer.sources.memory import MemoryPlatform
from tests.support.golden import HERE, JOBS, LASTING, PIN, platform, restored

VERSIONS = sorted(path.name for path in HERE.iterdir())

#: What is current of label documents, and what was when the snapshots were made.
NOW = {"1": b'{"id":1,"box":[1.10,2]}', "3": b'{"id":3,"box":[4]}', "6": b'{"id":6,"box":[1.10,2]}'}
THEN = {name: b'{"id":%s,"box":[1.10,2]}' % name.encode() for name in ("1", "3", "4", "5", "6")}


class Golden:
    """A copy of what a version wrote, and the platform as it was then."""

    def __init__(self, folder: Path, version: str) -> None:
        """Copy it."""
        self.config = restored(HERE / version, folder / "old")
        self.folder = self.config.parent
        self.platform: MemoryPlatform = platform()

    async def labels(self, job: str, at: str | None = None) -> dict[str, bytes]:
        """Return what a reader finds."""
        async with read(str(self.folder / "out" / job), at) as labels:
            return {label.key.item: label.content async for label in labels}


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Golden:
    """Return what a version wrote."""
    return Golden(tmp_path, request.param)


async def whole(syncer: Syncer, job: str) -> None:
    """Check every byte of a job's destination."""
    assert [damage async for damage in verify_job(syncer, job, deep=True)] == []


@pytest.mark.parametrize("job", JOBS)
async def test_it_is_read(golden: Golden, job: str) -> None:
    """Readers find what was current then, and, under its name, what a snapshot kept."""
    assert await golden.labels(job) == NOW
    if job in LASTING:
        assert await golden.labels(job, PIN) == THEN


@pytest.mark.parametrize("lost", [False, True])
async def test_it_is_gone_on_from(golden: Golden, lost: bool) -> None:  # parametrized
    """Nothing is fetched again, with the state or without it; what was owed comes, what was erased does not."""
    if lost:
        (golden.folder / "state.sqlite").unlink()
    async with open_syncer(golden.config) as syncer:
        for job in JOBS:
            report = await syncer.sync(job, RunOptions(relist=True))
            assert (report.counts.stored, report.exit_code()) == (0, Exit.OWING), report.problems
            assert report.counts.suppressed == 1
            await whole(syncer, job)
        golden.platform.mend()
        golden.platform.put("1", b"today")
        for job in JOBS:
            report = await syncer.sync(job)
            assert (report.counts.stored, report.counts.replayed, report.exit_code()) == (1, 1, Exit.DONE)
            await whole(syncer, job)
    for job in JOBS:
        assert await golden.labels(job) == {**NOW, "1": b"today", "7": b'{"id":7}'}
        if job in LASTING:
            assert await golden.labels(job, PIN) == THEN


async def test_an_archive_that_was_begun_is_ended(golden: Golden) -> None:
    """What was committed before the kill is not fetched again."""
    golden.platform.mend()
    async with open_syncer(golden.config) as syncer:
        report = await syncer.sync("begun")
        assert report.exit_code() is Exit.DONE, report.problems
        assert 1 <= report.counts.stored <= 2
        await whole(syncer, "begun")


async def test_a_state_is_rebuilt_from_it(golden: Golden) -> None:
    """Manifest and checkpoint of then are enough."""
    async with open_syncer(golden.config) as syncer:
        for job in JOBS:
            assert await rebuild_job(syncer, job)
            assert (await syncer.sync(job)).counts.stored == 0


def manifests(golden: Golden, name: str) -> Path:
    """Return a document of the manifest of the objects with versions."""
    (found,) = list((golden.folder / "out" / "versions" / "_manifest" / "versions").glob(name))
    return found


def rewritten(golden: Golden, name: str, change: Callable[[Any], Any]) -> None:
    """Change a document, and where HEAD tells of its digest, HEAD."""
    path, head = manifests(golden, name), manifests(golden, "HEAD.json")
    first, _, rest = path.read_text().partition("\n") if name.endswith(".jsonl") else (path.read_text(), "", "")
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(json.dumps(change(json.loads(first))) + ("\n" + rest if rest else ""))
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    if before in head.read_text():
        head.write_text(head.read_text().replace(before, after))
        if path.parent.name == "snapshots":
            path.rename(path.with_name(f"{PIN}-{after[:8]}.json"))


#: Documents that tell their format, and what reads them.
DOCUMENTS = ("HEAD.json", "checkpoint.json", "owner.json", "suppressed.json", "suppressed.key", "7/00000005-*.jsonl",
             f"snapshots/{PIN}-*.json")  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_newer_format_is_refused(golden: Golden, name: str) -> None:
    """A pass and a rebuilding end with 78, and say that a newer version is needed."""
    rewritten(golden, name, lambda document: {**document, "format": 99})
    async with open_syncer(golden.config) as syncer:
        refusals = [(each.message, each.hint, each.code) for each in (await syncer.sync("versions")).problems]
        for look in (manifest_at(syncer), rebuild_job(syncer, "versions")):
            try:
                await look
            except SyncerError as error:
                refusals.append((str(error), error.hint, error.exit_code))
    assert refusals
    for message, hint, code in refusals:
        assert code is Exit.SETTINGS
        assert "99" in message
        assert "newer" in f"{message} {hint}"


async def manifest_at(syncer: Syncer) -> object:
    """Read the snapshot of the objects with versions."""
    return await (await syncer.job("versions")).sinks[0].manifest("versions").at(PIN)


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_what_is_unknown_is_no_reason_to_refuse(golden: Golden, name: str) -> None:
    """Fields that a later version of the same format adds are passed over."""
    rewritten(golden, name, lambda document: {**document, "of_a_later_version": {"x": 1}})
    async with open_syncer(golden.config) as syncer:
        report = await syncer.sync("versions", RunOptions(relist=True))
        assert (report.counts.stored, report.exit_code()) == (0, Exit.OWING), report.problems
    assert await golden.labels("versions", PIN) == THEN


async def test_rows_may_tell_more(golden: Golden) -> None:
    """A field that a row did not have is passed over, too."""
    path, head = manifests(golden, "7/00000005-*.jsonl"), manifests(golden, "HEAD.json")
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    first, *rows = path.read_text().splitlines()
    told = [json.dumps({**json.loads(row), "of_a_later_version": 1}) for row in rows]
    path.write_text("\n".join([first, *told, ""]))
    head.write_text(head.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    assert await golden.labels("versions") == NOW


async def test_a_newer_state_is_refused(golden: Golden) -> None:
    """The number of its schema is looked at before anything else."""
    connection = sqlite3.connect(golden.folder / "state.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SettingsError, match="newer"):
        async with open_syncer(golden.config):
            pass


async def test_what_a_newer_version_left_in_the_state_is_refused(golden: Golden) -> None:
    """Archives that are staged, and erasures under way; what was only begun is fetched again instead."""
    connection = sqlite3.connect(golden.folder / "state.sqlite")
    staged, resume = b'{"format":99,"swaps":[]}', b'{"format":99,"parts":{}}'
    of_archive = "leg = (SELECT id FROM legs WHERE name = 'archive')"
    connection.execute("UPDATE leg_units SET resume = ?", (resume,))
    connection.execute(f"UPDATE leg_units SET staged = ? WHERE {of_archive}", (staged,))  # noqa: S608  # a constant
    connection.execute(
        "INSERT INTO memories SELECT id, 'erasure', '{\"format\":99,\"places\":{}}' FROM jobs WHERE name = 'objects'"
    )
    connection.commit()
    connection.close()
    async with open_syncer(golden.config) as syncer:
        report = await syncer.sync("begun")
        assert (report.counts.stored, report.exit_code()) == (3, Exit.OWING)
        assert (await syncer.sync("archive")).exit_code() is Exit.SETTINGS
        with pytest.raises(SettingsError, match="99"):
            await syncer.sync("objects")
