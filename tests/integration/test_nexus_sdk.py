"""The vendor's own client works against the emulated Nexus, and an export holds exactly what it returns."""

import json
from pathlib import Path
from typing import Any

import anyio.to_thread

from tests.emulators.nexus import PROJECT, NexusPlatform
from tests.support.clients import ask_client_aside
from tests.support.command import syncer
from tests.support.exporting import report


async def ask(platform: NexusPlatform, home: Path, *words: str) -> Any:
    """Let the client ask, in a process of its own, while this loop answers."""
    env = {"DATATURE_API_BASE_URL": platform.url}
    return await ask_client_aside("nexus_client.py", *words, platform.key, home=home, env=env)


async def test_it_reads_all_that_an_exporter_needs(tmp_path: Path) -> None:
    """Workspace, projects, assets of a group and single annotations arrive as the client's own types."""
    async with NexusPlatform() as platform:
        platform.project.generate(3, 1)
        platform.project.generate(2, 1, group="other")
        found = await ask(platform, tmp_path, "surroundings", PROJECT, "annot_00002")
        assert found == {
            "workspace": "ws_1", "projects": [PROJECT], "annotation": "annot_00002",
            "assets": ["asset_00001", "asset_00003", "asset_00005"],
        }  # fmt: skip


async def test_an_export_is_what_the_client_returns(tmp_path: Path) -> None:
    """Annotation by annotation, over several pages; and a second pass stores nothing."""
    async with NexusPlatform(most=40) as platform:
        platform.project.generate(60, 2)
        returned = await ask(platform, tmp_path, "everything", PROJECT)
        env = {"DATATURE_API_BASE_URL": platform.url, "DATATURE_SECRET_KEY": platform.key}
        line = ("export", "nexus", "--project", PROJECT, "--to", "out/", "-o", "json", "--progress", "none")
        for stored in (120, 0):
            ended = await anyio.to_thread.run_sync(lambda: syncer(*line, cwd=tmp_path, env=env))
            assert report(ended.ok())["counts"]["stored"] == stored
        files = sorted((tmp_path / "out").glob("annot_*.json"))
        assert [json.loads(file.read_text()) for file in files] == sorted(returned, key=lambda each: each["id"])
