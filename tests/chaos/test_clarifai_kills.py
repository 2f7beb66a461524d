"""SIGKILL at random instants of an export from Clarifai: what is left goes on to the same result."""

import random
import time
from pathlib import Path

import pytest

from tests.support.clarifai_process import Remote, clarifai_process
from tests.support.command import fresh, syncer
from tests.support.destination import contents
from tests.support.survival import Survival, current, kill

CONFIG = """
state: sqlite:state.db
platforms:
  clarifai: {{type: clarifai, url: {url}, token: {key}, user: acme, page_size: 40, read_ahead: 4,
    limits: {{requests_per_second: 1000}}}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
jobs:
  job: {{platform: clarifai, select: {{projects: [cars]}}, sinks: [folder, archive], commit: {{items: 40}}}}
"""


def prepare(folder: Path, platform: Remote) -> Path:
    """Make a folder with a configuration for the platform."""
    folder.mkdir()
    (folder / "syncer.yaml").write_text(CONFIG.format(url=platform.url, key=platform.key))
    return folder


def survive(tmp_path: Path, kills: int, inputs: int) -> None:
    """Kill a run again and again, and compare with a run that was left alone."""
    dice = random.Random(20261128)
    with clarifai_process("--inputs", str(inputs), "--each", "4", "--latency", "0.02") as platform:
        folder = prepare(tmp_path / "killed", platform)
        started = time.monotonic()
        fresh("status", cwd=folder).ok()
        idle = time.monotonic() - started
        hit = sum(
            Survival(kill).stopped(folder, idle * dice.uniform(0.8, 1.6) + dice.uniform(0, 0.6)) for _ in range(kills)
        )
        assert hit
        syncer("sync", "-q", cwd=folder, timeout=300).ok()
        syncer("verify", "--deep", "-q", cwd=folder).ok()
        calm = prepare(tmp_path / "calm", platform)
        syncer("sync", "-q", cwd=calm, timeout=300).ok()
    expected = current(calm)
    assert len(expected) == 4 * inputs + 1
    assert current(folder) == expected
    assert contents(folder / "archive") == contents(calm / "archive")


@pytest.mark.slow
def test_a_few_kills_change_nothing(tmp_path: Path) -> None:
    """Three kills at random instants: folder, archive and manifest end as if undisturbed."""
    survive(tmp_path, kills=3, inputs=150)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_kills_change_nothing(tmp_path: Path) -> None:
    """Thirty kills at random instants: folder, archive and manifest end as if undisturbed."""
    survive(tmp_path, kills=30, inputs=1500)
