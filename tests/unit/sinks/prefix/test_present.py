"""What another tool did to objects is noticed where a run meets it, named, and never undone without being asked."""

from pathlib import Path
from uuid import uuid4

import pytest

from syncer.blobs.memory import MemoryBlobs
from syncer.flow.job import RunOptions
from syncer.flow.verify import verify
from syncer.model.errors import Exit
from syncer.model.events import Warned
from syncer.model.report import Report
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine


class Desk:
    """A job into a bucket in memory, after its first run."""

    def __init__(self, folder: Path) -> None:
        """Begin with twelve items."""
        name = str(uuid4())
        self.bucket = MemoryBlobs.shared(name)
        self.platform = MemoryPlatform(12)
        sinks = {"lake": {"type": "prefix", "url": f"memory:{name}", "on_delete": "delete"}}
        self.engine = Engine(folder, MemorySource(self.platform), sinks=sinks)

    async def run(self, *, refetch: bool = False) -> Report:
        """Run once."""
        return await self.engine.run(RunOptions(refetch=refetch))

    async def repaired(self) -> Exit:
        """Owe what a verification finds, as `repair` does, and run."""
        (sink,) = self.engine.opened()
        keys = [found.key async for found in verify(sink, "job", deep=True) if found.key is not None]
        async with self.engine.store() as store:
            await store.invalidate("job", "lake", keys, "repair", [])
        return (await self.run()).exit_code()

    def said(self) -> list[str]:
        """Return the warnings so far."""
        return [event.message for event in self.engine.events if isinstance(event, Warned)]


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    """Return a job that ran once."""
    desk = Desk(tmp_path)
    assert (await desk.run()).exit_code() is Exit.DONE
    return desk


async def test_what_another_tool_put_is_not_replaced(desk: Desk) -> None:
    """The new version of an item waits where its object has foreign bytes: named, exit code 4, until a repair."""
    desk.platform.put("3", b"corrected")
    desk.platform.put("4", b"corrected too")
    await desk.bucket.put("3.json", b"by hand")
    for _ in range(2):
        report = await desk.run()
        assert report.exit_code() is Exit.DAMAGE
        assert "3.json was put there by another tool" in report.problems[0].message
        assert "syncer repair" in (report.problems[0].hint or "")
    assert desk.bucket.objects["3.json"][0] == b"by hand"
    assert await desk.repaired() is Exit.DONE
    assert (desk.bucket.objects["3.json"][0], desk.bucket.objects["4.json"][0]) == (b"corrected", b"corrected too")


async def test_fetching_all_again_writes_over_everything(desk: Desk) -> None:
    """An export has no job to repair: its line with --refetch mends what another tool replaced."""
    await desk.bucket.put("3.json", b"by hand")
    desk.platform.put("4", b"corrected")
    await desk.bucket.put("4.json", b"by hand too")
    assert (await desk.run(refetch=True)).exit_code() is Exit.DONE
    assert desk.bucket.objects["3.json"][0] != b"by hand"
    assert desk.bucket.objects["4.json"][0] == b"corrected"


async def test_a_place_that_somebody_took_stays_his(desk: Desk) -> None:
    """A new item is not written over what another tool put under its name before; the same bytes are fine."""
    await desk.bucket.put("20.json", b"by hand")
    await desk.bucket.put("21.json", b"the same")
    desk.platform.put("21", b"the same")
    assert (await desk.run()).exit_code() is Exit.DONE
    desk.platform.put("20", b"ours")
    report = await desk.run()
    assert report.exit_code() is Exit.DAMAGE
    assert "20.json was put there by another tool" in report.problems[0].message
    assert desk.bucket.objects["20.json"][0] == b"by hand"
    await desk.bucket.delete_many(["20.json"])
    assert (await desk.run()).exit_code() is Exit.DONE
    assert desk.bucket.objects["20.json"][0] == b"ours"


async def test_moved_away_is_enough(desk: Desk) -> None:
    """Once the foreign object is gone, the new version is written, and the gap is named."""
    desk.platform.put("3", b"corrected")
    await desk.bucket.put("3.json", b"by hand")
    assert (await desk.run()).exit_code() is Exit.DAMAGE
    await desk.bucket.delete_many(["3.json"])
    assert (await desk.run()).exit_code() is Exit.DONE
    assert desk.bucket.objects["3.json"][0] == b"corrected"
    assert any("3.json was removed by another tool" in text for text in desk.said())


async def test_what_another_tool_put_is_not_removed(desk: Desk) -> None:
    """An item that is gone upstream takes only its own bytes with it; the others of the batch go."""
    desk.platform.delete("3")
    desk.platform.delete("4")
    await desk.bucket.put("3.json", b"by hand")
    report = await desk.run()
    assert report.exit_code() is Exit.DAMAGE
    assert "3.json was put there" in report.problems[0].message
    assert desk.bucket.objects["3.json"][0] == b"by hand"
    assert "4.json" not in desk.bucket.objects
    await desk.bucket.delete_many(["3.json"])
    assert (await desk.run()).exit_code() is Exit.DONE


async def test_a_copy_without_metadata_is_still_ours(desk: Desk) -> None:
    """A bucket that was copied by a tool which drops metadata has the same bytes, and goes on."""
    desk.bucket.about.clear()
    desk.platform.put("3", b"corrected")
    desk.platform.delete("4")
    assert (await desk.run()).exit_code() is Exit.DONE
    assert desk.bucket.objects["3.json"][0] == b"corrected"
    assert "4.json" not in desk.bucket.objects


async def test_an_object_of_a_dead_run_is_ours(desk: Desk) -> None:
    """A version that was put before a crash, and corrected once more before the next run, is replaced."""
    stale, said = desk.bucket.objects["3.json"], desk.bucket.about["3.json"]
    desk.platform.put("3", b"corrected")
    assert (await desk.run()).exit_code() is Exit.DONE
    # The checkpoint knows "corrected"; what lies there carries our mark with another digest.
    desk.bucket.objects["3.json"], desk.bucket.about["3.json"] = stale, said
    desk.platform.put("3", b"corrected again")
    assert (await desk.run()).exit_code() is Exit.DONE
    assert desk.bucket.objects["3.json"][0] == b"corrected again"


async def test_first_versions_cost_no_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what replaces or removes an object asks for it first: one question for each."""
    asked: list[str] = []
    real = MemoryBlobs.stat

    async def stat(self: MemoryBlobs, name: str) -> object:
        if not name.startswith("_manifest/"):
            asked.append(name)
        return await real(self, name)

    monkeypatch.setattr(MemoryBlobs, "stat", stat)
    desk = Desk(tmp_path)
    await desk.run()
    assert asked == []
    desk.platform.put("3", b"corrected")
    desk.platform.delete("4")
    await desk.run()
    assert sorted(asked) == ["3.json", "4.json"]
