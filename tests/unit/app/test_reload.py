"""A changed configuration under a running daemon: schedules and limits are taken, everything else is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncer.sources.memory import platform_named
from tests.support.daemons import configure, daemon

PREFIX: dict[str, Any] = {"type": "prefix", "path": "{item}.json"}
ZIP: dict[str, Any] = {"type": "zip", "name": "all.zip"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a configuration with two jobs."""
    platform_named(tmp_path.name, 3)
    return configure(
        tmp_path, platform=tmp_path.name,
        jobs={"street": {"sink": PREFIX, "schedule": {"every": "1h"}}, "box": {"sink": ZIP}},
    )  # fmt: skip


def edit(file: Path, change: Callable[[Any], object]) -> None:
    """Change the file."""
    tree = json.loads(file.read_text("utf-8"))
    change(tree)
    file.write_text(json.dumps(tree), "utf-8")


async def test_schedules_and_limits_change_while_jobs_run(file: Path) -> None:
    """A saved file is taken within seconds: another distance, fewer requests at once on the open client, more slots."""
    async with daemon(file) as running:
        await running.until(lambda: len(running.heard.runs("street")) == 1)
        await running.quiet()
        syncer = running.daemon.syncer
        source = await syncer.source("mem")

        def change(tree: Any) -> None:
            tree["jobs"]["street"]["schedule"] = {"every": "1m"}
            tree["platforms"]["mem"]["limits"] = {"concurrency": 3, "timeout": "2m"}
            tree["sinks"]["box"]["publish_every"] = "5m"
            tree["daemon"] = {"concurrency": 9}

        edit(file, change)
        await running.until(lambda: bool(running.heard.warnings), most=60)
        (said,) = running.heard.warnings
        assert said.startswith("the changed configuration is used from now on: ")
        assert "jobs.street.schedule" in said
        assert running.daemon.scheduler.slots == 9
        assert await syncer.source("mem") is source
        await running.pass_by(400)
        assert len(running.heard.runs("street")) >= 5


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda tree: tree["platforms"]["mem"].update(url="https://elsewhere.example"), "platforms.mem.url"),
        (lambda tree: tree["sinks"]["street"].update(url="file:other"), "sinks.street.url"),
        (lambda tree: tree["jobs"]["street"].update(transform="json:loads"), "jobs.street.transform"),
        (lambda tree: tree["jobs"]["street"].update(select={"projects": ["8"]}), "jobs.street.select.projects"),
        (lambda tree: tree["jobs"].update(more={**tree["jobs"]["street"], "sinks": ["box"]}), "jobs.more"),
        (lambda tree: tree["jobs"].pop("box"), "jobs.box"),
        (lambda tree: tree.update(state="sqlite:other.db"), "state"),
        (lambda tree: tree["jobs"]["street"]["schedule"].update(every="fast"), "expected a duration"),
    ],
)
async def test_everything_else_is_refused_as_a_whole(file: Path, change: Callable[[Any], object], named: str) -> None:
    """What needs a restart, or is wrong, is named once; the old configuration goes on, schedules included."""
    async with daemon(file) as running:
        await running.until(lambda: len(running.heard.runs("street")) == 1)
        await running.quiet()
        before = running.daemon.syncer.settings

        def both(tree: Any) -> None:
            tree["daemon"] = {"concurrency": 9}
            change(tree)

        edit(file, both)
        running.daemon.reload.ask()
        await running.until(lambda: bool(running.heard.warnings), most=60)
        await running.pass_by(30)
        (said,) = running.heard.warnings
        assert said.startswith("the changed configuration is not used: ")
        assert named in said
        assert running.daemon.syncer.settings is before
        assert running.daemon.scheduler.slots == 4
