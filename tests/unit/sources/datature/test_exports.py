"""The platform's own export: reused, started once, waited for, renewed, checked; never half a file."""

import io
import time
import zipfile
from typing import Any

import pytest

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, SettingsError
from syncer.model.refs import EXPORT, AnnotationRef, Cursor, ItemKey, Page
from syncer.ports import Selection, Source
from syncer.schedule.clock import SystemClock
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import datature_source
from tests.support.mirror import Known, Mirror
from tests.support.studio_source import partitions_of


def platform(**habits: Any) -> DataturePlatform:
    """Return a platform with one dataset of five assets."""
    made = DataturePlatform(**habits)
    made.dataset().generate(5, 2)
    return made


async def listed(source: Source, since: Cursor | None = None, held: int = 0) -> Page:
    """Return the one page of the one dataset."""
    (partition,) = await partitions_of(source, "ds0001")
    known = Known(Mirror(source, partition), held)
    (page,) = [page async for page in source.discover(partition, since, known, Selection())]
    # Other formats that are stored are not selected: nothing of them is ever gone.
    assert page.end == "delta"
    return page


async def opened(source: Source, ref: AnnotationRef) -> bytes | ItemFailed:
    """Return an archive, or why there is none."""
    (outcome,) = [each async for each in source.open([ref])]
    if not isinstance(outcome, Body):
        return outcome
    data = outcome.data
    return data if isinstance(data, bytes) else data.path.read_bytes()


def created(datature: DataturePlatform) -> int:
    """Return how many exports the platform was asked to make."""
    return sum(each.method == "POST" for each in datature.log)


async def test_a_deletion_alone_asks_for_another_export() -> None:
    """No time moves when an asset is deleted: the finished export looks new enough, and still holds it."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        cursor, version = None, ""
        for exports, deletes in ((1, False), (1, True), (2, False), (2, False)):
            page = await listed(source, cursor)
            if page.refs[0].version != version:
                assert members(await opened(source, page.refs[0])) == 6 - exports
            cursor, version = page.cursor, page.refs[0].version
            assert created(datature) == exports
            if deletes:
                datature.dataset().remove_asset("asset-00002")


def members(data: bytes | ItemFailed) -> int:
    """Return how many members an archive has."""
    assert isinstance(data, bytes)
    return len(zipfile.ZipFile(io.BytesIO(data)).namelist())


def owed(ref: AnnotationRef) -> AnnotationRef:
    """Return an item as the checkpoint remembers it."""
    return AnnotationRef(ref.key, ref.version, fields=ref.fields)


async def test_a_deletion_beside_edits_asks_for_another_export() -> None:
    """An export between the last edit and the deletion is newer than every asset that is left, and holds too much."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        cursor = (page := await listed(source)).cursor
        assert members(await opened(source, page.refs[0])) == 5
        datature.dataset().change("annot-000003")
        async with datature_source(datature, mode="export") as another:
            assert members(await opened(another, (await listed(another)).refs[0])) == 5
        datature.dataset().remove_asset("asset-00004")
        datature.dataset().add_asset()
        datature.dataset().assets["asset-00006"].resource["metadata"]["timeCreated"] = int(time.time() * 1000) + 1000
        assert members(await opened(source, (await listed(source, cursor)).refs[0])) == 5
        assert created(datature) == 3


async def test_without_a_cursor_nothing_made_before_is_taken_over_a_stored_one() -> None:
    """A listing from nothing can't tell what left since the stored archive was made."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        assert members(await opened(source, (await listed(source)).refs[0])) == 5
        datature.dataset().remove_asset("asset-00004")
        assert members(await opened(source, (await listed(source, None, 1)).refs[0])) == 4


async def test_what_is_owed_is_never_paid_with_a_stale_export() -> None:
    """Remembered without its times, an item still wants an export from after the deletion, and waits for that one."""
    async with platform(export_polls=3) as datature:
        datature.export_time = lambda: int(time.time() * 1000)
        waits = {"mode": "export", "export_deadline": 0, "clock": SystemClock()}
        async with datature_source(datature, mode="export") as source:
            cursor = (page := await listed(source)).cursor
            assert members(await opened(source, page.refs[0])) == 5
        datature.dataset().remove_asset("asset-00004")
        async with datature_source(datature, **waits) as source:
            (ref,) = (await listed(source, cursor)).refs
            assert isinstance(await opened(source, ref), ItemFailed)
        async with datature_source(datature, mode="export") as source:
            assert members(await opened(source, owed(ref))) == 4
            assert created(datature) == 2
            datature.dataset().change("annot-000003")
            failed = await opened(source, owed(ref))
            assert isinstance(failed, ItemFailed)
            assert "moved on" in failed.reason


async def test_an_export_is_made_once_and_taken_again() -> None:
    """A second process takes the finished one; an edit of any asset asks for another."""
    async with platform() as datature:
        versions = []
        for exports in (1, 1, 2):
            async with datature_source(datature, mode="export") as source:
                (ref,) = (await listed(source)).refs
                versions.append(ref.version)
                data = await opened(source, ref)
                assert isinstance(data, bytes)
                assert len(zipfile.ZipFile(io.BytesIO(data)).namelist()) == 5
                assert created(datature) == exports
            if len(versions) == 2:
                datature.dataset().change("annot-000003")
        assert versions[0] == versions[1] != versions[2]
        assert datature.content.leaked == 0


async def test_the_version_follows_any_change_whatever_the_order() -> None:
    """Silent etags, status, deletions: each makes another version; the options of the export do, too."""
    async with platform() as datature:
        versions = set()
        dataset = datature.dataset()
        edits = (
            lambda: None,
            lambda: dataset.touch(dataset.assets["asset-00002"], silent=True),
            lambda: dataset.set_status("asset-00003", "Review"),
            lambda: dataset.remove_asset("asset-00004"),
        )
        for edit in edits:
            edit()
            async with datature_source(datature, mode="export") as source:
                versions.add((await listed(source)).refs[0].version)
        async with datature_source(datature, mode="export", export_format="Coco") as source:
            versions.add((await listed(source)).refs[0].version)
        assert len(versions) == len(edits) + 1


async def test_a_request_whose_fate_is_unknown_is_looked_up() -> None:
    """Where the answer to the POST was lost, the export that it made is found in the list, and not made twice."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        (ref,) = (await listed(source)).refs
        datature.faults.add("cut", route="exports", after=1, keep=5)
        assert isinstance(await opened(source, ref), bytes)
        assert created(datature) == 1


async def test_one_that_was_not_made_is_owed_and_made_by_the_next_run() -> None:
    """A refused POST is not repeated blindly: the item is owed, with the reason."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        (ref,) = (await listed(source)).refs
        datature.faults.add("status", route="exports", after=1, status=503)
        assert isinstance(await opened(source, ref), ItemFailed)
        assert datature.dataset().exports == []
        assert isinstance(await opened(source, ref), bytes)


async def test_one_on_its_way_is_waited_for() -> None:
    """A process that died while it waited left an export that the next one goes on waiting for."""
    async with platform(export_polls=3) as datature:
        async with datature_source(datature, mode="export", export_deadline=0) as source:
            (ref,) = (await listed(source)).refs
            failed = await opened(source, ref)
            assert isinstance(failed, ItemFailed)
            assert "not finished in time" in failed.reason
        async with datature_source(datature, mode="export") as source:
            assert isinstance(await opened(source, ref), bytes)
        assert created(datature) == 1


async def test_a_failed_export_is_owed_and_never_taken() -> None:
    """The platform's reason is in the message; the next run makes a new one."""
    async with platform(export_fails=True) as datature, datature_source(datature, mode="export") as source:
        (ref,) = (await listed(source)).refs
        failed = await opened(source, ref)
        assert isinstance(failed, ItemFailed)
        assert "export-0001 failed" in failed.reason
        datature.export_fails = False
        datature.dataset().exports[0]["failed"] = True
        assert isinstance(await opened(source, ref), bytes)


@pytest.mark.parametrize("status", [403, 410, 503, 429])
async def test_links_that_lapse_and_stores_that_stumble_are_outlasted(status: int) -> None:
    """A lapsed link is read again from the export; a refusal is waited out: no hole is left in the archive."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        (ref,) = (await listed(source)).refs
        datature.content.troubles = [status]
        data = await opened(source, ref)
        assert isinstance(data, bytes)
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


async def test_a_damaged_archive_is_never_stored() -> None:
    """A byte that is wrong is found by the checksums inside; the item is owed, and fetched anew next time."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        (ref,) = (await listed(source)).refs
        assert isinstance(await opened(source, ref), bytes)
        name, whole = next(iter(datature.content.files.items()))
        assert isinstance(whole, bytes)
        datature.dataset().change("annot-000003")
        (ref,) = (await listed(source)).refs
        spoilt = bytearray(whole)
        spoilt[60] ^= 0xFF
        original = datature.content.archive
        datature.content.archive = lambda name, _: datature.content.files.update({f"exports/{name}": bytes(spoilt)})  # type: ignore[method-assign]
        failed = await opened(source, ref)
        assert isinstance(failed, ItemFailed)
        assert "damaged" in failed.reason
        datature.content.archive = original  # type: ignore[method-assign]
        datature.content.files["exports/export-0002.zip"] = whole
        assert await opened(source, ref) == whole
        assert name == "exports/export-0001.zip"


async def test_an_export_is_of_a_whole_dataset() -> None:
    """Batches, items and windows of time are refused; variables are those that an export fills."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        for select in (Selection(batches=("tag=car",)), Selection(items=("asset-00001",))):
            with pytest.raises(SettingsError):
                _ = [each async for each in source.partitions(select)]
        (ref,) = (await listed(source)).refs
        assert {"format", "filename"} <= ref.fields.keys()
        assert set(source.variables) == {"dataset_name", "format", "filename", "member", "as_of"}
        assert source.features.exports


async def test_a_key_alone_is_enough() -> None:
    """Replayed without what the listing knew, the same archive arrives; a deleted dataset owes it."""
    async with platform() as datature, datature_source(datature, mode="export") as source:
        key = ItemKey(EXPORT, "ds0001", None, None, "ViJsonl")
        assert isinstance(await opened(source, AnnotationRef(key, "")), bytes)
        del datature.datasets["ds0001"]
        failed = await opened(source, AnnotationRef(key, ""))
        assert isinstance(failed, ItemFailed)
        assert not failed.gone
