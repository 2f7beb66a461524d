"""How long an archive takes to seal and to publish, by the number of entries that it has already."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncer.flow.write import WORTHWHILE as BATCH
from syncer.model.entries import Content, Entry
from tests.support.archives import Book, zip_sink
from tests.support.stored import key

#: Entries between two seals, and how many seals are looked at in the beginning and in the end.
GROUP, LOOKED_AT = 15 * BATCH, 50


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seconds of one archive."""

    entries: int
    #: Of the first seals and of the last ones.
    first: list[float]
    last: list[float]
    #: From the last seal until readers find the archive under its name.
    publish: float
    #: Bytes after the last entry.
    directory: int

    def as_json(self) -> Mapping[str, Any]:
        """Return what is kept."""
        return {
            "entries": self.entries, "first": self.first, "last": self.last, "publish": self.publish,
            "directory": self.directory,
        }  # fmt: skip


async def sealing(entries: int) -> Sealing:
    """Write small entries, seal them group by group as the engine does, and publish."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        book = Book(zip_sink(folder, durability="batch"))
        session = await book.session()
        seals: list[float] = []
        for start in range(0, entries, BATCH):
            batch = [_entry(number) for number in range(start, min(entries, start + BATCH))]
            await session.write(batch)
            if start % GROUP < BATCH:
                begun = time.perf_counter()
                await session.seal()
                seals.append(time.perf_counter() - begun)
        await book.commit()
        begun = time.perf_counter()
        await book.publish()
        publish = time.perf_counter() - begun
        await book.leave()
        (archive,) = folder.glob("*.zip")
        # 46 bytes and the name are what the format needs at least, an entry.
        directory = entries * (46 + len(_name(0)))
        assert archive.stat().st_size > directory
    return Sealing(entries, seals[1 : 1 + LOOKED_AT], seals[-LOOKED_AT:], publish, directory)


def _name(number: int) -> str:
    return f"item-{number:07d}.json"


def _entry(number: int) -> Entry:
    name = _name(number)
    return Entry(key(name), "1", name, Content(b'{"id": %d, "values": [0.5, 0.25, 0.125]}' % number))
