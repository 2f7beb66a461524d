"""Media and exports that are not wanted any more: kept as they are and named, until the user says otherwise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from syncer.flow.job import RunOptions
from syncer.flow.verify import Survey
from syncer.model.errors import Exit
from syncer.model.events import Warned
from syncer.model.refs import MEDIA, ItemKey
from syncer.model.report import Report
from syncer.ports import Selection
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import datature_source
from tests.support.destination import Outcome
from tests.support.engine import Engine

COUNT, PARTS = 12, 2


def platform() -> DataturePlatform:
    """Return a platform with one dataset."""
    made = DataturePlatform()
    made.dataset().generate(COUNT, PARTS)
    return made


class Desk:
    """One job on one state, run again and again with other options of its platform."""

    def __init__(self, folder: Path, datature: DataturePlatform) -> None:
        """Take the folder of destinations and state."""
        self.folder = folder
        self.datature = datature
        self.warned: list[str] = []

    async def run(self, options: RunOptions | None = None, **platform: Any) -> Report:
        """Run once."""
        async with datature_source(self.datature, **platform) as source:
            engine = Engine(self.folder, source, Selection(projects=("ds0001",)))
            report = await engine.run(options)
            self.warned = [event.message for event in engine.events if isinstance(event, Warned)]
        return report

    async def gone(self, options: RunOptions | None = None, **platform: Any) -> int:
        """Return how many items a dry run calls gone."""
        async with datature_source(self.datature, **platform) as source:
            engine = Engine(self.folder, source, Selection(projects=("ds0001",)))
            return max(leg.gone for leg in (await engine.plan(options)).legs.values())

    async def rows(self) -> set[str]:
        """Return the keys of what is current, whatever kind of file it is."""
        async with datature_source(self.datature) as source:
            made = Engine(self.folder, source, Selection(projects=("ds0001",))).opened()[0]
            return {each.key.canonical() for each in (await Survey.read(made.manifest("job"))).current.values()}

    async def outcome(self, sink: str) -> Outcome:
        """Return what a reader finds."""
        async with datature_source(self.datature) as source:
            return await Engine(self.folder, source, Selection(projects=("ds0001",))).outcome(sink)


def media_of(outcome: Outcome) -> Mapping[str, str]:
    """Return the digests of the files that are current, by asset."""
    rows = [(ItemKey.parse(key), sha256) for key, _, _, sha256 in outcome.rows]
    return {key.item: sha256 for key, sha256 in rows if key.kind == MEDIA}


@pytest.mark.parametrize("granularity", ["annotation", "asset"])
async def test_rule_14_files_that_are_not_selected_any_more_stay(tmp_path: Path, granularity: str) -> None:
    """Media switched off: every file stays current, deletions of labels are still seen, and it is said what is kept."""
    async with platform() as datature:
        desk = Desk(tmp_path, datature)
        await desk.run(media=True, granularity=granularity)
        before = media_of(await desk.outcome("lake"))
        assert len(before) == COUNT
        dataset = datature.dataset()
        dataset.remove_annotation(next(iter(dataset.assets["asset-00003"].annotations)))
        dataset.remove_asset("asset-00005")
        assert await desk.gone(granularity=granularity) == (3 if granularity == "annotation" else 1)
        for _ in range(3):
            report = await desk.run(granularity=granularity)
            assert report.exit_code() is Exit.DONE
            assert report.counts.difference == 0
            assert any(f"{COUNT} stored items are no longer selected" in each for each in desk.warned)
            for sink in ("lake", "zip"):
                outcome = await desk.outcome(sink)
                assert media_of(outcome) == before
                assert len(outcome.rows) == COUNT + 1 + (COUNT * PARTS - 3 if granularity == "annotation" else 11)


async def test_rule_14_files_selected_again_are_not_fetched_again(tmp_path: Path) -> None:
    """Off and on again: what is stored is what is there, and only a file that changed meanwhile comes anew."""
    async with platform() as datature:
        desk = Desk(tmp_path, datature)
        await desk.run(media=True)
        await desk.run()
        asset = datature.dataset().assets["asset-00003"]
        asset.content = b"another" * 9
        asset.resource["metadata"] |= {"generations": {"asset": "2"}, "fileSize": len(asset.content)}
        datature.dataset().touch(asset)
        datature.content.asked.clear()
        report = await desk.run(media=True)
        assert report.exit_code() is Exit.DONE
        assert sum(datature.content.asked.values()) == 1


async def test_rule_14_prune_removes_what_is_not_selected(tmp_path: Path) -> None:
    """`--prune` treats such files as deleted, also in a run long after the switch; the labels stay."""
    async with platform() as datature:
        desk = Desk(tmp_path, datature)
        await desk.run(media=True)
        await desk.run()
        await desk.run()
        options = RunOptions(prune=True, max_delete=100)
        assert await desk.gone(options) == COUNT
        report = await desk.run(options)
        assert (report.counts.deleted, desk.warned) == (COUNT, [])
        for sink in ("lake", "zip"):
            outcome = await desk.outcome(sink)
            assert media_of(outcome) == {}
            assert len(outcome.rows) == COUNT * PARTS + 1


async def test_rule_14_owed_files_are_not_owed_for_ever(tmp_path: Path) -> None:
    """A file that could not be had is forgotten with the option, and owed again with it."""
    async with platform() as datature:
        desk = Desk(tmp_path, datature)
        datature.content.missing.add("asset-00003")
        report = await desk.run(media=True)
        assert report.exit_code() is Exit.OWING
        report = await desk.run()
        assert (report.exit_code(), set(report.owed.values())) == (Exit.DONE, {0})
        assert len(media_of(await desk.outcome("lake"))) == COUNT - 1
        report = await desk.run(media=True)
        assert report.exit_code() is Exit.OWING
        datature.content.missing.clear()
        assert (await desk.run(media=True)).exit_code() is Exit.DONE
        assert len(media_of(await desk.outcome("lake"))) == COUNT


async def test_an_owed_file_that_came_at_last_is_not_taken_for_deleted(tmp_path: Path) -> None:
    """Its asset did not move, so the pass that follows asks nothing about it: what was fetched counts as seen."""
    async with platform() as datature:
        desk = Desk(tmp_path, datature)
        datature.content.missing.add("asset-00003")
        await desk.run(media=True)
        datature.content.missing.clear()
        report = await desk.run(media=True)
        assert (report.exit_code(), report.counts.replayed, report.counts.deleted) == (Exit.DONE, 1, 0)
        assert len(media_of(await desk.outcome("lake"))) == COUNT


async def test_rule_14_another_mode_leaves_what_the_first_stored(tmp_path: Path) -> None:
    """Single annotations first, then the platform's export, then back: the others stay current beside them."""
    async with platform() as datature:
        desk = Desk(tmp_path, datature)
        await desk.run(media=True)
        report = await desk.run(mode="export")
        assert report.exit_code() is Exit.SETTINGS
        before = await desk.rows()
        for mode in ("export", "export", "annotations"):
            report = await desk.run(RunOptions(relayout=True), mode=mode)
            assert report.exit_code() is Exit.DONE, report.problems
            assert (report.counts.deleted, report.counts.withdrawn) == (0, 0)
            assert before < await desk.rows()
        assert any("no longer selected" in each for each in desk.warned)
