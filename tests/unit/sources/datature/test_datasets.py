"""Datasets are found by id, name and glob; batches are listed; context is what stays while people work."""

import json

import pytest

from syncer.model.entries import Body
from syncer.model.errors import PartitionGone, SettingsError, Unavailable, UnknownName
from syncer.ports import Selection
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import datature_source
from tests.support.studio_source import partitions_of


def platform() -> DataturePlatform:
    """Return a platform with three datasets, one of them with underscores in its id."""
    made = DataturePlatform()
    for name in ("ds0001", "dataset_abc_1", "other"):
        made.dataset(name).generate(2, 1)
    return made


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("dataset_abc_1",), ["dataset_abc_1"]),
        (("acme_dataset_abc_1",), ["dataset_abc_1"]),
        (("The other dataset",), ["other"]),
        (("d*",), ["dataset_abc_1", "ds0001"]),
        ((), ["dataset_abc_1", "ds0001", "other"]),
        (("nothing*",), []),
    ],
)
async def test_names_select(names: tuple[str, ...], found: list[str]) -> None:
    """Exactly the organization is cut off an id: underscores of the dataset's own stay."""
    async with platform() as datature, datature_source(datature) as source:
        assert [each.key.project for each in await partitions_of(source, *names)] == found


async def test_unknown_names_come_last_with_a_hint() -> None:
    """A literal that names nothing is raised at the end; so is a batch that no dataset has."""
    async with platform() as datature, datature_source(datature) as source:
        with pytest.raises(UnknownName) as caught:
            await partitions_of(source, "gone")
        assert "ds0001 (The ds0001 dataset)" in (caught.value.hint or "")
        with pytest.raises(UnknownName):
            await partitions_of(source, "ds0001", batches=("folder=nowhere",))
        with pytest.raises(SettingsError):
            await partitions_of(source, "ds0001", batches=("nowhere",))


async def test_batches_are_folders_statuses_and_tags() -> None:
    """The table names what a selection can name, and globs select of it."""
    async with platform() as datature, datature_source(datature) as source:
        datature.dataset().assets["asset-00001"].folder = "west"
        names = [row["batch"] for row in await source.batches("ds0001")]
        assert names[0] == "folder=west"
        assert {"status=Completed", "status=Gold", "tag=caption"} < set(names)
        chosen = await partitions_of(source, "ds0001", batches=("tag=*", "status=Gold"))
        assert [each.key.batch for each in chosen] == ["tag=caption", "tag=phrase", "tag=other", "status=Gold"]
        with pytest.raises(SettingsError):
            await source.batches("nothing")


async def test_batches_that_nobody_lists_are_taken_at_their_word() -> None:
    """File names and metadata are the assets' own: no table names them, and a pattern stays one batch."""
    async with platform() as datature, datature_source(datature) as source:
        datature.dataset().cohorts = ["pilot"]
        wanted = ("filename=street_*", "metadata.camera=*", "cohort=p*")
        chosen = [each.key.batch for each in await partitions_of(source, "ds0001", batches=wanted)]
        assert chosen == ["filename=street_*", "metadata.camera=*", "cohort=pilot"]
        for bad in ("filename=", "filename=a[12]", "metadata.=x", "metadata=x", "cohort=nowhere"):
            with pytest.raises(SettingsError):
                await partitions_of(source, "ds0001", batches=(bad,))


async def test_context_stays_while_people_work() -> None:
    """Tags, their details and statuses are there; counters and etags are not, so that an edit changes nothing."""
    async with platform() as datature, datature_source(datature) as source:
        (partition,) = await partitions_of(source, "ds0001")
        before = [ref async for ref in source.context(partition)]
        datature.dataset().change("annot-000001")
        after = [ref async for ref in source.context(partition)]
        assert before == after
        content = json.loads(before[0].inline or b"")
        assert {"tags", "tagDetails", "assetStatuses", "type"} <= content.keys()
        assert not {"etag", "statistic", "lastAccessed"} & content.keys()


async def test_every_batch_has_its_context() -> None:
    """A partition that is a batch explains itself, too, under a key of its own."""
    async with platform() as datature, datature_source(datature) as source:
        for partition in await partitions_of(source, "ds0001", batches=("tag=*",)):
            (context,) = [ref async for ref in source.context(partition)]
            assert context.key.partition == partition.key
            (body,) = [each async for each in source.open([context])]
            assert isinstance(body, Body)
            assert body.data == context.inline


async def test_a_proxys_404_is_no_proof() -> None:
    """Only the platform's own words make a dataset gone; a page of a proxy makes it unavailable."""
    async with platform() as datature, datature_source(datature) as source:
        (partition,) = await partitions_of(source, "ds0001")
        _ = [ref async for ref in source.context(partition)]
        datature.faults.add("status", route="dataset", times=None, status=404, html=True)
        with pytest.raises(Unavailable):
            _ = [ref async for ref in source.context(partition)]
        datature.faults.clear()
        del datature.datasets["ds0001"]
        with pytest.raises(PartitionGone):
            _ = [ref async for ref in source.context(partition)]


async def test_types_are_no_division() -> None:
    """A selection by annotation type is refused."""
    async with platform() as datature, datature_source(datature) as source:
        with pytest.raises(SettingsError):
            _ = [each async for each in source.partitions(Selection(annotation_types=("box",)))]
