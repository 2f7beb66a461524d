"""Zip archives in a bucket against a dictionary: the histories of `test_archive_model`, on disks that come and go."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.archive_buckets import WAYS, Bucket
from tests.support.archives import Book
from tests.support.stored import partition
from tests.unit.sinks.archive.test_model import Play, histories


class BucketPlay(Play):
    """The same with a bucket, a copy of which is looked at; whoever dies loses the disk where that may be lost."""

    def __init__(self, folder: Path, way: str, mode: str, limit: int) -> None:
        self.bucket = Bucket.in_memory(way, folder / "local")
        self.bucket.least = 700
        self.options = {"name": "{project}.zip", "mode": mode, "max_part_size": limit}
        self.book = Book(self.bucket.sink(**self.options), (partition("7"), partition("8")))
        self.folder, self.mode, self.way = folder / "copy", mode, way
        self.now, self.committed, self.published = {}, {}, {}

    async def crash(self) -> None:
        """Die; the next process has another disk, but for the spool."""
        await super().crash()
        self.book.sink = self.bucket.sink(**self.options)
        if self.way != "spool":
            shutil.rmtree(self.bucket.spool, ignore_errors=True)

    async def publish(self, die_after: str | None = None) -> None:
        """Publish, and copy the bucket for those who look."""
        shutil.rmtree(self.folder, ignore_errors=True)
        await super().publish(die_after)

    def check(self) -> None:
        """Write what readers see into a folder, then compare."""
        memory = self.bucket.memory
        assert memory is not None
        for name, (data, _) in memory.blobs.objects.items():
            if not name.startswith("."):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_bytes(data)
        super().check()


@given(
    history=histories,
    way=st.sampled_from(WAYS),
    mode=st.sampled_from(["current", "current", "append", "delta"]),
    limit=st.sampled_from([1500, 4000, 1 << 30]),
)
async def test_rule_7_any_history_equals_a_dictionary_in_a_bucket(
    history: list[tuple[str, Any]], way: str, mode: str, limit: int
) -> None:
    """Puts, updates, moves, removals, crashes and deaths inside a publish never change what a publish shows."""
    folder = Path(tempfile.mkdtemp())
    play = BucketPlay(folder, way, mode, limit)
    try:
        for step, detail in [*history, ("publish", None)]:
            await getattr(play, "publish" if step == "die" else step)(*([] if detail is None else [detail]))
        assert play.book.lost == 0
        await play.book.leave()
        assert await play.bucket.private() == []
    finally:
        await play.book.leave()
        shutil.rmtree(folder)
