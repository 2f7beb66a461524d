"""Manifests in real buckets: what several processes could change moves by compare-and-swap, and nothing is lost."""

from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from syncer.blobs.roots import open_root
from syncer.model.errors import SettingsError
from syncer.ports import Blobs, Claim
from syncer.schedule.clock import SystemClock
from syncer.sinks.manifest import JobManifest
from tests.unit.sinks.test_manifest import lines, row, rows_of

SERVERS = ("seaweed_server", "azure_server", "gcs_server")


@pytest.fixture(params=SERVERS)
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """Return an empty prefix of a real bucket."""
    server = request.getfixturevalue(request.param)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return open_root(server.url(f"manifests/{uuid4().hex}"), tmp_path)


def opened(blobs: Blobs, job: str = "street") -> JobManifest:
    """Return the view of a process of its own."""
    return JobManifest(blobs, job, "lake", SystemClock())


async def test_many_movers_lose_nothing(blobs: Blobs) -> None:
    """Units that move one HEAD at the same time each find their segment in it, and their checkpoint beside it."""
    generations: list[int] = []

    async def send(unit: str) -> None:
        manifest = opened(blobs)
        segment = await manifest.put_segment(unit, 1, 1, lines(row(unit)))
        generations.append(await manifest.move_head(segments=[segment], checkpoint={unit: {"cursor": unit}}))

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(send, str(number))
    assert sorted(generations) == list(range(1, 13))
    assert len(await rows_of(opened(blobs))) == 12
    assert await opened(blobs).checkpoint() == {str(number): {"cursor": str(number)} for number in range(12)}


async def test_one_of_several_claimants_wins(blobs: Blobs) -> None:
    """Jobs that claim one place at the same moment: exactly one gets it, and the others are told its name."""
    won: list[str] = []
    refused: list[str] = []

    async def claim(job: str) -> None:
        mine = Claim(job, "state", "memory", "memory://", "", epoch=1, paths=("7/",))
        try:
            await opened(blobs, job).claim(mine)
        except SettingsError as error:
            refused.append(str(error))
            return
        won.append(job)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(claim, f"job-{number}")
    assert len(won) == 1
    assert len(refused) == 4


async def test_segments_are_merged(blobs: Blobs) -> None:
    """Many small segments become one: HEAD names it alone, and the rows are the last ones of each key."""
    manifest = opened(blobs)
    for seq in range(1, 70):
        segment = await manifest.put_segment("7", 1, seq, lines(row(str(seq % 5), str(seq))))
        await manifest.move_head(segments=[segment])
    head = await manifest.head()
    assert head is not None
    assert len(head.segments) < 64
    await manifest.merge()
    rows = await rows_of(manifest)
    assert {(found.key.item, found.version) for found in rows} == {(str(n % 5), str(n)) for n in range(65, 70)}
