"""Archives for a bucket that grow on a small disk, or in memory, which need not outlive the process.

Each seal puts what is new into the bucket's private corner, as one object (see `journal`); the next process
fetches that back and goes on. What waits is bounded by the size of one part: when it is full, a publish is asked for.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from syncer.blobs.spool import open_spool
from syncer.ports import Blobs
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.journal import Journal, same_place
from syncer.sinks.archive.names import EXTENSION
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.places import Part
from syncer.sinks.archive.spool import SpoolGrowth, Sweep, lost
from syncer.sinks.archive.token import Chain, Mark, read_chains, read_token, with_chains, write_token


class VolumesGrowth(SpoolGrowth):
    """Archives grow in a folder that goes with the process. See the door `Growth`."""

    outlives = False
    #: A part is published a little before it is full: what comes with the same seal still has room in it.
    _full = 0.875

    def __init__(
        self, blobs: Blobs, folder: Path, limit: int, epoch: int, *, sweep: Sweep | None = None, ending: str = EXTENSION
    ) -> None:
        """Take the same as the spool."""
        super().__init__(blobs, folder, limit, epoch, sweep=sweep, ending=ending)
        self._journals: dict[str, Journal] = {}

    async def restore(self, token: bytes | None, stems: Collection[str]) -> bytes | None:
        """Bring back what was sealed.

        Raises:
            ContainerLost: a piece of it is gone.
        """
        await super().restore(token, stems)
        chains = read_chains(token)
        marks = {
            name: await self._restored(name, mark, chains.get(name, ())) for name, mark in read_token(token).items()
        }
        return self.token(write_token(marks)) if marks else token

    def token(self, token: bytes) -> bytes:
        """Say whose corners the journals lie in."""
        return with_chains(token, {name: journal.chain for name, journal in self._journals.items()})

    def _epochs(self, name: str) -> Collection[int]:
        journal = self._journals.get(name)
        return {self._epoch, *(epoch for epoch, _ in (journal.chain if journal else ()))}

    async def _restored(self, name: str, mark: Mark, chain: Chain) -> Mark:
        journal = self._journals[name] = Journal(self._blobs, name, self._epoch, chain)
        if any("upload" in head for head in await journal.restore(mark, self.folder / name)):
            raise lost(name, "it was begun with `upload: multipart`")
        return mark

    async def sealed(self, parts: Parts) -> bool:
        """Put what is new into the bucket; tell whether a part is full."""
        for part, fresh in parts.growing:
            journal = self._journals.setdefault(part.name, Journal(self._blobs, part.name, self._epoch))
            if not same_place(fresh.sealed, journal.mark):
                await self._kept(journal, part, fresh)
        return await super().sealed(parts)

    async def _kept(self, journal: Journal, part: Part, fresh: Fresh) -> None:  # noqa: ARG002  # others look at it
        await journal.append(fresh, self.folder)

    async def settled(self, names: Collection[str], *, last: bool) -> None:
        """Forget the journals of these archives, too."""
        await super().settled(names, last=last)
        for name in names:
            self._journals.pop(name, None)


@asynccontextmanager
async def passing_folder(spool: Path) -> AsyncIterator[Path]:
    """Take a private folder that is removed in the end, and by the next process if this one dies."""
    async with open_spool(spool / "volumes") as corner:
        yield corner.corner
