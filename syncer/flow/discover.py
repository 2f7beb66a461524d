"""Listing: pages of a unit's partitions, in a fixed order, read ahead of the planner.

Partitions are listed side by side, a few ahead, but their pages come out partition by partition: the
emission order, and with it every settled name, is the same in every run.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import anyio
import msgspec
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec.structs import replace

from syncer.flow.job import Job, RunOptions
from syncer.model.checkpoint import PartitionState
from syncer.model.entries import Leg
from syncer.model.errors import SyncerError
from syncer.model.events import Emit, PageListed
from syncer.model.refs import Cursor, GroupKey, ItemKey, Page, Partition, PartitionKey, Piece
from syncer.model.running import works_on
from syncer.ports import Ledger

#: What comes out of a listing: a page, or the error that ended it.
Listed = Page | SyncerError


def spared(job: Job, options: RunOptions) -> frozenset[str]:
    """Return the kinds of items whose absence from a listing means nothing: options of the source leave them out."""
    return frozenset() if options.prune else job.source.features.unlisted


class LedgerKnown(msgspec.Struct, frozen=True):
    """`ports.Known` on a ledger."""

    ledger: Ledger
    partition: PartitionKey
    live: int
    full: bool
    refetch: bool
    #: Kinds that are not listed: the source need not know of what is stored of them.
    spared: frozenset[str] = frozenset()

    async def has(self, keys: Sequence[ItemKey]) -> frozenset[ItemKey]:
        """Return those of the keys that are live or owed in every leg."""
        return await self.ledger.has(keys)

    async def members(self, groups: Sequence[GroupKey]) -> Mapping[GroupKey, frozenset[ItemKey]]:
        """Return the live members that any leg stores of each group."""
        members = await self.ledger.members(self.partition, groups)
        if not self.spared:
            return members
        return {group: frozenset(k for k in keys if k.kind not in self.spared) for group, keys in members.items()}


class Listing(msgspec.Struct, frozen=True):
    """One partition being listed."""

    partition: Partition
    #: How the pass begins, see `CommitGroup.began`; None: it goes on from where an earlier run stood.
    began: bool | None
    pages: MemoryObjectReceiveStream[Listed]


def position(state: PartitionState, live: frozenset[Leg], options: RunOptions) -> tuple[Cursor | None, bool | None]:
    """Return the cursor to list from, and how the pass begins (None: an unfinished one goes on).

    Absence proves deletion only for a pass that every leg saw from its beginning. Legs that stand at different
    cursors (one failed before) are served from the weakest, in a pass that never subtracts.
    """
    if options.relist or options.refetch or state.weakest is None:
        return None, True
    cursors = {state.cursors.get(leg) for leg in live}
    if len(cursors) > 1:
        return state.weakest, False
    return state.weakest, (True if state.tracking is None else None)


async def listings(
    group: TaskGroup, job: Job, partitions: tuple[Partition, ...], ledger: Ledger, live: frozenset[Leg],
    options: RunOptions, emit: Emit, *, lean: bool = False,
) -> AsyncGenerator[Listing]:  # fmt: skip
    """Yield the listings of a unit in order, the next few already under way.

    `lean`: the caller only counts; a source that would list whole documents at first lists references instead.
    """
    ahead = anyio.Semaphore(job.listing_ahead)
    queue: list[Listing] = []
    try:
        for partition in partitions:
            while len(queue) >= job.listing_ahead:
                yield queue.pop(0)
            state = await ledger.partition(partition.key, live)
            since, began = position(state, live, options)
            if options.prune and job.source.features.unlisted:
                # What is not looked for any more goes only by its absence from a complete listing.
                since, began = None, True
            held = min((state.live.get(leg, 0) for leg in live), default=0) + state.owed
            full = options.relist or (lean and not held)
            known = LedgerKnown(
                ledger, partition.key, live=held, full=full, refetch=options.refetch, spared=spared(job, options)
            )
            # The next page waits in the listing's own hand: that is ahead enough, and each may be a megabyte.
            send, receive = anyio.create_memory_object_stream[Listed](0)
            group.start_soon(_list, job, partition, since, known, send, ahead, emit)
            queue.append(Listing(partition, began, receive))
        while queue:
            yield queue.pop(0)
    finally:
        # Whoever takes no more leaves listings behind.
        for listing in queue:
            listing.pages.close()


async def _list(
    job: Job, partition: Partition, since: Cursor | None, known: LedgerKnown,
    out: MemoryObjectSendStream[Listed], ahead: anyio.Semaphore, emit: Emit,
) -> None:  # fmt: skip
    async with out, ahead:
        try:
            async with aclosing(_context(job, partition)) as context:
                async for page in context:
                    await out.send(page)
            async with aclosing(job.source.discover(partition, since, known, job.select)) as pages:
                while True:
                    # A page of its own, each time: what is asked for it belongs to it.
                    this = Piece(partition.key)
                    with works_on(this):
                        found = await anext(pages, None)
                        if found is None:
                            break
                        emit(PageListed(partition.key, len(found.refs), found.total, found.end is not None))
                    end, page, found = found.end, replace(found, piece=this), None
                    await out.send(page)
                    if end is not None:
                        return
                    # Not held until the next one is there.
                    del page
            message = f"the listing of {partition.key} stopped without saying that it was complete"
            await out.send(SyncerError(message))
        except SyncerError as error:
            await out.send(error)
        except anyio.BrokenResourceError:
            # The planner takes in no more (a drain): what is not read is listed again next time.
            return


async def _context(job: Job, partition: Partition) -> AsyncGenerator[Page]:
    refs = [ref async for ref in job.source.context(partition)]
    if refs:
        yield Page(refs=tuple(refs))
