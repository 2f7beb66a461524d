"""SIGTERM, and SIGTERM followed by SIGKILL, at random instants of a real process: the next one goes on."""

from pathlib import Path

import pytest

from syncer.model.errors import Exit
from tests.support.survival import Evict, Survival, drain, drain_daemon

#: A grace period that Kubernetes does not grant, against a platform whose answers take a good part of it.
HASTY = ("sync", "--progress", "none", "--set", "daemon.grace=1h")

DAEMON = ("daemon", "--progress", "none")


@pytest.mark.slow
async def test_a_few_drains_change_nothing(tmp_path: Path) -> None:
    """Four signals at random instants: each drains, and in the end all is as if undisturbed."""
    await Survival(drain, amid=True, stops=4, tasks=1200, latency=0.15).check(tmp_path)


@pytest.mark.slow
async def test_a_few_drains_of_a_daemon_change_nothing(tmp_path: Path) -> None:
    """The same for `syncer daemon`: three signals amid its runs, each ends with 0."""
    await Survival(drain_daemon, stops=3, tasks=600, words=DAEMON, amid=True, latency=0.15).check(tmp_path)


@pytest.mark.slow
async def test_a_few_evictions_change_nothing(tmp_path: Path) -> None:
    """Stopped twice as Kubernetes does, too early for what is in flight: the end is as if undisturbed."""
    await Survival(Evict(0.1), stops=2, tasks=400, words=HASTY, amid=True, latency=0.4).check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_thirty_drains_change_nothing(tmp_path: Path) -> None:
    """Thirty signals at random instants, with changes in between: folder, archive and manifest as if undisturbed."""
    await Survival(drain, amid=True, stops=30, tasks=3000, seed=30).check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_thirty_drains_of_a_daemon_change_nothing(tmp_path: Path) -> None:
    """Thirty signals at random instants of a daemon, with changes in between: as if undisturbed, each ends with 0."""
    await Survival(drain_daemon, stops=30, tasks=3000, seed=31, words=DAEMON, amid=True).check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_ten_evictions_of_a_daemon_change_nothing(tmp_path: Path) -> None:
    """TERM, 10 s, KILL, ten times, of a daemon: the next start completes with the right content."""
    words, stop = ("daemon", *HASTY[1:]), Evict(10, Exit.DONE)
    await Survival(stop, stops=10, tasks=600, seed=11, words=words, amid=True, latency=12).check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_ten_evictions_change_nothing(tmp_path: Path) -> None:
    """TERM, 10 s, KILL, ten times, as a pod that is deleted: the next start completes with the right content."""
    await Survival(Evict(10), stops=10, tasks=600, seed=10, words=HASTY, amid=True, latency=12).check(tmp_path)
