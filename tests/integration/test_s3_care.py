"""Care for what lies in a bucket: damage is found, named, and mended with the fewest fetches; owners are told apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from syncer.app.care import rebuild_job, remove_extra, repair_job, retention_job, verify_job
from syncer.app.handover import rename_job
from syncer.app.library import open_syncer
from syncer.cli.checks import Check, checks
from syncer.flow.job import RunOptions
from syncer.flow.retention import Keep
from syncer.model.errors import DestinationChanged, Exit
from syncer.model.events import Sealed
from syncer.model.report import Report
from syncer.sources.memory import MemoryPlatform, platform_named
from tests.support.buckets import Server
from tests.support.command import syncer
from tests.support.engine import crash_at
from tests.support.s3 import Bucket
from tests.support.story import died

ITEMS = 20


@dataclass
class Desk:
    """A folder with a configuration, a platform, and the bucket that its job writes to."""

    folder: Path
    platform: MemoryPlatform
    name: str
    bucket: Bucket

    def write(self, job: str = "street", **options: Any) -> None:
        """Write the configuration."""
        sink = {"type": "prefix", "url": self.bucket.url, **options}
        self.folder.mkdir(exist_ok=True)
        (self.folder / "syncer.yaml").write_text(
            f"state: sqlite:state.db\nplatforms: {{mem: {{type: memory, platform: {self.name}}}}}\n"
            f"sinks: {{lake: {sink}}}\n"
            f'jobs: {{{job}: {{platform: mem, select: {{projects: ["7"]}}, sinks: [lake]}}}}\n'
        )

    @property
    def config(self) -> Path:
        """The file."""
        return self.folder / "syncer.yaml"

    async def sync(self, job: str = "street") -> Report:
        """Run a pass."""
        async with open_syncer(self.config) as opened:
            return await opened.sync(job)

    async def dying(self) -> None:
        """Run a pass that dies once its objects are written and sealed, before the checkpoint knows of them."""
        async with open_syncer(self.config) as opened:
            opened.hub.add(crash_at(0, [Sealed]))
            with pytest.raises(BaseException, check=died):  # noqa: B017  # all of a group, or the crash alone
                await opened.sync("street")

    async def findings(self, *, deep: bool = False, job: str = "street") -> list[tuple[str, str]]:
        """Return kind and path of what verification finds."""
        async with open_syncer(self.config) as opened:
            found = [each.finding async for each in verify_job(opened, job, deep=deep)]
        return sorted((finding.kind, finding.path) for finding in found)

    async def doctor(self) -> Check:
        """Return what the doctor says of the sink."""
        async with open_syncer(self.config) as opened:
            (found,) = [check async for check in checks(opened) if check.what == "sink lake"]
        return found

    def items(self) -> list[str]:
        """Return the names of the documents."""
        return sorted(name for name in self.bucket.names() if not name.startswith("_"))


@pytest.fixture
async def desk(tmp_path: Path, seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk whose job ran once."""
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)
    name = uuid4().hex
    platform = platform_named(name)
    for number in range(ITEMS):
        platform.put(str(number), b'{"number": %d}' % number)
    made = Desk(tmp_path / "desk", platform, name, Bucket(seaweed_server, name))
    made.write()
    assert (await made.sync()).exit_code() is Exit.DONE
    return made


async def test_damage_is_found_and_mended_with_as_many_fetches(desk: Desk) -> None:
    """A flipped byte, a missing object and an extra one are found and named; repair fetches the first two, no more."""
    before: Mapping[str, str] = desk.bucket.contents()
    flipped, missing, *_ = desk.items()
    data = bytearray(desk.bucket.read(flipped))
    data[len(data) // 2] ^= 1
    desk.bucket.write(flipped, bytes(data))
    desk.bucket.delete(missing)
    desk.bucket.write("stray.json", b"{}")
    damage = sorted([("damaged", flipped), ("extra", "stray.json"), ("missing", missing)])
    assert await desk.findings(deep=True) == damage
    assert await desk.findings() == sorted([("extra", "stray.json"), ("missing", missing)])
    async with open_syncer(desk.config) as opened:
        _, report = await repair_job(opened, "street")
    assert (report.exit_code(), report.counts.replayed, report.counts.stored) == (Exit.DONE, 2, 0)
    assert desk.bucket.contents() == {**before, "stray.json": desk.bucket.contents()["stray.json"]}
    assert await desk.findings(deep=True) == [("extra", "stray.json")]


async def test_an_object_replaced_by_another_tool_is_named(desk: Desk) -> None:
    """Another size is seen in the listing, the same size by reading; both are named, with exit code 4."""
    first, second, *_ = desk.items()
    desk.bucket.write(first, b"somebody else's")
    desk.bucket.write(second, bytes(len(desk.bucket.read(second))))
    assert await desk.findings() == [("damaged", first)]
    assert await desk.findings(deep=True) == [("damaged", first), ("damaged", second)]
    env = desk.bucket.server.environment
    told = syncer("verify", "--deep", "-o", "json", cwd=desk.folder, env=env)
    assert (told.code, {row["path"] for row in told.json()}) == (Exit.DAMAGE, {first, second})


async def test_a_manifest_changed_by_another_tool_is_named(desk: Desk) -> None:
    """A segment that is not what HEAD says is an error of exit code 4 that names the segment."""
    segment = next(name for name in desk.bucket.names() if name.endswith(".jsonl"))
    desk.bucket.write(segment, desk.bucket.read(segment) + b"\n")
    with pytest.raises(DestinationChanged, match=segment.rpartition("/")[2]):
        await desk.findings()


async def test_two_jobs_never_share_a_place(desk: Desk, tmp_path: Path) -> None:
    """A job of another state with the same claim is refused with 78, and both names are told."""
    rival = Desk(tmp_path / "rival", desk.platform, desk.name, desk.bucket)
    rival.write("road")
    report = await rival.sync("road")
    assert report.exit_code() is Exit.SETTINGS
    assert any("'road'" in problem.message and "'street'" in problem.message for problem in report.problems)
    assert (await desk.sync()).exit_code() is Exit.DONE


@pytest.mark.parametrize("explicit", [False, True])
async def test_a_lost_state_is_read_back_from_the_bucket(desk: Desk, explicit: bool) -> None:
    """Without its state a job reads the manifest back, when told to or by itself, and fetches nothing again."""
    before = desk.bucket.contents()
    for file in ("state.db", "state.db-wal", "state.db-shm"):
        (desk.folder / file).unlink(missing_ok=True)
    if explicit:
        async with open_syncer(desk.config) as opened:
            assert await rebuild_job(opened, "street") >= ITEMS
    report = await desk.sync()
    assert (report.exit_code(), report.counts.stored, report.counts.owed) == (Exit.DONE, 0, 0)
    assert desk.bucket.contents() == before
    desk.platform.put("3", b"corrected")
    assert (await desk.sync()).counts.stored == 1


async def test_the_doctor_tries_the_bucket(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes, reads, lists and deletes, leaves nothing behind, and says what is wrong with wrong keys."""
    before = desk.bucket.names()
    assert (await desk.doctor()).result == "ok"
    assert desk.bucket.names() == before
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    ill = await desk.doctor()
    assert (ill.result, ill.code, bool(ill.hint)) == ("failed", Exit.PERMISSION, True)
    assert "wrong-secret" not in ill.detail + str(ill.hint)


async def test_a_destination_is_handed_over(desk: Desk) -> None:
    """A renamed job takes its manifest along inside the bucket; nothing is fetched again."""
    before = desk.bucket.contents()
    desk.write("avenue")
    async with open_syncer(desk.config) as opened:
        await rename_job(opened, "street", "avenue")
    assert (await desk.sync("avenue")).counts.stored == 0
    assert not any(name.startswith("_manifest/street/") for name in desk.bucket.names())
    assert await desk.findings(deep=True, job="avenue") == []
    assert desk.bucket.contents() == before


async def test_versions_are_kept_until_retention(desk: Desk) -> None:
    """With `versions: keep` a correction is an object beside the old one, which goes when nothing keeps it."""
    other = Desk(desk.folder.parent / "kept", desk.platform, desk.name, Bucket(desk.bucket.server, uuid4().hex))
    other.write(versions="keep")
    for body in (b"one", b"two"):
        other.platform.put("3", body)
        assert (await other.sync()).exit_code() is Exit.DONE
    three = [name for name in other.items() if name.startswith("3@")]
    assert len(three) == 2
    assert await other.findings(deep=True) == []
    async with open_syncer(other.config) as opened:
        (removed,) = await retention_job(opened, "street", Keep(runs=0))
    assert removed.versions == 1
    assert [name for name in other.items() if name.startswith("3@")] == [max(three)]
    assert await other.findings(deep=True) == []


async def test_what_another_tool_put_is_named_and_stays(desk: Desk) -> None:
    """A corrected item whose object was replaced by hand ends the pass with 4; repair, asked for, writes over it."""
    theirs, deleted, *_ = desk.items()
    desk.bucket.write(theirs, b"by hand")
    desk.bucket.write(deleted, b"by hand too")
    desk.platform.put(theirs.removesuffix(".json"), b"corrected")
    report = await desk.sync()
    assert report.exit_code() is Exit.DAMAGE
    assert theirs in report.problems[0].message
    assert desk.bucket.read(theirs) == b"by hand"
    async with open_syncer(desk.config) as opened:
        _, repaired = await repair_job(opened, "street")
    assert repaired.exit_code() is Exit.DONE
    assert desk.bucket.read(theirs) == b"corrected"
    assert desk.bucket.read(deleted) != b"by hand too"
    assert await desk.findings(deep=True) == []


async def test_an_object_of_a_pass_that_died_goes_when_asked_for(desk: Desk) -> None:
    """It was put before a crash, and its item deleted before the next pass: it says who wrote it, others do not."""
    desk.platform.put("orphan", b"put, and never committed")
    await desk.dying()
    assert "orphan.json" in desk.items()
    desk.platform.delete("orphan")
    desk.bucket.write("mine.json", b"{}")
    async with open_syncer(desk.config) as opened:
        assert (await opened.sync("street", RunOptions(relist=True))).exit_code() is Exit.DONE
        assert await desk.findings() == [("extra", "mine.json"), ("extra", "orphan.json")]
        found, report = await repair_job(opened, "street")
        assert report.exit_code() is Exit.DONE
        assert await remove_extra(opened, "street", found) == 1
    assert await desk.findings(deep=True) == [("extra", "mine.json")]
