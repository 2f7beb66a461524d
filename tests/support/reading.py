"""Destinations to read from: one platform's items in sinks of every shape, and what a reader has to find there."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from syncer.app.reading import read
from syncer.model.entries import Annotation
from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine

#: Options of a sink of each shape, by a name for it.
SHAPES: Mapping[str, Mapping[str, object]] = {
    "prefix": {"type": "prefix"},
    "keep": {"type": "prefix", "versions": "keep"},
    "current": {"type": "zip", "name": "all.zip", "max_part_size": 65536},
    "append": {"type": "zip", "name": "all.zip", "max_part_size": 65536, "mode": "append"},
    "delta": {"type": "zip", "name": "all.zip", "max_part_size": 65536, "mode": "delta"},
}
#: Those where a former generation stays as it was.
LASTING = ("keep", "append", "delta")


class Stored:
    """One platform, synced into one destination again and again."""

    def __init__(self, folder: Path, shape: str, items: int = 20, *, url: str | None = None, size: int = 300) -> None:
        """Begin with some items on the platform, and nothing stored."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.platform = folder, MemoryPlatform(items, size=size)
        self.url = url or (folder / "labels").as_uri()
        self.name = "job"
        self.options: dict[str, object] = {"url": self.url, **SHAPES[shape]}

    def engine(self) -> Engine:
        """Return a process that syncs."""
        return Engine(self.folder, MemorySource(self.platform), sinks={"labels": self.options}, name=self.name)

    async def sync(self) -> int:
        """Run once; return the generation that readers find."""
        report = await self.engine().run()
        assert report.exit_code() is Exit.DONE, report.problems
        async with read(self.url) as labels:
            return labels.generation

    def truth(self) -> dict[str, str]:
        """Return the digest of each finished item, as the platform has it now."""
        return {
            item.key.item: hashlib.sha256(item.body).hexdigest()
            for item in self.platform.items.values()
            if item.withdrawn is None and not item.deleted
        }


def digests(found: Sequence[Annotation]) -> dict[str, str]:
    """Return the digest of each document that was read; each item may be read once."""
    assert len({each.key for each in found}) == len(found)
    return {each.key.item: hashlib.sha256(each.content).hexdigest() for each in found if each.key.kind == "annotation"}
