"""Snapshots: what they name stays, and of a snapshot and a removal that meet, the first one wins."""

from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from syncer.blobs.folder import FolderBlobs
from syncer.model.entries import Container
from syncer.model.errors import DestinationChanged, GenerationGone, NotNow, SettingsError
from syncer.ports import Claim
from syncer.sinks import manifest as manifest_module
from syncer.sinks.manifest import JobManifest
from tests.support.stored import StillClock
from tests.unit.sinks.test_generations import Story, row

CLAIM = Claim("street", "state", "memory", "memory:", "", 1, ("7/",))


@pytest.fixture
async def story(tmp_path: Path) -> Story:
    """Return a manifest with a few generations."""
    story = Story(tmp_path / "root")
    for _ in range(5):
        await story.step()
    return story


def files(tmp_path: Path) -> set[str]:
    """Return the names of all snapshots' documents."""
    return {path.name for path in (tmp_path / "root/_manifest/street/snapshots").glob("*")}


async def test_what_a_snapshot_names_stays(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Years and merges later it says what it said; once it is dropped, its segments go as others do."""
    monkeypatch.setattr(manifest_module, "_MANY", 3)
    kept = await story.manifest.snapshots.create("first")
    said = story.said[kept.generation]
    for _ in range(30):
        story.clock.at += timedelta(days=1)
        await story.step()
    assert await story.read(await story.manifest.at("first")) == said
    with pytest.raises(GenerationGone):
        await story.manifest.at(kept.generation)
    assert await story.manifest.snapshots.listed() == [kept]
    await story.manifest.snapshots.drop("first")
    with pytest.raises(GenerationGone, match="has no snapshot 'first'"):
        await story.manifest.at("first")
    folder = story.blobs.folder
    assert folder is not None
    before = len(list(folder.rglob("*.jsonl")))
    for _ in range(2):
        await story.step()
    assert len(list(folder.rglob("*.jsonl"))) < before


async def test_names_are_given_once(story: Story, tmp_path: Path) -> None:
    """The same snapshot again is fine; another generation under its name is refused, and so is what is no name."""
    kept = await story.manifest.snapshots.create("first", 3)
    assert await story.manifest.snapshots.create("first") == kept
    assert await story.manifest.snapshots.create("first", 3) == kept
    with pytest.raises(SettingsError, match="there already, of generation 3"):
        await story.manifest.snapshots.create("first", 4)
    for name in ("12", "", "../x", "a/b", ".hidden", "x" * 101, "a b"):
        with pytest.raises(SettingsError, match="no name of a snapshot"):
            await story.manifest.snapshots.create(name)
    assert len(files(tmp_path)) == 1


async def test_what_is_replaced_in_place_can_not_be_kept(tmp_path: Path) -> None:
    """Where objects are replaced a snapshot would be a promise that nobody keeps: it is refused, with what to do."""
    manifest = JobManifest(FolderBlobs(tmp_path / "root"), "street", "lake", StillClock())
    with pytest.raises(SettingsError, match="there is no manifest"):
        await manifest.snapshots.create("first")
    await manifest.move_head(segments=[await manifest.put_segment("7", 1, 1, [row("a", "1")])])
    with pytest.raises(SettingsError, match="replaced in place") as refused:
        await manifest.snapshots.create("first")
    assert refused.value.hint is not None
    assert "versions: keep" in refused.value.hint


async def test_a_removal_that_came_first_refuses_the_snapshot(story: Story) -> None:
    """Below the floor no snapshot can be made; the present generation is always complete."""
    await story.manifest.snapshots.raise_floor()
    with pytest.raises(GenerationGone, match="complete no longer"):
        await story.manifest.snapshots.create("late", 3)
    await story.manifest.snapshots.create("now")
    ref = await story.manifest.put_segment("7", 2, 1, [row("7-1", "9", "delete")])
    generation = await story.manifest.move_head(segments=[ref], removes=True)
    with pytest.raises(GenerationGone, match="complete no longer"):
        await story.manifest.snapshots.create("late", generation - 1)
    assert (await story.manifest.snapshots.create("later")).generation == generation


async def test_a_snapshot_that_came_first_is_spared(story: Story) -> None:
    """Whoever removes something afterwards is told what it names."""
    kept = await story.manifest.snapshots.create("first", 3)
    said, containers = story.said[kept.generation]
    await story.manifest.snapshots.raise_floor()
    asked = {(None, f"7/{item}.json") for item in said} | {(None, "7/none.json")}
    held = await story.manifest.snapshots.held(asked)
    assert held.places >= {(None, f"7/{item}.json") for item in said}
    assert (None, "7/none.json") not in held.places
    assert held.containers == containers.keys()


async def test_archives_that_are_being_rewritten_are_in_no_snapshot(story: Story) -> None:
    """Between the announcement and the release nobody can name them; what was named before is spared."""
    await story.manifest.move_head(
        containers=[Container("8.zip", "a", 1, "ab" * 32), Container("9.zip", "a", 1, "ab" * 32)]
    )
    await story.manifest.snapshots.create("before")
    await story.manifest.move_head(containers=[Container("10.zip", "a", 1, "ab" * 32)])
    held = await story.manifest.snapshots.announce(lambda name: name in {"9.zip", "10.zip"})
    assert {"8.zip", "9.zip"} <= held.containers
    with pytest.raises(NotNow, match=r"10\.zip of generation \d+ is being rewritten"):
        await story.manifest.snapshots.create("late")
    at = (await story.manifest.at("before")).generation
    assert (await story.manifest.snapshots.create("also", at)).generation == at
    await story.manifest.snapshots.release(lambda name: name in {"9.zip", "10.zip"})
    with pytest.raises(GenerationGone, match="complete no longer"):
        await story.manifest.snapshots.create("late", at + 1)
    await story.manifest.snapshots.create("late")


async def test_snapshots_of_other_jobs_count(story: Story) -> None:
    """A job that took data over spares what its former owner's snapshots name."""
    await story.manifest.move_head(containers=[Container("8.zip", "a", 1, "ab" * 32)])
    await story.manifest.snapshots.create("theirs")
    other = JobManifest(story.blobs, "road", "lake", story.clock, lasting=True)
    await other.move_head(containers=[Container("8.zip", "a", 1, "ab" * 32)])
    assert "8.zip" in (await other.snapshots.announce(lambda _: True)).containers


async def test_a_job_that_lost_its_data_makes_no_snapshot(story: Story, tmp_path: Path) -> None:
    """After a hand-over the new owner may remove what it likes: the former one is refused, and nothing is left."""
    await story.manifest.claim(CLAIM)
    other = JobManifest(story.blobs, "road", "lake", story.clock, lasting=True)
    await other.claim(Claim("road", "state", "memory", "memory:", "", 2, ("7/",)), adopt=True)
    with pytest.raises(SettingsError, match="belongs to another job"):
        await story.manifest.snapshots.create("late")
    assert await story.manifest.snapshots.listed() == []
    assert files(tmp_path) == set()


async def test_a_snapshot_survives_the_loss_of_head(story: Story, tmp_path: Path) -> None:
    """HEAD that somebody deleted comes back with the snapshots that lie beside it."""
    kept = await story.manifest.snapshots.create("first")
    await story.manifest.move_head(checkpoint={"7": {}})
    (tmp_path / "root/_manifest/street/HEAD.json").unlink()
    await story.manifest.move_head()
    assert await story.manifest.snapshots.listed() == [kept]
    assert await story.read(await story.manifest.at("first")) == story.said[kept.generation]


async def test_a_damaged_snapshot_holds_everything(story: Story, tmp_path: Path) -> None:
    """What it names is not known: nothing is removed, and whoever reads it is told."""
    await story.manifest.snapshots.create("first")
    (name,) = files(tmp_path)
    (tmp_path / "root/_manifest/street/snapshots" / name).write_text("{}")
    with pytest.raises(DestinationChanged, match="not what HEAD says"):
        await story.manifest.at("first")
    with pytest.raises(DestinationChanged):
        await story.manifest.snapshots.held()
    await story.manifest.merge()
    before = len(list((tmp_path / "root").rglob("*.jsonl")))
    story.clock.at += timedelta(days=20)
    for _ in range(3):
        await story.step()
    assert len(list((tmp_path / "root").rglob("*.jsonl"))) == before + 3


async def test_of_many_that_make_one_name_one_wins(story: Story, tmp_path: Path) -> None:
    """Eight at once, each for another generation: one snapshot, and no document of the others."""
    made: list[int] = []

    async def create(generation: int) -> None:
        manifest = JobManifest(story.blobs, "street", "lake", story.clock, lasting=True)
        try:
            made.append((await manifest.snapshots.create("race", generation)).generation)
        except SettingsError as error:
            assert "there already" in str(error)  # noqa: PT017  # which of them it is, is chance

    async with anyio.create_task_group() as side_by_side:
        for generation in (1, 2, 3, 4, 5, 1, 2, 3):
            side_by_side.start_soon(create, generation)
    (kept,) = await story.manifest.snapshots.listed()
    assert set(made) == {kept.generation}
    assert len(files(tmp_path)) == 1
