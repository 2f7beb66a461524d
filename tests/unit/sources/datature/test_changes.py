"""What one pass over a dataset asks, and what it concludes: changes, deletions, withdrawals, doubts."""

from datetime import UTC, datetime, timedelta

import pytest

from syncer.model.errors import SyncerError
from syncer.ports import Selection
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import mirrored
from tests.support.mirror import Mirror
from tests.support.studio_source import Hasty

COUNT = 25


def platform(parts: int = 3, **habits: object) -> DataturePlatform:
    """Return a platform with one dataset, edited an hour after its assets were made."""
    made = DataturePlatform(**habits)  # type: ignore[arg-type]
    made.dataset().generate(COUNT, parts)
    return made


def held(mirror: Mirror) -> set[str]:
    """Return the ids of what a mirror holds."""
    return {key.item for key in mirror.items}


def live(datature: DataturePlatform) -> set[str]:
    """Return the ids of all finished annotations."""
    return {f"{asset.id}.{each}" for asset in datature.dataset().finished() for each in asset.annotations}


async def test_a_first_pass_needs_no_request_an_asset() -> None:
    """Assets come together with their annotations: six requests for any number that fits one page."""
    async with platform() as datature, mirrored(datature) as mirror:
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)
        assert (datature.asked("with_objects"), datature.asked("annotations"), datature.asked("assets")) == (1, 0, 0)


async def test_objects_that_are_not_all_there_are_asked_for_again() -> None:
    """Where fewer objects came than the asset counts, its own list is asked: nothing is taken for complete unproven."""
    async with platform() as datature, mirrored(datature) as mirror:
        datature.dataset().assets["asset-00007"].hidden = 1
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)
        assert datature.asked("annotations") == 1


async def test_without_objects_each_asset_is_asked_once() -> None:
    """Where assets are not served with their annotations, there is a list an asset, and none for empty ones."""
    async with platform(objects=False) as datature, mirrored(datature) as mirror:
        datature.dataset().add_asset()
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)
        assert datature.asked("annotations") == COUNT


@pytest.mark.parametrize("objects", [True, False])
async def test_every_page_is_read(objects: bool) -> None:
    """A server that caps pages at four rows is followed to its last one, also within the annotations of an asset."""
    async with platform(9, most=4, objects=objects) as datature, mirrored(datature) as mirror:
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)
        assert len(mirror.items) == 9 * COUNT


async def test_only_what_moved_is_asked_for_again() -> None:
    """The next pass lists assets, and asks for the annotations of the edited one alone; its siblings stay."""
    async with platform() as datature, mirrored(datature) as mirror:
        await mirror.sync()
        before = {key.item: item.version for key, item in mirror.items.items()}
        datature.log.clear()
        datature.dataset().change("annot-000010")
        assert await mirror.sync() == "full"
        assert (datature.asked("assets"), datature.asked("annotations"), datature.asked("with_objects")) == (1, 1, 0)
        after = {key.item: item.version for key, item in mirror.items.items()}
        assert {item for item in after if after[item] != before[item]} == {"asset-00004.annot-000010"}


async def test_an_etag_alone_is_enough() -> None:
    """An asset whose etag moved while its times stood still is asked again; the one after it is not."""
    async with platform() as datature, mirrored(datature) as mirror:
        await mirror.sync()
        dataset = datature.dataset()
        dataset.touching = False
        dataset.change("annot-000010")
        dataset.touch(dataset.assets["asset-00004"], silent=True)
        datature.log.clear()
        changed = mirror.items.copy()
        assert await mirror.sync() == "full"
        assert datature.asked("annotations") == 1
        assert sum(mirror.items[key] != item for key, item in changed.items()) == 1


async def test_a_complete_pass_finds_what_no_asset_tells() -> None:
    """An edit that moves nothing of its asset is found by a relist, and by the pass that is due every so often."""
    clock = Ticking()
    async with platform() as datature, mirrored(datature, clock=clock) as mirror:
        await mirror.sync()
        dataset = datature.dataset()
        dataset.touching = False
        for find in ("relist", "due"):
            dataset.change("annot-000010")
            before = mirror.items.copy()
            await mirror.sync()
            assert mirror.items == before
            clock.days += 8 if find == "due" else 0
            await mirror.sync(relist=find == "relist")
            assert sum(mirror.items[key] != item for key, item in before.items()) == 1, find


async def test_deleted_parts_and_assets_are_gone() -> None:
    """A part that is missing from its asset's list, and all parts of an asset that is missing, are gone."""
    async with platform() as datature, mirrored(datature) as mirror:
        await mirror.sync()
        datature.dataset().remove_annotation("annot-000004")
        datature.dataset().remove_asset("asset-00009")
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)
        assert len(mirror.gone) == 4


async def test_a_reopened_asset_withdraws_its_annotations() -> None:
    """An asset that left the chosen statuses withdraws what is held of it, once, without being asked for it."""
    async with platform() as datature, mirrored(datature) as mirror:
        await mirror.sync()
        datature.log.clear()
        datature.dataset().set_status("asset-00003", "Tofix")
        await mirror.sync()
        assert {key.item.partition(".")[0] for key in mirror.withdrawn} == {"asset-00003"}
        assert set(mirror.withdrawn.values()) == {"the status of its asset is Tofix"}
        assert datature.asked("annotations") == 0
        await mirror.sync()
        assert sum(page.filtered for page in mirror.pages) == 3


async def test_deletions_wait_for_an_import() -> None:
    """While annotations are imported nothing is concluded from absence; once the import ends, it is."""
    async with platform() as datature, mirrored(datature) as mirror:
        await mirror.sync()
        before = held(mirror)
        session = datature.dataset().import_session()
        datature.dataset().remove_annotation("annot-000004")
        datature.dataset().remove_asset("asset-00009")
        assert await mirror.sync() == "delta"
        assert held(mirror) == before
        session["status"]["conditions"][0]["status"] = "Reached"
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)


async def test_a_count_that_disagrees_proves_nothing() -> None:
    """If the platform counts more assets than were met, a page was skipped or an asset is new: nothing is gone."""
    async with platform(most=5, objects=False) as datature, mirrored(datature) as mirror:
        await mirror.sync()
        datature.dataset().remove_asset("asset-00009")
        datature.miscount = 1
        assert await mirror.sync() == "delta"
        assert not mirror.gone
        datature.miscount = 0
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)


@pytest.mark.parametrize("objects", [True, False])
@pytest.mark.parametrize("status", [400, 422])
async def test_a_place_that_lapsed_is_begun_anew(objects: bool, status: int) -> None:
    """Where the token of an interrupted pass is refused, the pass begins again, in the same way; nothing is skipped."""
    async with platform(most=5, objects=objects) as datature, mirrored(datature) as mirror:
        assert await mirror.sync(stop_after=4) is None
        first = held(mirror)
        assert 0 < len(first) < 3 * COUNT
        datature.log.clear()
        datature.faults.add("status", route="with_objects" if objects else "assets", status=status)
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)
        assert (datature.asked("annotations") == 0) == objects


async def test_a_broken_row_is_owed_alone_and_its_siblings_are_kept() -> None:
    """A row with NaN is owed by its own name; the other annotations of the asset arrive, and nothing is gone."""
    async with platform(objects=False) as datature, mirrored(datature) as mirror:
        datature.dataset().find("annot-000004")[1].spoil()
        assert await mirror.sync() == "full"
        assert {key.item for key in mirror.owed} == {"asset-00002.annot-000004"}
        assert held(mirror) == live(datature) - {"asset-00002.annot-000004"}


async def test_an_asset_whose_list_fails_is_owed_and_kept() -> None:
    """Its stored annotations stay while nobody can list them; the next pass lists them again."""
    async with platform(objects=False) as datature, mirrored(datature, limits={"attempts": 1}) as mirror:
        await mirror.sync()
        datature.dataset().change("annot-000004")
        datature.faults.add("status", route="annotations", where={"asset": "asset-00002"}, times=None, status=500)
        assert await mirror.sync() == "full"
        assert {key.item for key in mirror.owed} == {"asset-00002"}
        assert held(mirror) == live(datature)
        before = dict(mirror.items)
        datature.faults.clear()
        await mirror.sync()
        assert mirror.owed == {}
        assert sum(mirror.items[key] != item for key, item in before.items()) == 1


async def test_a_platform_that_is_down_owes_nothing() -> None:
    """If most assets fail alike the listing ends with the error, instead of a flood of owed items."""
    async with platform(objects=False) as datature, mirrored(datature, limits={"attempts": 1}) as mirror:
        datature.faults.add("status", route="annotations", times=None, status=503)
        with pytest.raises(SyncerError):
            await mirror.sync()
        assert len(mirror.owed) < COUNT


async def test_one_refusal_among_many_requests_is_waited_out() -> None:
    """A 503 and a 429 in the middle of a listing cost one request each, nothing else."""
    async with platform(objects=False) as datature, mirrored(datature) as mirror:
        for status in (503, 429):
            datature.faults.add("status", route="annotations", after=10, status=status)
        datature.faults.add("cut", route="annotations", after=5)
        assert await mirror.sync() == "full"
        assert held(mirror) == live(datature)
        assert mirror.owed == {}


async def test_any_annotated_asset_counts_for_teams_without_review() -> None:
    """`any_annotated` takes every status; `statuses` takes those that it names."""
    async with platform() as datature:
        datature.dataset().set_status("asset-00001", "Annotated")
        datature.dataset().set_status("asset-00002", "Gold")
        for options, count in (({"any_annotated": True}, COUNT), ({"statuses": ["Gold", "Annotated"]}, 2)):
            async with mirrored(datature, **options) as mirror:
                await mirror.sync()
                assert len({key.item.partition(".")[0] for key in mirror.items}) == count


@pytest.mark.parametrize(
    ("batch", "assets"),
    [
        ("status=Tofix", {"asset-00001"}),
        ("tag=other", {"asset-00002"}),
        ("folder=west", {"asset-00002"}),
        ("cohort=pilot", {"asset-00003", "asset-00004"}),
        ("filename=img 0001?.png", {f"asset-000{number}" for number in range(10, 20)}),
        ("metadata.camera=front left", {"asset-00005"}),
        ("metadata.camera=*t*t", {"asset-00005"}),
        ("metadata.height=1.5", {"asset-00006"}),
        ("metadata.night=true", {"asset-00006"}),
    ],
)
async def test_a_batch_is_a_part_of_the_assets(batch: str, assets: set[str]) -> None:
    """Each kind selects its assets, by what the dataset lists or by what assets say of themselves."""
    async with platform(2) as datature:
        dataset = datature.dataset()
        dataset.set_status("asset-00001", "Tofix")
        dataset.add_annotation("asset-00002")
        dataset.assets["asset-00002"].folder = "west"
        dataset.cohorts = ["pilot", {"name": "later"}]
        dataset.assets["asset-00003"].resource["metadata"]["cohorts"] = ["pilot"]
        dataset.assets["asset-00004"].resource["metadata"]["cohorts"] = [{"name": "pilot"}]
        dataset.assets["asset-00005"].resource["metadata"]["customMetadata"] = {"camera": "front left"}
        dataset.assets["asset-00006"].resource["metadata"]["userDefined"] = {"height": 1.5, "night": True}
        dataset.assets["asset-00007"].resource["metadata"] |= {"cohorts": "?", "customMetadata": ["odd"]}
        async with mirrored(datature, batch=batch) as mirror:
            assert await mirror.sync() == "full"
            assert {key.item.partition(".")[0] for key in mirror.items} == assets
            assert {key.batch for key in mirror.items} == {batch}


async def test_what_leaves_a_batch_is_withdrawn() -> None:
    """An asset that says something else of itself by now takes its annotations out of the batch, with the reason."""
    async with platform(2) as datature:
        dataset = datature.dataset()
        dataset.assets["asset-00005"].resource["metadata"]["customMetadata"] = {"camera": "front"}
        async with mirrored(datature, batch="metadata.camera=front") as mirror:
            await mirror.sync()
            assert len(mirror.items) == 2
            dataset.assets["asset-00005"].resource["metadata"]["customMetadata"] = {"camera": "back"}
            await mirror.sync()
            assert set(mirror.withdrawn.values()) == {"its asset is not in metadata.camera=front"}


async def test_a_window_of_time_takes_only_what_changed_in_it() -> None:
    """`since` and `until` look at the annotation's own time; such a pass never proves a deletion."""
    async with platform() as datature, mirrored(datature) as mirror:
        datature.dataset().change("annot-000010")
        since = datetime(2025, 10, 9, 9, 30, tzinfo=UTC)
        assert await mirror.sync(select=Selection(since=since)) == "delta"
        assert held(mirror) == {"asset-00004.annot-000010"}


class Ticking(Hasty):
    """A clock that can be days ahead."""

    days = 0

    def now(self) -> datetime:
        """Return the time of then."""
        return super().now() + timedelta(days=self.days)
