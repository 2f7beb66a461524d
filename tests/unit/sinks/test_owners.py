"""Ownership of a destination: claims, fences, and handing over, on a real folder."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from syncer.blobs.folder import FolderBlobs
from syncer.blobs.memory import MemoryBlobs
from syncer.model.errors import Exit, Fenced, LegFailed, SettingsError
from syncer.ports import BlobInfo, Claim
from syncer.sinks.manifest import JobManifest
from syncer.sinks.owners import overlapping
from tests.support.stored import StillClock

CLAIM = Claim("street", "state-1", "label_studio", "http://localhost:8080", "me", 1, ("7/", "_context/7/"))


@pytest.fixture
def clock() -> StillClock:
    """Return a clock that stands still."""
    return StillClock()


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    """Return an empty store."""
    return FolderBlobs(tmp_path / "root")


@pytest.fixture
def manifest(blobs: FolderBlobs, clock: StillClock) -> JobManifest:
    """Return the manifest of job `street`."""
    return JobManifest(blobs, "street", "lake", clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where that manifest lies."""
    return tmp_path / "root/_manifest/street"


def folders_in(folder: Path) -> list[str]:
    """Return the names of the folders in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


async def test_trouble_with_the_disk_is_the_legs(manifest: JobManifest, blobs: FolderBlobs) -> None:
    """What the system refuses stops one sink, with an exit code and what to do; never a bare OSError."""
    assert blobs.folder is not None
    blobs.folder.write_bytes(b"a file where the root should be")
    with pytest.raises(LegFailed, match="a file stands where a folder is needed") as caught:
        await manifest.claim(CLAIM)
    assert (caught.value.leg, caught.value.exit_code) == ("lake", Exit.SETTINGS)
    assert caught.value.hint


async def test_rule_4_a_claim_is_written_and_confirmed(manifest: JobManifest, folder: Path) -> None:
    """The first claim writes the owner, the same again changes nothing, another unit of the job adds its folders."""
    assert await manifest.owner() is None
    await manifest.claim(CLAIM)
    written = (folder / "owner.json").read_bytes()
    await manifest.claim(CLAIM)
    assert (folder / "owner.json").read_bytes() == written
    await manifest.claim(replace(CLAIM, epoch=4, paths=("8/",)))
    assert await manifest.owner() == replace(CLAIM, epoch=4, paths=("7/", "8/", "_context/7/"))


async def test_rule_4_overlapping_jobs_are_refused_by_name(
    blobs: FolderBlobs, clock: StillClock, manifest: JobManifest
) -> None:
    """A claim equal to, inside or around another job's is refused with both names; a disjoint one is fine."""
    await manifest.claim(CLAIM)
    other = JobManifest(blobs, "road", "lake", clock)
    for path in ("7/", "7/b/", "", "_context/"):
        with pytest.raises(SettingsError, match=r"'road'.*'street'") as caught:
            await other.claim(replace(CLAIM, job="road", paths=("x/", path)))
        assert "syncer adopt" in str(caught.value.hint)
    assert await other.owner() is None
    await other.claim(replace(CLAIM, job="road", paths=("70/", "7.zip")))
    assert await other.owner() is not None


async def test_rule_5_another_state_is_refused_unless_adopted(manifest: JobManifest) -> None:
    """A destination of another state is left alone until it is adopted; then the old state is the stranger."""
    await manifest.claim(replace(CLAIM, epoch=9))
    foreign = replace(CLAIM, state="state-2", epoch=1)
    with pytest.raises(SettingsError, match=r"state-1.*state-2") as caught:
        await manifest.claim(foreign)
    assert "syncer adopt" in str(caught.value.hint)
    assert "state rebuild" in str(caught.value.hint)
    await manifest.claim(foreign, adopt=True)
    await manifest.claim(replace(foreign, paths=("8/",)))
    with pytest.raises(SettingsError):
        await manifest.claim(replace(CLAIM, epoch=10))


async def test_rule_5_a_later_epoch_fences(manifest: JobManifest) -> None:
    """Whoever finds a later epoch of its own unit was taken over; epochs of other units say nothing."""
    await manifest.claim(replace(CLAIM, epoch=5))
    with pytest.raises(Fenced, match="epoch 5, ours is 4"):
        await manifest.claim(replace(CLAIM, epoch=4))
    await manifest.claim(replace(CLAIM, epoch=1, paths=("8/",)))
    await manifest.claim(replace(CLAIM, epoch=5))
    await manifest.claim(replace(CLAIM, epoch=6))
    with pytest.raises(Fenced):
        await manifest.claim(replace(CLAIM, epoch=5), adopt=True)


async def test_rule_4_another_platform_is_refused(manifest: JobManifest) -> None:
    """A job that suddenly reads from elsewhere does not mix its items into the old ones; an unknown account is fine."""
    await manifest.claim(CLAIM)
    elsewhere = (
        replace(CLAIM, platform="kognic"),
        replace(CLAIM, origin="https://other"),
        replace(CLAIM, account="you"),
    )
    for claim in elsewhere:
        with pytest.raises(SettingsError, match="wrote here from"):
            await manifest.claim(claim)
    await manifest.claim(replace(CLAIM, account=""))


async def test_rule_4_adopting_takes_a_place_from_another_job(
    blobs: FolderBlobs, clock: StillClock, manifest: JobManifest
) -> None:
    """Handing over removes the folders from the old job's claims, so that it is refused from then on."""
    await manifest.claim(replace(CLAIM, paths=("7/", "8/")))
    heir = JobManifest(blobs, "road", "lake", clock)
    await heir.claim(replace(CLAIM, job="road", paths=("7/",)), adopt=True)
    assert await manifest.owner() == replace(CLAIM, paths=("8/",))
    with pytest.raises(SettingsError, match="'road'"):
        await manifest.claim(replace(CLAIM, paths=("7/", "8/")))


class Counting(MemoryBlobs):
    """A store that counts what it is asked for, and the names that it tells."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.counted: Counter[str] = Counter()

    async def get(self, name: str, limit: int) -> tuple[bytes, str] | None:
        """Count one request."""
        self.counted["get"] += 1
        return await super().get(name, limit)

    async def list(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """Count one request, and each object."""
        self.counted["list"] += 1
        async for info in super().list(prefix):
            self.counted["names"] += 1
            yield info

    async def folders(self, folder: str = "") -> Sequence[str]:
        """Count one request, and each folder."""
        found = await super().folders(folder)
        self.counted += Counter(folders=1, names=len(found))
        return found


async def counted_beside(segments: int, clock: StillClock) -> list[Counter[str]]:
    """Return what claims of a new unit and of a new job cost, and a look at snapshots, beside so many segments."""
    blobs = Counting()
    large, other = JobManifest(blobs, "street", "lake", clock), JobManifest(blobs, "road", "lake", clock)
    await large.claim(CLAIM)
    refs = [await large.put_segment(str(seq), 1, seq, [b"{}"]) for seq in range(segments)]
    await large.move_head(segments=refs)
    costs: list[Counter[str]] = []
    steps: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: large.claim(replace(CLAIM, paths=("8/",), unit="8")),
        lambda: other.claim(replace(CLAIM, job="road", paths=("9/",), unit="9")),
        other.snapshots.held,
    )
    for step in steps:
        blobs.counted.clear()
        await step()
        costs.append(blobs.counted.copy())
    return costs


async def test_a_claim_costs_the_same_beside_many_segments(clock: StillClock) -> None:
    """Neither a new unit nor a new job reads the names of what others stored, and nor do removals, for snapshots."""
    unit, job, held = await counted_beside(0, clock)
    assert (unit["list"], job["list"], held["list"]) == (0, 0, 0)
    assert (unit["folders"], job["folders"], held["folders"]) == (2, 2, 1)
    assert await counted_beside(300, clock) == [unit, job, held]


async def test_folders_that_are_no_jobs_own_nothing(blobs: FolderBlobs, manifest: JobManifest, tmp_path: Path) -> None:
    """A folder without an owner document, empty or with something else in it, keeps nobody from a place."""
    (tmp_path / "root/_manifest/empty").mkdir(parents=True)
    await blobs.put("_manifest/other/notes.txt", b"somebody's")
    await blobs.put("_manifest/deep/er/owner.json", b"no document")
    await manifest.claim(CLAIM)
    assert await manifest.owner() == CLAIM
    assert (await manifest.snapshots.held()).containers == frozenset()


async def test_one_of_two_claimants_wins(blobs: FolderBlobs, clock: StillClock) -> None:
    """Jobs that claim one place at the same moment: exactly one gets it."""
    won: list[str] = []

    async def claim(job: str) -> None:
        try:
            await JobManifest(blobs, job, "lake", clock).claim(replace(CLAIM, job=job, paths=("7/",)))
        except SettingsError:
            return
        won.append(job)

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(claim, f"job-{number}")
    assert len(won) == 1


async def test_job_names_of_all_kinds_stay_inside(blobs: FolderBlobs, clock: StillClock, tmp_path: Path) -> None:
    """A job named by a URL, or by something worse, has a folder of its own in the manifest."""
    for job in ("file:///data/out.zip", "../../x", "street/../../y", "_manifest"):
        manifest = JobManifest(blobs, job, "lake", clock)
        await manifest.claim(replace(CLAIM, job=job, paths=(f"{job.rpartition('/')[2]}/",)))
        await manifest.move_head()
    assert folders_in(tmp_path) == ["root"]
    assert folders_in(tmp_path / "root") == ["_manifest"]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("7/", "7/", True), ("7/", "7/b/", True), ("7/b/", "7/", True), ("", "7/", True), ("", "", True),
        ("", "7.zip", True), ("7.zip", "7.zip", True), ("A/", "a/b/", True), ("x/7.zip", "x/", True),
        ("7/", "70/", False), ("7/", "7.zip", False), ("7.zip", "7.zip2", False), ("7/a/", "7/b/", False),
    ],
)  # fmt: skip
def test_rule_4_what_overlaps(one: str, other: str, expected: bool) -> None:  # a table
    """Equal names and folders inside one another overlap, also where only letter case tells them apart."""
    assert overlapping(one, other) is expected
    assert overlapping(other, one) is expected
