"""How a line of a given width is shared."""

import anyio
import pytest

from syncer.blobs import bandwidth
from syncer.blobs.bandwidth import Bandwidth


class Watch:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.at = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        """Return the time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Move on."""
        self.waits.append(round(seconds, 6))
        self.at += seconds


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return the clock that the line looks at."""
    made = Watch()
    monkeypatch.setattr(bandwidth, "current_time", made.now)
    monkeypatch.setattr(bandwidth, "sleep", made.sleep)
    return made


async def test_bytes_take_their_time(watch: Watch) -> None:
    """The first bytes go at once, later ones when those before are through; time that passed unused is not saved up."""
    line = Bandwidth(1000)
    await line.take(500)
    await line.take(2000)
    await line.take(100)
    assert watch.waits == [0.5, 2.0]
    watch.at += 60
    await line.take(500)
    await line.take(500)
    assert watch.waits == [0.5, 2.0, 0.5]


async def test_no_limit(watch: Watch) -> None:
    """Without a width nobody waits."""
    line = Bandwidth(None)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(line.take, 1 << 40)
    assert watch.waits == []
