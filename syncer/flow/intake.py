"""Intake: listing, planning and fetching of one unit, up to the channel that feeds its writer.

Everything here can be cancelled at any moment without harm: what did not reach the writer is listed again.
"""

from collections.abc import Sequence
from contextlib import aclosing, suppress

import anyio
import msgspec

from syncer.flow.account import counted
from syncer.flow.channel import Channel
from syncer.flow.discover import Listing, listings
from syncer.flow.drain import Drain, Meter
from syncer.flow.fetch import Failed, Fetcher, Message, Passed
from syncer.flow.frontier import Wanted
from syncer.flow.job import Job, RunOptions
from syncer.flow.plan import Planned, Planner
from syncer.flow.queue import Queue
from syncer.model.entries import Leg
from syncer.model.errors import PartitionGone, RunFailed, SyncerError
from syncer.model.events import Emit, PartitionFrozen
from syncer.model.refs import ItemKey, Page, Partition
from syncer.ports import Clock, Ledger

#: Owed items read from the ledger at once.
OWED_BATCH = 500

#: Planned items that may wait for each fetcher, so that none is idle while the next page is compared.
AHEAD = 4


class Intake(msgspec.Struct):
    """The first half of the line for one unit."""

    job: Job
    partitions: tuple[Partition, ...]
    ledger: Ledger
    live: frozenset[Leg]
    planner: Planner
    fetcher: Fetcher
    channel: Channel[Message]
    meter: Meter
    drain: Drain
    options: RunOptions
    clock: Clock
    emit: Emit
    #: The first error that ended a listing; the others went on.
    error: SyncerError | None = None

    async def work(self) -> None:
        """List, plan and fetch until all is through, or the drain starts; then close the channel."""
        try:
            async with anyio.create_task_group() as stopper:
                stopper.start_soon(self._stop_on_drain, scope := anyio.CancelScope())
                with scope:
                    await self._through()
                stopper.cancel_scope.cancel()
        finally:
            self.channel.close()

    async def _stop_on_drain(self, scope: anyio.CancelScope) -> None:
        await self.drain.wait_for_fetches()
        scope.cancel()

    async def _through(self) -> None:
        waiting = max(1, AHEAD * self.job.fetchers // self.job.source.features.batch)
        left = self.job.fetchers

        def hire() -> None:
            # As they are needed: a unit that has nothing to fetch costs none.
            nonlocal left
            if left:
                left -= 1
                fetchers.start_soon(self.fetcher.work, queue)

        queue = Queue[Sequence[Wanted]](waiting, hire)
        async with anyio.create_task_group() as fetchers:
            async with anyio.create_task_group() as listing:
                await self._replay(queue)
                listed = listings(listing, self.job, self.partitions, self.ledger, self.live, self.options, self.emit)
                async with aclosing(listed):
                    async for each in listed:
                        if self.drain.started:
                            each.pages.close()
                            break
                        await self._take(each, queue)
                listing.cancel_scope.cancel()
            queue.close()

    async def _take(self, listing: Listing, queue: Queue[Sequence[Wanted]]) -> None:
        first = True
        async with listing.pages:
            while True:
                page = await self._next(listing)
                if page is None:
                    return
                planned = await self.planner.plan(listing, page, first=first)
                first = False
                # From here on an item lives as long as somebody works on it, not as long as its page.
                del page
                await self._dispatch(planned, queue)
                del planned
                if not self.meter.admits():
                    return

    async def _next(self, listing: Listing) -> Page | None:
        """Return the next page; None at the end of the listing, on its error, or when the drain starts."""
        got: list[Page | SyncerError] = []

        async def receive(scope: anyio.CancelScope) -> None:
            with suppress(anyio.EndOfStream):
                got.append(await listing.pages.receive())
            scope.cancel()

        if self.drain.started:
            return None
        async with anyio.create_task_group() as group:
            group.start_soon(receive, group.cancel_scope)
            await self.drain.wait()
            group.cancel_scope.cancel()
        if not got:
            return None
        if isinstance(got[0], SyncerError):
            self._listing_failed(listing.partition, got[0])
            return None
        return got[0]

    def _listing_failed(self, partition: Partition, error: SyncerError) -> None:
        account = self.planner.account
        if isinstance(error, PartitionGone):
            account.complete = False
            account.frozen.append(str(partition.key))
            self.emit(PartitionFrozen(partition.key, 0, str(error)))
            return
        if isinstance(error, RunFailed):
            raise error
        self.error = self.error or error
        account.trouble(error)

    async def _dispatch(self, planned: Planned, queue: Queue[Sequence[Wanted]]) -> None:
        inline = [item for item in planned.wanted if item.ref.inline is not None]
        rest = [item for item in reversed(planned.wanted) if item.ref.inline is None]
        planned.wanted.clear()
        for broken in planned.broken:
            broken.wanted.sent = True
            await self.channel.send(Failed(broken.wanted, broken.reason, broken.settled), 0)
        admitted = self._admitted(inline)
        await self.fetcher.inline(admitted)
        del inline, admitted
        # Whole batches: one by one, every idle fetcher would take a single item, and spend a request on it.
        batch = self.job.source.features.batch
        while rest:
            items = self._admitted([rest.pop() for _ in range(min(batch, len(rest)))])
            if not items:
                break
            if not queue.put_nowait(items):
                await queue.put(items)
        passed = Passed(planned.ticket)
        await self.channel.send(passed, passed.size)

    def _admitted(self, items: Sequence[Wanted]) -> list[Wanted]:
        admitted: list[Wanted] = []
        for item in items:
            if not self.meter.admits():
                break
            self.meter.items += counted(item.ref.key)
            self.meter.size += item.ref.size or len(item.ref.inline or b"")
            admitted.append(item)
        return admitted

    async def _replay(self, queue: Queue[Sequence[Wanted]]) -> None:
        """Send owed items of earlier runs first."""
        by_key = {partition.key: partition for partition in self.partitions}
        met: set[ItemKey] = set()
        for leg in sorted(self.live):
            after = None
            while owed := await self.ledger.owed(leg, OWED_BATCH, after):
                after = owed[-1].key
                # What several legs owe is fetched once, for all of them.
                owed = [item for item in owed if item.key not in met]
                met.update(item.key for item in owed)
                if self.options.patient:
                    now = self.clock.now()
                    self.planner.rest([item for item in owed if item.next is not None and item.next > now])
                    owed = [item for item in owed if item.next is None or item.next <= now]
                for partition in by_key.values():
                    mine = [item for item in owed if item.key.partition == partition.key]
                    if mine:
                        await self._dispatch(await self.planner.replay(partition, mine), queue)
