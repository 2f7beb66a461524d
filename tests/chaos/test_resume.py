"""SIGKILL amid many content requests: what is committed is never asked for again, and the end is the same."""

import random
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from tests.emulators.link import LinkPlatform
from tests.emulators.link_process import RemoteLink, link_process
from tests.support.command import start, syncer
from tests.support.destination import contents
from tests.support.link_run import prepare

#: Requests in flight at once, and items of one commit.
CONCURRENCY, GROUP = 16, 100
SIZE = 3000


def expected(items: int) -> dict[str, str]:
    """Return what has to lie in the destination."""
    platform = LinkPlatform(items, SIZE)
    return {f"item-{number:07d}.json": sha256(platform.body(number)).hexdigest() for number in range(items)}


def killed(folder: Path, platform: RemoteLink, requests: int, job: str, env: Mapping[str, str]) -> int:
    """Start a pass, kill it once it made so many content requests; return how many items are committed then."""
    before = platform.stats()["content"]
    process = start("sync", job, "--progress", "none", "-q", cwd=folder, env=env)
    try:
        while platform.stats()["content"] < before + requests:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)  # who asks without a pause takes the time that both of them need
    finally:
        process.kill()
        _, errors = process.communicate()
    assert process.returncode == -9, errors.decode()
    (row,) = syncer("status", job, "-o", "json", cwd=folder, env=env).ok().json()
    committed: int = row["items"]
    return committed


def survive(folder: Path, job: str, items: int, kills: Sequence[int]) -> None:
    """Kill passes after so many requests each, let a last one finish, and count what was asked for again."""
    with link_process("--items", str(items), "--size", str(SIZE), "--latency", "0.01") as platform:
        env = prepare(folder, platform, limits={"concurrency": CONCURRENCY}, commit={"items": GROUP})
        committed = 0
        for requests in kills:
            before = platform.stats()["content"] - committed
            committed = killed(folder, platform, requests, job, env)
            lost = platform.stats()["content"] - committed - before
            # The group that was not committed yet, what the writer held for the next ones, and what waited for it.
            assert lost <= 3 * GROUP + 2 * CONCURRENCY
        assert 0 < committed < items
        before = platform.stats()["content"]
        syncer("sync", job, "-q", cwd=folder, env=env).ok()
        after = platform.stats()
        assert after["content"] - before <= items - committed + 2 * CONCURRENCY
        assert after["leaked"] == 0
    syncer("verify", job, "--deep", "-q", cwd=folder, env=env).ok()
    assert contents(folder / ("archive" if job == "zip" else "folder")) == expected(items)


@pytest.mark.parametrize("job", ["zip", "folder"])
def test_half_of_the_items_are_not_asked_for_again(tmp_path: Path, job: str) -> None:
    """Killed after a thousand of 2,000 requests, the second pass asks for what is not committed, and for no more."""
    survive(tmp_path, job, 2000, [1000])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("job", ["zip", "folder"])
def test_ten_kills_cost_ten_groups(tmp_path: Path, job: str) -> None:
    """Killed ten times at random places of 20,000 items, each kill costs a group of requests at most."""
    dice = random.Random(10)
    survive(tmp_path, job, 20_000, [dice.randrange(300, 1800) for _ in range(10)])
