"""Files of tasks that are not wanted any more: kept as they are and named, until the user says otherwise."""

from pathlib import Path
from typing import Any

import pytest

from syncer.demo.platform.server import LabelStudioPlatform
from syncer.flow.job import RunOptions
from syncer.model.errors import Exit
from syncer.model.events import Warned
from syncer.model.refs import MEDIA, ItemKey
from syncer.model.report import Report
from syncer.ports import Selection
from tests.support.engine import Engine
from tests.support.studio_source import studio_source

COUNT = 6


def platform() -> LabelStudioPlatform:
    """Return a server with one project of annotated tasks, each with an uploaded file."""
    made = LabelStudioPlatform()
    project = made.store.create_project("Files")
    data = [{"image": f"/data/upload/1/{number}.png"} for number in range(COUNT)]
    made.store.import_tasks(project, [{"data": each, "annotations": [{"result": []}]} for each in data])
    for number in range(COUNT):
        made.store.uploads[f"/data/upload/1/{number}.png"] = b"upload %d" % number
    return made


async def once(
    studio: LabelStudioPlatform, folder: Path, options: RunOptions | None = None, **more: Any
) -> tuple[Report, list[str], set[tuple[str, str]]]:
    """Run a job once; return its report, what it warned of, and the keys that are current then."""
    async with studio_source(studio.url, studio.token, **more) as source:
        engine = Engine(folder, source, Selection(projects=("1",)))
        report = await engine.run(options)
        rows = (await engine.outcome("lake")).rows
        assert rows == (await engine.outcome("zip")).rows
        keys = [ItemKey.parse(key) for key, *_ in rows]
        return report, [e.message for e in engine.events if isinstance(e, Warned)], {(k.kind, k.item) for k in keys}


@pytest.mark.parametrize("granularity", ["task", "annotation"])
async def test_rule_14_files_that_are_not_selected_any_more_stay(tmp_path: Path, granularity: str) -> None:
    """Media switched off: files stay current through full listings and deletions; `--prune` alone takes them away."""
    async with platform() as studio:
        _, _, before = await once(studio, tmp_path, media=True, granularity=granularity)
        files = {key for key in before if key[0] == MEDIA}
        assert len(files) == COUNT
        studio.store.delete_tasks([2])
        for options in (None, None, RunOptions(relist=True)):
            report, warned, now = await once(studio, tmp_path, options, granularity=granularity)
            assert report.exit_code() is Exit.DONE
            assert report.counts.difference == 0
            assert any(f"{COUNT} stored items are no longer selected" in each for each in warned)
            assert {key for key in now if key[0] == MEDIA} == files
            assert len(now) == len(before) - 1
        options = RunOptions(prune=True, max_delete=100)
        report, warned, now = await once(studio, tmp_path, options, granularity=granularity)
        assert (report.counts.deleted, warned) == (COUNT, [])
        assert not {key for key in now if key[0] == MEDIA}
        assert len(now) == COUNT


async def test_rule_14_files_selected_again_are_not_fetched_again(tmp_path: Path) -> None:
    """Off and on again: only the file of a task that came meanwhile is asked for."""
    async with platform() as studio:
        await once(studio, tmp_path, media=True)
        await once(studio, tmp_path)
        studio.store.uploads["/data/upload/1/new.png"] = b"new"
        studio.store.import_tasks(
            studio.store.projects[1], [{"data": {"image": "/data/upload/1/new.png"}, "annotations": [{"result": []}]}]
        )
        studio.traffic.clear()
        report, _, now = await once(studio, tmp_path, media=True)
        assert report.exit_code() is Exit.DONE
        assert len({key for key in now if key[0] == MEDIA}) == COUNT + 1
        assert report.counts.stored == 2
