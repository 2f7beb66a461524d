"""A platform that allows 60 requests a second and nothing more: real time, a real process, hardly a request wasted."""

from pathlib import Path

import pytest

from tests.emulators.link_process import link_process
from tests.support.command import syncer
from tests.support.destination import contents
from tests.support.link_run import prepare

ALLOWED = 60


def fetch_all(folder: Path, items: int, *options: str) -> None:
    """Fetch everything through the limit; refused requests are at most a twentieth of all."""
    with link_process("--items", str(items), "--rate", str(ALLOWED), *options) as platform:
        env = prepare(folder, platform, limits={"concurrency": 64})
        ended = syncer("sync", "zip", "-o", "json", "-q", cwd=folder, env=env, timeout=1500).ok()
        stats = platform.stats()
    (report,) = ended.json()
    assert report["counts"]["stored"] == items
    assert len(contents(folder / "archive")) == items
    assert stats["throttled"] > 0
    assert stats["content"] - items <= 0.05 * stats["content"], stats
    # One event stands for all refusals that were in flight together.
    assert 0 < report["counts"]["throttled"] <= stats["throttled"]


def test_rule_22_hardly_a_request_is_refused(tmp_path: Path) -> None:
    """All items arrive through a limit of 60 requests a second; at most one request in twenty is refused."""
    fetch_all(tmp_path, 300)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("latency", ["0", "0.1"])
def test_rule_22_over_minutes(tmp_path: Path, latency: str) -> None:
    """The same over minutes, where the rate is tried upwards again and again."""
    fetch_all(tmp_path, 3000, "--latency", latency)
