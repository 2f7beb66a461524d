"""The dry run: the same discovery and comparison as a run, with no lease, no fetch and nothing written."""

from collections import Counter

import anyio
import msgspec

from syncer.flow.account import counted
from syncer.flow.discover import Listing, listings, spared
from syncer.flow.frontier import Frontier
from syncer.flow.job import RunOptions
from syncer.flow.layouts import check_layout
from syncer.flow.plan import Planned, Planner
from syncer.flow.suppress import suppression
from syncer.flow.unit import Pass
from syncer.flow.units import group, in_shard
from syncer.model.checkpoint import Action
from syncer.model.entries import Leg
from syncer.model.errors import SyncerError
from syncer.ports import Ledger, Unit


class LegPreview(msgspec.Struct):
    """What one sink would be given."""

    new: int = 0
    changed: int = 0
    #: Items that are no longer listed, where the listing proved it.
    gone: int = 0
    withdrawn: int = 0
    #: Owed by earlier runs, replayed first.
    owed: int = 0


class Preview(msgspec.Struct):
    """What a run would do now."""

    job: str
    partitions: int = 0
    listed: int = 0
    unchanged: int = 0
    #: Documents to fetch, the requests that this takes, and their bytes as far as the listing says.
    fetches: int = 0
    requests: int = 0
    bytes: int = 0
    #: Documents whose size the listing does not say.
    unsized: int = 0
    legs: dict[Leg, LegPreview] = msgspec.field(default_factory=dict)
    #: Why items count as changed: the name of the option, or "version".
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    problems: list[str] = msgspec.field(default_factory=list)


async def preview(this: Pass) -> Preview:
    """Compare everything that is selected with the checkpoint.

    Raises:
        SyncerError: the platform or the settings do not allow it.
    """
    result = Preview(this.job.name, legs={sink.name: LegPreview() for sink in this.job.sinks})
    await check_layout(this.job, this.store, this.options, remember=False)
    this.shelved = await suppression(this.job, this.store, heal=False)
    partitions = [partition async for partition in this.job.source.partitions(this.job.select)]
    result.partitions = len(partitions)
    for unit in group(partitions, this.job.sinks):
        if in_shard(unit, this.options.shard):
            await _unit(this, unit, result)
    result.listed = this.account.counts.listed
    result.unchanged = this.account.counts.unchanged
    return result


async def _unit(this: Pass, unit: Unit, result: Preview) -> None:
    specs = [this.job.leg_spec(sink) for sink in this.job.sinks]
    async with this.store.peek(this.job.name, unit, specs) as ledger:
        sinks = {sink.name: sink for sink in this.job.sinks}
        planner = Planner(this.job, sinks, ledger, Frontier(), this.account, this.options, this.emit)
        planner.suppressed, planner.redacting = this.suppressed, this.redacting
        options = RunOptions(relist=this.options.relist, refetch=this.options.refetch, prune=this.options.prune)
        async with anyio.create_task_group() as tasks:
            listed = listings(tasks, this.job, unit.partitions, ledger, frozenset(sinks), options, this.emit, lean=True)
            async for listing in listed:
                await _partition(planner, listing, ledger, result)
            tasks.cancel_scope.cancel()
        result.reasons.update(planner.reasons)
        for name, leg in result.legs.items():
            gone, withdrawn = await ledger.doomed_count(name)
            leg.gone += gone
            leg.withdrawn += withdrawn
            leg.owed += sum([(await ledger.partition(partition.key)).owed for partition in unit.partitions])


class _Tally(msgspec.Struct):
    """What one listing showed, each item once: a pass may show a page again. Keys by their hashes, to save memory."""

    met: set[int] = msgspec.field(default_factory=set)
    gone: set[int] = msgspec.field(default_factory=set)
    withdrawn: set[int] = msgspec.field(default_factory=set)
    #: Of the met, by leg: not among its live items.
    fresh: dict[Leg, set[int]] = msgspec.field(default_factory=dict)

    def note(self, planned: Planned) -> None:
        """Take in one page."""
        ticket = planned.ticket
        self.met.update(hash(key) for key in ticket.seen if counted(key))
        self.gone.update(hash(key) for key, cause, _ in ticket.doomed if cause == "gone")
        self.withdrawn.update(hash(key) for key, cause, _ in ticket.doomed if cause == "withdrawn")
        for item in planned.wanted:
            for leg, verdict in item.verdicts.items():
                if verdict.stored is None or verdict.stored.withdrawn is not None:
                    self.fresh.setdefault(leg, set()).add(hash(item.ref.key))

    def absent(self, leg: Leg, live: int) -> int:
        """Return how many of the live items of a leg a full listing did not show at all."""
        return max(0, live - len((self.met | self.gone) - self.fresh.get(leg, set())))


async def _partition(planner: Planner, listing: Listing, ledger: Ledger, result: Preview) -> None:
    tally, first, full = _Tally(), True, False
    async with listing.pages:
        async for page in listing.pages:
            if isinstance(page, SyncerError):
                result.problems.append(f"{listing.partition.key}: {page}")
                break
            planned = await planner.plan(listing, page, first=first)
            first = False
            _add(planner, planned, result)
            tally.note(planned)
            full = full or page.end == "full"
    state = await ledger.partition(listing.partition.key, frozenset(result.legs))
    # What nobody looks for is not absent.
    left_out = await ledger.count(listing.partition.key, spared(planner.job, planner.options))
    for name, leg in result.legs.items():
        leg.withdrawn += len(tally.withdrawn)
        leg.gone += len(tally.gone) + (tally.absent(name, state.live.get(name, 0) - left_out[name]) if full else 0)


def _add(planner: Planner, planned: Planned, result: Preview) -> None:
    away = 0
    # Context documents come with their listing, and are no labels: like a run, a preview does not count them.
    for item in (each for each in planned.wanted if counted(each.ref.key)):
        for leg, verdict in item.verdicts.items():
            result.legs[leg].new += verdict.action is Action.NEW
            result.legs[leg].changed += verdict.action is Action.CHANGED
        result.fetches += 1
        away += item.ref.inline is None
        size = item.ref.size if item.ref.size is not None else len(item.ref.inline or b"")
        result.bytes += size
        result.unsized += not size
    result.requests += -(-away // planner.job.source.features.batch)
