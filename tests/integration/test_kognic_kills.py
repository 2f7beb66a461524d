"""SIGKILL at random instants of an export of Kognic: what is left goes on to the same archive."""

import random
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.emulators.kognic import Remote, kognic_process
from tests.support.command import start, syncer
from tests.support.destination import contents
from tests.support.exporting import documents, same_documents

CONFIG = """
state: sqlite:state.db
platforms:
  cars: {{type: kognic, url: "{url}", client_id: {client_id}, client_secret: {client_secret}}}
sinks:
  folder: {{type: prefix, url: file:labels}}
  archive: {{type: zip, url: file:archive, name: "labels.zip"}}
jobs:
  job:
    platform: cars
    select: {{projects: [{project}], batches: [{batch}], annotation_types: [{type}]}}
    sinks: [folder, archive]
    commit: {{items: 40}}
"""


def prepare(folder: Path, platform: Remote) -> Path:
    """Make a folder with a configuration for the platform's one batch."""
    folder.mkdir()
    names = ("url", "client_id", "client_secret", "project", "batch", "type")
    (folder / "syncer.yaml").write_text(CONFIG.format(**{name: getattr(platform, name) for name in names}))
    return folder


def killed(folder: Path, platform: Remote, requests: int) -> bool:
    """Run a pass and kill it once it has sent so many requests; tell whether it was still running."""
    platform.forget()
    process = start("sync", "--progress", "none", "-q", cwd=folder)
    while sum(platform.stats()["requests"].values()) < requests:
        try:
            process.wait(0.02)
            break
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    _, errors = process.communicate()
    assert b"Traceback" not in errors, errors.decode()
    assert process.returncode in {0, -9}, errors.decode()
    return process.returncode == -9


def survive(folder: Path, kills: int, annotations: int) -> None:
    """Kill a run again and again, correct and invalidate now and then, and compare with what the platform has."""
    dice = random.Random(20261128)
    # Links that end while a killed run is being started again, and tokens that end within a run.
    habits = ("--page-size", "50", "--latency", "0.02", "--link-seconds", "2", "--lifetime", "3")
    with kognic_process("--annotations", str(annotations), *habits) as platform:
        home = prepare(folder / "killed", platform)
        inputs, done = list(platform.inputs), 0
        while done < kills:
            # Listing alone takes a dozen requests; the first passes get into the downloads.
            done += killed(home, platform, dice.randrange(1, max(12, annotations // 2 - 40 * done)))
            if dice.random() < 0.5:  # so that later passes have work
                platform.edit("correct", dice.sample(inputs, 5))
                platform.edit("invalidate", [inputs.pop(dice.randrange(len(inputs)))])
                platform.edit("finish", inputs[:3])
        syncer("sync", "--relist", "--max-delete", "1000000", "-q", cwd=home, timeout=300).ok()
        syncer("verify", "--deep", "-q", cwd=home).ok()
        assert platform.stats()["leaked"] == 0
        expected = {f"{scene}.json": text for scene, text in platform.documents().items()}
    assert len(expected) > annotations / 2
    same_documents(documents(home / "archive" / "labels.zip"), expected)
    same = contents(home / "archive")
    assert {name: digest for name, digest in contents(home / "labels").items() if name in same} == same
    assert [path.name for path in home.rglob("*") if ".partial" in path.name or path.suffix == ".next"] == []


async def test_a_few_kills_change_nothing(tmp_path: Path) -> None:
    """Three kills at random instants, with corrections and invalidations between: the archive is what is finished."""
    await anyio.to_thread.run_sync(survive, tmp_path, 3, 250)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_fifteen_kills_change_nothing(tmp_path: Path) -> None:
    """Fifteen kills at random instants, with corrections and invalidations between: the same."""
    await anyio.to_thread.run_sync(survive, tmp_path, 15, 1000)
