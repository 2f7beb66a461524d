"""Files of assets: whole or owed, by links that lapse, without a credential, and not again while they stand still."""

import pytest

from syncer.model.entries import Body
from syncer.model.errors import ItemFailed
from syncer.model.refs import MEDIA, AnnotationRef, ItemKey
from syncer.ports import Selection
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import datature_source, mirrored
from tests.support.mirror import Mirror

COUNT = 12


def platform(**habits: object) -> DataturePlatform:
    """Return a platform with one dataset."""
    made = DataturePlatform(**habits)  # type: ignore[arg-type]
    made.dataset().generate(COUNT, 2)
    return made


def files(mirror: Mirror) -> dict[str, bytes]:
    """Return the files that a mirror holds, by asset."""
    return {key.item: item.data for key, item in mirror.items.items() if key.kind == MEDIA}


@pytest.mark.parametrize("granularity", ["annotation", "asset"])
async def test_every_file_arrives_whole_and_nobody_sees_the_key(granularity: str) -> None:
    """Beside its annotations each finished asset brings its file; links carry no credential, documents no link."""
    async with platform() as datature, mirrored(datature, media=True, granularity=granularity) as mirror:
        datature.dataset().add_asset()
        datature.dataset().add_asset("Review")
        assert await mirror.sync() == "full"
        assets = datature.dataset().assets.values()
        assert files(mirror) == {asset.id: asset.content for asset in assets if asset.status == "Completed"}
        assert datature.content.leaked == 0
        assert set(datature.content.asked.values()) == {1}
        documents = [item.data for key, item in mirror.items.items() if key.kind != MEDIA]
        assert len(documents) == COUNT * (2 if granularity == "annotation" else 1)
        assert not any(b"sig=" in document for document in documents)
        assert "sig=" not in str(mirror.cursor)


async def test_a_file_is_not_fetched_again_while_it_stands_still() -> None:
    """An edited annotation moves its asset and not its file; another generation of the file does."""
    async with platform() as datature, mirrored(datature, media=True) as mirror:
        await mirror.sync()
        datature.dataset().change("annot-000005")
        await mirror.sync()
        assert set(datature.content.asked.values()) == {1}
        asset = datature.dataset().assets["asset-00003"]
        asset.content = b"another" * 9
        asset.resource["metadata"] |= {"generations": {"asset": "2"}, "fileSize": len(asset.content)}
        datature.dataset().touch(asset)
        await mirror.sync()
        assert files(mirror)["asset-00003"] == asset.content
        assert sum(datature.content.asked.values()) == COUNT + 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_lapsed_link_is_renewed(status: int) -> None:
    """Whatever a store answers to a link that lapsed, the asset is asked for a new one, once."""
    async with platform() as datature, mirrored(datature, media=True) as mirror:
        datature.content.troubles = [status]
        await mirror.sync()
        assert len(files(mirror)) == COUNT
        assert datature.asked("asset") == 1


async def test_a_store_that_stumbles_is_asked_again() -> None:
    """503 and 429 of the store cost a request each, nothing else."""
    async with platform() as datature, mirrored(datature, media=True) as mirror:
        datature.content.troubles = [503, 429]
        await mirror.sync()
        assert len(files(mirror)) == COUNT
        assert datature.asked("asset") == 0


@pytest.mark.parametrize(("number", "change"), [(3, "size"), (4, "hash"), (5, "gone")])
async def test_a_file_that_is_not_as_promised_is_owed_alone(number: int, change: str) -> None:
    """Another size, another hash, or no file at all: never stored; the others and the annotations are."""
    asset = f"asset-{number:05d}"
    async with platform() as datature, mirrored(datature, media=True) as mirror:
        found = datature.dataset().assets[asset]
        if change == "size":
            found.resource["metadata"]["fileSize"] += 1
        elif change == "hash":
            found.content = found.content[:-1] + b"!"
        else:
            datature.content.missing.add(asset)
        await mirror.sync()
        assert {(key.kind, key.item) for key in mirror.owed} == {(MEDIA, asset)}
        assert len(files(mirror)) == COUNT - 1
        assert len(mirror.items) == COUNT * 3 - 1


async def test_what_is_deleted_or_reopened_takes_its_file_along() -> None:
    """A deleted asset's file is gone, a reopened one's is withdrawn, with the annotations."""
    async with platform() as datature, mirrored(datature, media=True) as mirror:
        await mirror.sync()
        datature.dataset().remove_asset("asset-00002")
        datature.dataset().set_status("asset-00003", "Tofix")
        await mirror.sync()
        assert (MEDIA, "asset-00002") in {(key.kind, key.item) for key in mirror.gone}
        assert (MEDIA, "asset-00003") in {(key.kind, key.item) for key in mirror.withdrawn}


async def test_files_are_opened_by_their_keys_alone() -> None:
    """Without a listing before it, an asset is asked for its link; one that never was is gone."""
    async with platform() as datature, datature_source(datature, media=True) as source:
        for item, kind in (("asset-00001", Body), ("asset-00099", ItemFailed)):
            key = ItemKey(MEDIA, "ds0001", None, None, item)
            (outcome,) = [each async for each in source.open([AnnotationRef(key, "")])]
            assert isinstance(outcome, kind)


async def test_named_assets_bring_their_files() -> None:
    """An asset selected by its id comes with its file."""
    async with platform() as datature, mirrored(datature, media=True) as mirror:
        await mirror.sync(select=Selection(items=("asset-00001",)))
        assert set(files(mirror)) == {"asset-00001"}
