"""One unit of archives open for writing: the door `SinkSession`, one thread hop a batch."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeVar, TypeVarTuple

from anyio import CancelScope, CapacityLimiter, to_thread

from syncer.model.entries import Container, Entry, Leg, Published, Receipt, Removals, Seal, StoredRow
from syncer.model.errors import LegFailed
from syncer.model.refs import ItemKey, Partition, PartitionKey
from syncer.ports import Blobs
from syncer.sinks.archive.compact import SHARE, Compaction, Plan, plan
from syncer.sinks.archive.growth import Growth
from syncer.sinks.archive.names import Naming, part_id
from syncer.sinks.archive.parts import Parts
from syncer.sinks.archive.publish import carry_out
from syncer.sinks.archive.swap import Swap, decode_swaps, encode_swaps
from syncer.sinks.archive.token import read_token
from syncer.sinks.failures import destination

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class ArchiveSession:
    """Writing, sealing and publishing the archives of one unit; one owner. Made by `ArchiveSink.session`."""

    def __init__(
        self, leg: Leg, parts: Parts, growth: Growth, blobs: Blobs, naming: Naming, partitions: Sequence[Partition]
    ) -> None:
        """Take the open archives, and how they grow; nothing is read or written yet."""
        self._leg, self._parts, self._growth, self._blobs, self._naming = leg, parts, growth, blobs, naming
        parts.gather = growth.gather
        # Where the disk is that may be full: the destination's own, or that of the spool.
        self._disk = blobs.url if blobs.folder is not None else growth.folder.as_uri()
        self._partitions: Mapping[PartitionKey, Partition] = {partition.key: partition for partition in partitions}
        self._stems: dict[tuple[str, str | None, str | None], str] = {}
        # One worker at a time: the archives have one owner. Large entries are packed beside it, see `packing`.
        self._limiter = CapacityLimiter(1)
        self._receipts: list[Receipt] = []
        self._broken: LegFailed | None = None
        #: The list that `publish` may carry out, the archives that are through with it, and what `settle` then forgets.
        self._staged: bytes | None = None
        self._covered: list[str] = []
        self._settled: list[str] = []
        self._token: bytes | None = None

    async def resume(self, token: bytes | None) -> None:
        """Open the archives where a token says.

        Raises:
            ContainerLost, SettingsError, LegFailed: see `Parts.resume`.
        """
        stems = {self._stem_of(key) for key in self._partitions}
        with destination(self._leg, self._blobs.url):
            token = await self._growth.restore(token, stems)
        await self._work(self._parts.resume, token, stems)

    def roll_forward(self, token: bytes | None, staged: bytes) -> None:
        """Open the archives before a swap list that stands in the checkpoint: `publish` comes first."""
        self._token, self._staged = token, staged
        self._covered = sorted({swap.name for swap in decode_swaps(staged)} | read_token(token).keys())

    async def write(self, entries: Sequence[Entry]) -> None:
        """Accept entries; not yet durable. The same path again replaces.

        Raises:
            LegFailed: disk full, permission, or the like.
            SettingsError: a path is no item's (nothing was accepted), or the archive's name is taken by a foreign one.
        """
        self._void()
        with destination(self._leg, self._blobs.url):
            await self._growth.room(sum(entry.size for entry in entries))
        self._receipts += await self._work(self._parts.put, entries, self._stem_of)

    async def remove(self, rows: Removals) -> None:
        """Take entries out; in archives that stay as they are, count them as dead. Idempotent."""
        self._void()
        await self._work(self._parts.drop, rows)

    async def erase(self, rows: Removals, former: Removals) -> None:
        """Take entries out of whichever archive they lie in, published or not. Idempotent."""
        self._void()
        await self._work(self._parts.erase, rows, former)

    async def seal(self) -> Seal:
        """Make durable all that was accepted so far; return its receipts."""
        if self._parts.pending:
            self._void()
        token = await self._work(self._parts.seal)
        with destination(self._leg, self._blobs.url):
            full = await self._growth.sealed(self._parts)
        receipts, self._receipts = tuple(self._receipts), []
        return Seal(receipts, self._growth.token(token), full=full)

    async def stage(self) -> bytes | None:
        """Build the archives that publishing will swap in; see the door.

        Raises:
            DestinationChanged: a published archive is not what was published.
            LegFailed: disk full, or the like; what is sealed stays as it is.
        """
        self._covered = self._parts.sealed()
        swaps = await self._work(self._parts.stage)
        if swaps is not None:
            with destination(self._leg, self._blobs.url):
                swaps = await self._growth.staged(self._parts, swaps)
        self._staged = None if swaps is None else encode_swaps(swaps)
        return self._staged

    async def publish(self, swaps: bytes) -> Published:
        """Carry out a swap list. Idempotent: rolls forward from any point.

        Raises:
            DestinationChanged: what stands there is neither the old state nor the new one.
        """
        ours = swaps == self._staged
        done: list[tuple[Swap, Container | None]] = []
        with destination(self._leg, self._blobs.url):
            for swap in decode_swaps(swaps):
                again = self._restage if ours else None
                done.append((swap, await carry_out(self._blobs, self._parts.store, self._growth, swap, again)))
        self._parts.published(done)
        if ours:
            self._settled = self._covered
        containers = tuple(container for _, container in done if container is not None)
        dropped = tuple(swap.name for swap, _ in done if swap.drop)
        token = self._growth.token(self._parts.token(without=self._settled))
        return Published(containers, dropped, token, worn=self._parts.worn)

    async def settle(self) -> None:
        """Remove what only the old position needed. Idempotent."""
        names, self._settled, self._staged, self._token = self._settled, [], None, None
        if names:
            await self._work(self._parts.settle, names)
            with destination(self._leg, self._blobs.url):
                await self._growth.settled(names, last=not self._parts.growing)

    async def compact(
        self,
        rows: AsyncIterator[Sequence[StoredRow]],
        commit: Callable[[Seal], Awaitable[None]],
        *,
        share: float = SHARE,
        only: Collection[str] | None = None,
        spare: Collection[str] = (),
    ) -> int:
        """Squeeze dead entries out and merge small parts, given all live rows of the unit; return entries dropped.

        With `only`, these archives are squeezed, and none merged. Those of `spare` stay as they are.

        `commit` stores each seal: its receipts say which items have a new archive. Stage, publish and settle follow.

        Raises:
            DestinationChanged: an entry is not where its row says.
        """
        if self._parts.sealed() or self._parts.pending:
            message = "publish() comes before compact()"
            raise RuntimeError(message)
        rules, stems = self._parts.rules, {self._stem_of(key) for key in self._partitions}
        mine = [one for one in self._parts.archives() if part_id(one.name).stem in stems and one.name not in spare]
        chosen = plan(mine, rules.limit, merge=rules.mode != "delta", share=share)
        if only is not None:
            chosen = Plan(frozenset(one.name for one in mine if one.name in only and one.dead), {})
        work = Compaction(self._parts, chosen)
        try:
            async for batch in rows:
                self._void()
                receipts = await self._work(work.take, batch)
                self._receipts += receipts
                if receipts:
                    await commit(await self.seal())
            dropped = await self._work(work.finish)
        finally:
            work.close()
        if dropped:
            await commit(await self.seal())
        return dropped

    async def close(self) -> None:
        """Give the files back, as they are."""
        with CancelScope(shield=True):
            await to_thread.run_sync(self._parts.close, limiter=self._limiter)

    def _void(self) -> None:
        """Forget a staged list: what comes now is not in it."""
        if self._settled:
            message = "settle() comes between publish() and the next write"
            raise RuntimeError(message)
        self._staged = None

    async def _restage(self, name: str) -> Swap | None:
        if self._token is not None:
            self._token = await self._growth.restore(self._token, ())
        swap = await self._work(self._parts.restage, self._token, name)
        return None if swap is None else (await self._growth.staged(self._parts, [swap]))[0]

    def _stem_of(self, key: ItemKey | PartitionKey) -> str:
        parts = (key.project, key.batch, key.annotation_type)
        stem = self._stems.get(parts)
        if stem is None:
            partition = PartitionKey(*parts)
            stem = self._naming.stem_of(self._partitions.get(partition) or Partition(partition))
            self._stems[parts] = stem
        return stem

    async def _work(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        if self._broken is not None:
            raise self._broken
        try:
            with destination(self._leg, self._disk):
                return await to_thread.run_sync(function, *args, limiter=self._limiter)
        except LegFailed as error:
            self._broken = error
            raise
