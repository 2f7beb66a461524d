"""Die at every event of a run that writes into a bucket: the next run always ends where an undisturbed one does."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.buckets import Server
from tests.support.destination import Outcome, outcome_of
from tests.support.engine import Engine
from tests.support.s3 import Bucket
from tests.support.story import Story


class BucketStory(Story):
    """The same two passes, into a prefix of a real bucket."""

    def __init__(self, folder: Path, server: Server, versions: str) -> None:
        """Begin with an empty prefix."""
        super().__init__(folder, inline=True)
        self.bucket = Bucket(server, uuid4().hex)
        self.versions = versions

    def engine(self) -> Engine:
        """Return a process's view of the bucket."""
        options = {"type": "prefix", "url": self.bucket.url, "on_delete": "delete", "versions": self.versions}
        return Engine(self.folder, self.source, sinks={"lake": options})

    async def outcomes(self) -> list[Outcome]:
        """Return what a reader of the bucket finds."""
        (sink,) = self.engine().opened()
        return [await outcome_of(sink, "job", self.bucket.contents())]


async def matrix(folder: Path, server: Server, versions: str, *, step: int, first: int = 0) -> None:
    """Compare every crash point (or every n-th) with a calm story."""
    calm = BucketStory(folder / "calm", server, versions)
    expected = await calm.play()
    assert [len(outcome.rows) for outcome in expected] == [30]
    points = range(first, sum(calm.events), step)
    assert len(points) > 5
    for point in points:
        story = BucketStory(folder / f"crash-{point}", server, versions)
        assert await story.play(point) == expected, f"died at event {point}"
        assert story.bucket.uploads() == []


@pytest.fixture(autouse=True)
def keys(seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables by which the client finds the server."""
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("versions", ["latest", pytest.param("keep", marks=pytest.mark.slow)])
async def test_dying_at_some_events_changes_nothing(tmp_path: Path, seaweed_server: Server, versions: str) -> None:
    """Some events of a first and a second pass."""
    await matrix(tmp_path, seaweed_server, versions, step=11, first=3)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("versions", ["latest", "keep"])
async def test_dying_at_every_event_changes_nothing(tmp_path: Path, seaweed_server: Server, versions: str) -> None:
    """All events of a first and a second pass, one after the other."""
    await matrix(tmp_path, seaweed_server, versions, step=1)
