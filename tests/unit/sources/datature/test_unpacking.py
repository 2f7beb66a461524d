"""Exports member by member: each a file, again only when it changed, gone when a newer export lacks it."""

import io
import json
import time
import zipfile
from pathlib import Path

import pytest

from syncer.blobs import kept
from syncer.model.entries import Body
from syncer.model.errors import BadBody, ItemFailed
from syncer.model.refs import EXPORT, AnnotationRef, Cursor, ItemKey
from syncer.schedule.clock import SystemClock
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import datature_export, datature_source, mirrored
from tests.support.exporting import documents
from tests.support.mirror import Mirror

UNPACK = {"mode": "export", "export_unpack": True}


def platform(assets: int = 5) -> DataturePlatform:
    """Return a platform with one dataset."""
    made = DataturePlatform()
    made.dataset().generate(assets, 2)
    return made


def names(mirror: Mirror) -> list[str]:
    """Return the members that a mirror holds."""
    return sorted(key.item for key in mirror.items)


def member(number: int) -> str:
    """Return the item of an asset's file in the export."""
    return f"dump+annotations+asset-{number:05d}.jsonl"


async def test_members_are_items_and_follow_the_data() -> None:
    """An unmoved dataset costs no archive; a deleted asset's member is gone with the next export."""
    async with platform() as datature, mirrored(datature, **UNPACK) as mirror:
        assert await mirror.sync() == "full"
        assert names(mirror) == [member(number) for number in range(1, 6)]
        assert all(json.loads(item.data)["id"] for item in mirror.items.values())
        fetched = sum(datature.content.asked.values())
        assert mirror.cursor is not None
        # It knows when it was made, and that was another time.
        mirror.cursor = Cursor(mirror.cursor.replace('"at":"2', '"at":"3'))
        assert await mirror.sync() == "delta"
        assert sum(datature.content.asked.values()) == fetched
        datature.dataset().remove_asset("asset-00002")
        assert await mirror.sync() == "full"
        assert {key.item for key in mirror.gone} == {member(2)}
        assert len(mirror.items) == 4


async def test_an_archive_that_could_hurt_is_refused_as_a_whole(tmp_path: Path) -> None:
    """Nothing of it becomes an item, and nothing that was stored is taken for deleted."""
    async with platform() as datature, mirrored(datature, **UNPACK) as mirror:
        await mirror.sync()
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
            made.writestr("good", b"good")
            made.writestr("../../evil", b"evil")
        datature.content.big = tmp_path / "bad.zip"
        datature.dataset().change("annot-000005")
        with pytest.raises(BadBody, match=r"evil.*is no path inside it"):
            await mirror.sync()
        assert len(mirror.items) == 5
        assert not mirror.gone


async def test_members_are_opened_by_their_keys_alone() -> None:
    """What is owed is found in the export again; what it does not have is gone."""
    async with platform() as datature, datature_source(datature, **UNPACK) as source:
        keys = [ItemKey(EXPORT, "ds0001", None, None, item) for item in (member(1), member(9), member(3))]
        found = [each async for each in source.open([AnnotationRef(key, "") for key in keys])]
        assert [type(each) for each in found] == [Body, ItemFailed, Body]
        assert isinstance(found[1], ItemFailed)
        assert found[1].gone
        assert len(datature.dataset().exports) == 1


async def test_an_archive_is_kept_until_its_members_are_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pass that is broken off leaves the archive to the next one, and one that ends leaves nothing."""
    monkeypatch.setattr("syncer.sources.datature.unpacking.ITEMS", 1)
    folders: list[Path] = []
    original = kept.discard
    monkeypatch.setattr(kept, "discard", lambda path: (folders.append(path.parent), original(path)))
    async with platform(30) as datature, mirrored(datature, **UNPACK) as mirror:
        await mirror.sync(stop_after=3)
        sent = sum(datature.content.sent.values())
        assert not folders
        assert await mirror.sync() == "full"
        assert sum(datature.content.sent.values()) == sent
        assert len(mirror.items) == 30
        assert not list(folders[-1].iterdir())


async def test_a_pass_over_two_exports_takes_nothing_for_seen_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off, and a member is gone when it goes on: only the pass after that can tell."""
    monkeypatch.setattr("syncer.sources.datature.unpacking.ITEMS", 1)
    async with platform() as datature, mirrored(datature, clock=SystemClock(), **UNPACK) as mirror:
        datature.export_time = lambda: int(time.time() * 1000)
        await mirror.sync(stop_after=3)
        datature.dataset().remove_asset("asset-00001")
        assert await mirror.sync() == "delta"
        assert not mirror.gone
        assert await mirror.sync() == "full"
        assert names(mirror) == [member(number) for number in range(2, 6)]
        assert await mirror.sync() == "delta"


async def test_an_export_on_the_command_line(tmp_path: Path) -> None:
    """Every member is an entry with the name and the bytes that it has in the archive; what is gone leaves."""
    async with platform() as datature:
        more = ("--set", "mode=export", "--set", "export_unpack=true")
        for assets in (5, 4):
            ended = (await datature_export(datature, tmp_path, "ds0001", "out.zip", *more)).ok().json()[0]
            assert ended["complete"]
            assert ended["counts"]["deleted"] == 5 - assets
            found = documents(tmp_path / "out.zip")
            exports = datature.dataset().exports
            archive = datature.content.files[f"exports/{exports[-1]['datasetExportId']}.zip"]
            assert isinstance(archive, bytes)
            with zipfile.ZipFile(io.BytesIO(archive)) as served:
                assert found == {name.replace("/", "+"): served.read(name) for name in served.namelist()}
            assert len(found) == assets
            if assets == 5:
                datature.dataset().remove_asset("asset-00002")
