"""Single documents: by their keys, by their public names, and by the ids that a job names."""

import pytest

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed, SettingsError
from syncer.model.refs import AnnotationRef, ItemKey
from syncer.ports import Selection
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import datature_source, mirrored


def platform() -> DataturePlatform:
    """Return a platform with a dataset of four assets."""
    made = DataturePlatform()
    made.dataset().generate(4, 2)
    return made


async def test_get_prints_what_is_served() -> None:
    """`DATASET/ASSET ANNOTATION` is the annotation, `DATASET/ASSET` the asset, to the byte."""
    async with platform() as datature, datature_source(datature) as source:
        annotation = datature.dataset().find("annot-000003")[1]
        assert (await source.get(("ds0001/asset-00002", "annot-000003"))).data == annotation.served()
        assert b'"assetId":"asset-00002"' in (await source.get(("acme_ds0001/asset-00002",))).data  # type: ignore[operator]


@pytest.mark.parametrize(
    "parts",
    [(), ("ds0001",), ("ds0001/asset-00002", "a", "b"), ("ds0001/asset-00002", "nope"), ("ds0001/../x", "annot-000001"),
     ("ds0001/asset-00002", "../annot-000001"), ("ds0001/asset 2", "annot-000003")],
)  # fmt: skip
async def test_wrong_parts_are_a_matter_of_settings(parts: tuple[str, ...]) -> None:
    """Too few, too many, unknown ones, and such that would leave their place in the path."""
    async with platform() as datature, datature_source(datature) as source:
        with pytest.raises(SettingsError):
            await source.get(parts)


@pytest.mark.parametrize("item", ["asset-00001", "a/b.c", "asset-00001.annot-9/..", "", "asset-00009.annot-000001"])
async def test_keys_of_nothing_are_gone(item: str) -> None:
    """A key that names nothing here leaves the owed ones, and never becomes another path."""
    async with platform() as datature, datature_source(datature) as source:
        key = ItemKey("annotation", "ds0001", None, None, item)
        (outcome,) = [each async for each in source.open([AnnotationRef(key, "")])]
        assert isinstance(outcome, ItemFailed)
        assert outcome.gone


async def test_a_replayed_item_keeps_the_words_that_its_path_needs() -> None:
    """Opened by a reference with fields, the body carries them on."""
    async with platform() as datature, datature_source(datature) as source:
        key = ItemKey("annotation", "ds0001", None, None, "asset-00002.annot-000003")
        (body,) = [each async for each in source.open([AnnotationRef(key, "", fields={"filename": "x.png"})])]
        assert isinstance(body, Body)
        assert body.ref.fields == {"filename": "x.png"}


async def test_named_items_are_listed_whatever_their_status() -> None:
    """An asset's id means all of its annotations, a single one's that one; unknown ones are owed, with the reason."""
    async with platform() as datature, mirrored(datature) as mirror:
        datature.dataset().set_status("asset-00003", "Tofix")
        items = ("asset-00001", "asset-00003.annot-000005", "asset-00002.nope", "asset-00099", "asset-00098.annot-9")
        select = Selection(projects=("ds0001",), items=items)
        assert await mirror.sync(select=select) == "delta"
        assert {key.item for key in mirror.items} == {
            "asset-00001.annot-000001", "asset-00001.annot-000002", "asset-00003.annot-000005",
        }  # fmt: skip
        assert {key.item for key in mirror.owed} == {"asset-00002.nope", "asset-00099", "asset-00098.annot-9"}
        with pytest.raises(SettingsError):
            await mirror.sync(select=Selection(items=("asset 1",)))


async def test_of_several_datasets_none_owes_what_another_has() -> None:
    """An asset that a dataset does not have is owed only where that dataset alone is selected."""
    async with platform() as datature, mirrored(datature) as mirror:
        await mirror.sync(select=Selection(projects=("*",), items=("asset-00099", "asset-00001.nope")))
        assert mirror.owed == {}
