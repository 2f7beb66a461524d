"""Archives for a bucket that grow in a local folder which outlives the process; they are uploaded when they are staged.

Staging puts the next state of each archive into the private corner of the bucket, under a name that says its content,
so that an upload is never made twice; publishing is a copy inside the bucket. From the moment that a swap list stands
in the checkpoint nothing local is needed any more. Before anything newer is published, what was staged is removed: a
writer that is thought dead, and wakes up in front of its copy, finds nothing to copy.
"""

import shutil
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

from anyio import CapacityLimiter, create_task_group, to_thread
from msgspec.structs import replace

from syncer.blobs.spool import RESERVE
from syncer.model.containers import ENDINGS, LINES, PARQUET
from syncer.model.entries import SpooledFile
from syncer.model.errors import ContainerLost, StoreFailed, SyncerError
from syncer.ports import About, Blobs
from syncer.sinks.archive.corner import ROOT, corner, staged_name, stem_corner, written
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.names import EXTENSION, part_id
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.swap import Swap
from syncer.sinks.archive.token import Mark, read_token

#: Parts that may wait, full, until they are published: a first run of many does not need room for all of them.
PARTS = 8
#: Archives uploaded at once.
_AT_ONCE = 4
#: Space is looked at after every so many bytes.
_LOOK = 64 << 20
#: What an object with many items is, by its ending.
MEDIA = {
    **dict.fromkeys(ENDINGS, About("application/octet-stream")),
    EXTENSION: About("application/zip"),
    LINES["none"]: About("application/x-ndjson"),
    LINES["gz"]: About("application/gzip"),
    LINES["zst"]: About("application/zstd"),
    PARQUET: About("application/vnd.apache.parquet"),
}
Sweep = Callable[[Collection[str]], Awaitable[None]]


class SpoolGrowth:
    """Archives grow in a local folder that is still there after a restart. See the door `Growth`."""

    outlives = True
    #: Share of what may wait from which on it is time to publish.
    _full = 1.0

    def __init__(
        self,
        blobs: Blobs,
        folder: Path,
        limit: int,
        epoch: int,
        *,
        sweep: Sweep | None = None,
        reserve: int = RESERVE,
        ending: str = EXTENSION,
    ) -> None:
        """Take the bucket, the folder, how many bytes may wait there until a publish is asked for, and the epoch.

        `sweep` aborts what uploads of a dead predecessor are under way for some stems.
        """
        self.folder, self._sweep, self._epoch, self._ending = folder, sweep, epoch, ending
        self._blobs, self._limit, self._reserve = blobs, limit, reserve
        self._unseen: int | None = None

    async def restore(self, token: bytes | None, stems: Collection[str]) -> bytes | None:
        """Clear what a dead predecessor left, if nothing is to go on; the files are there, or `resume` misses them.

        Raises:
            ContainerLost: an archive was begun in another way.
        """
        marks = read_token(token)
        if not marks:
            await self._clear(stems)
        elif self._sweep is not None and stems:
            await self._sweep(stems)
        self._check(marks)
        return token

    def _check(self, marks: Mapping[str, Mark]) -> None:
        for name, mark in marks.items():
            if mark.entries and not mark.sha256:
                raise lost(name, "it was begun with `upload: multipart`")

    async def sealed(self, parts: Parts) -> bool:
        """Tell whether much waits; sealing forced it to the local disk."""
        return sum(fresh.size for _, fresh in parts.growing) >= self._limit * self._full

    def token(self, token: bytes) -> bytes:
        """Return it as it is."""
        return token

    def gather(self, fresh: Fresh) -> None:
        """Do nothing: they all are in the folder."""

    async def staged(self, parts: Parts, swaps: Sequence[Swap]) -> list[Swap]:  # noqa: ARG002  # others look at them
        """Upload what is staged, but for what is there already.

        Raises:
            StoreFailed: the bucket does not take it.
        """
        done: dict[str, Swap] = {}
        limiter, failed = CapacityLimiter(_AT_ONCE), list[SyncerError | OSError]()

        async def upload(swap: Swap) -> None:
            try:
                async with limiter:
                    done[swap.name] = await self._uploaded(swap)
            except (SyncerError, OSError) as error:
                failed.append(error)
                uploads.cancel_scope.cancel()

        async with create_task_group() as uploads:
            for swap in swaps:
                uploads.start_soon(upload, swap)
        if failed:
            raise failed[0]
        return [done[swap.name] for swap in swaps]

    async def _uploaded(self, swap: Swap) -> Swap:
        if swap.temp is None or swap.temp.startswith(f"{ROOT}/"):
            return swap
        now = replace(swap, temp=staged_name(swap.name, self._epoch, swap.sha256))
        before = replace(swap, temp=staged_name(swap.name, self._epoch - 1, swap.sha256))
        if await self.holds(now):
            return now
        if await self.holds(before):  # uploaded by a process that died before it could say so
            await self._blobs.copy(before.temp or "", now.temp or "")
        else:
            file = SpooledFile(self.folder / swap.temp, swap.size, swap.sha256)
            await self._blobs.put_many(
                [(now.temp or "", file)], corner(swap.name, self._epoch), about=[MEDIA[self._ending]]
            )
        return now

    async def holds(self, swap: Swap) -> bool:
        """Tell whether what was staged lies in the corner."""
        there = None if swap.temp is None else await self._blobs.stat(swap.temp)
        return there is not None and there.size == swap.size

    async def put_in_place(self, swap: Swap) -> str:
        """Copy inside the bucket, over what was published before and over nothing else."""
        return await self._blobs.copy(swap.temp or "", swap.name, create=swap.old_tag is None, match=swap.old_tag)

    async def settled(self, names: Collection[str], *, last: bool) -> None:
        """Clear the corners of these archives; of all archives of their stems if nothing else waits."""
        if last:
            await self._clear({part_id(name).stem for name in names})
            return
        for name in names:
            for epoch in self._epochs(name):
                await self._blobs.remove_all(corner(name, epoch))

    def _epochs(self, name: str) -> Collection[int]:  # noqa: ARG002  # others know more of them
        """Return whose corners hold what an archive grew from."""
        return (self._epoch,)

    async def room(self, size: int) -> None:
        """Look whether the disk has room, before the first bytes and then now and then.

        Raises:
            StoreFailed: it is nearly full.
        """
        if self._unseen is not None and self._unseen + size < _LOOK:
            self._unseen += size
            return
        self._unseen = size
        free = await to_thread.run_sync(_free, self.folder)
        if free < self._reserve + size:
            message = f"the disk of {self.folder}, where archives grow, is nearly full: {free >> 20:,} MiB left"
            hint = "free some space, choose another folder for the spool, or `upload: volumes`"
            raise StoreFailed(message, hint=hint)

    async def _clear(self, stems: Collection[str]) -> None:
        for stem in sorted(stems):
            await self._blobs.remove_all(stem_corner(stem, self._ending), until=written(self._epoch))


def _free(folder: Path) -> int:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free


def lost(name: str, why: str) -> ContainerLost:
    """Return the error for an unpublished archive that can't be brought back."""
    return ContainerLost(f"what was new for {name} is gone: {why}")
