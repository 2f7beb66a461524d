"""One unit from lease to manifest: intake and writer side by side, then deletions, publish, HEAD."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

import anyio
import msgspec
from msgspec.structs import replace

from syncer.flow.account import Account, Traffic
from syncer.flow.channel import Channel
from syncer.flow.compact import compact_leg
from syncer.flow.discover import spared
from syncer.flow.drain import Drain, Meter
from syncer.flow.fetch import Fetcher, Message, Outcomes
from syncer.flow.first import first
from syncer.flow.frontier import Frontier
from syncer.flow.intake import Intake
from syncer.flow.job import Job, RunOptions
from syncer.flow.legs import Legs, open_leg
from syncer.flow.plan import Planner
from syncer.flow.publish import Heads, Publisher
from syncer.flow.rebuild import recover
from syncer.flow.redact import Redacting
from syncer.flow.remove import Remover
from syncer.flow.restate import expect_manifest
from syncer.flow.room import Room
from syncer.flow.suppress import Shelved, refuse_underway, remembered
from syncer.flow.transform import Shaper
from syncer.flow.write import Writer
from syncer.model.entries import Leg
from syncer.model.errors import LegFailed, RunFailed, SyncerError
from syncer.model.events import Emit, UnitEnded, UnitStarted
from syncer.model.refs import PartitionKey
from syncer.model.suppression import Suppression
from syncer.ports import Claim, Clock, Ledger, Spool, StateStore, Unit


class Pass(msgspec.Struct):
    """What all units of one run share."""

    job: Job
    run: str
    store: StateStore
    options: RunOptions
    account: Account
    outcomes: Outcomes
    room: Room
    drain: Drain
    meter: Meter
    spool: Spool
    clock: Clock
    emit: Emit
    traffic: Traffic
    #: Units of the whole run, for progress.
    units: int = 1
    #: Generations that the manifests had when the last run ended.
    reached: Mapping[Leg, int] = msgspec.field(default_factory=dict)
    #: What was erased and may not come back; None: nobody asked yet, since this is a part of a run.
    shelved: Shelved | None = None
    #: What is dropped from documents and columns.
    redacting: Redacting | None = None
    #: Legs whose destination this run opened.
    touched: set[Leg] = msgspec.field(default_factory=set)
    #: Partitions that were given up: their items go, and nothing is listed.
    released: set[PartitionKey] = msgspec.field(default_factory=set)
    #: Who moves HEAD for all units; None: each unit does. Then destinations are prepared (`flow.part`), too.
    heads: Heads | None = None
    #: What feeds the writers of the units under way.
    channels: list[Channel[Message]] = msgspec.field(default_factory=list)

    def queued(self) -> int:
        """Return the bytes of documents that are being fetched or wait to be written."""
        return self.room.held + sum(channel.held for channel in self.channels)

    @property
    def suppressed(self) -> Suppression:
        """What was erased and may not come back."""
        return Suppression() if self.shelved is None else self.shelved.whole

    async def unit(self, unit: Unit) -> dict[Leg, int]:
        """Run one unit; return the generations that its destinations reached.

        Raises:
            RunFailed: it can't go on; what is committed stays.
        """
        specs = [self.job.leg_spec(sink) for sink in self.job.sinks]
        unit, lost = replace(unit, state=self.store.id), False
        if self.heads is None:
            for sink in self.job.sinks:
                await self.store.claim(self.job.name, sink.url, sink.claims(unit))
            lost = await recover(self.job, self.store, unit, specs, self.emit)
        async with self.store.unit(self.job.name, unit, specs) as ledger, AsyncExitStack() as stack:
            if self.shelved is None:
                await refuse_underway(self.job.name, self.store)
                self.shelved = await remembered(self.job, self.store)
            self.emit(UnitStarted(unit.name, len(unit.partitions), ledger.epoch, self.units))
            claims = {sink.name: self._claim(ledger.epoch, unit, sink.claims(unit)) for sink in self.job.sinks}
            publisher = Publisher(self.run, unit.name, ledger, self.clock, self.emit, self.heads, claims)
            legs = await self._legs(stack, unit, ledger, publisher, adopt=self.options.adopt or lost)
            complete = await self._items(unit, ledger, legs, publisher)
            if complete:
                await self._deletions(ledger, legs)
            await self._unselected(ledger, unit)
            generations = await self._publish(legs, publisher, ledger)
            self.emit(UnitEnded(unit.name, complete))
        return generations

    async def _legs(
        self, stack: AsyncExitStack, unit: Unit, ledger: Ledger, publisher: Publisher, *, adopt: bool
    ) -> Legs:
        legs = Legs(self.account, self.emit, {})
        failures: list[tuple[Leg, LegFailed | RunFailed]] = []
        for sink in self.job.sinks:
            spec = self.job.leg_spec(sink)
            try:
                manifest = sink.manifest(self.job.name)
                if self.heads is None:
                    await expect_manifest(sink, manifest, self.job.name, ledger, self.reached.get(sink.name, 0))
                claim = publisher.claims[sink.name]
                await manifest.claim(claim, adopt=adopt)
                if self.shelved is not None and sink.name in self.shelved.lacking:
                    await manifest.suppress(self.shelved.whole)
                leg = await open_leg(
                    stack, sink, spec, self.job.name, unit, ledger, run=self.run, clock=self.clock, emit=self.emit
                )
                # Whoever was stopped between the two finds here that somebody else goes on.
                await manifest.claim(claim)
                await publisher.catch_up(leg, unit)
            except (LegFailed, RunFailed) as error:
                failures.append((sink.name, error))
            else:
                legs.live[sink.name] = leg
                self.touched.add(sink.name)
        for name, failure in failures:
            legs.detach(name, failure)
        return legs

    def _claim(self, epoch: int, unit: Unit, paths: tuple[str, ...]) -> Claim:
        source = self.job.source
        return Claim(
            self.job.name, self.store.id, self.job.platform_type, source.origin, source.account, epoch, paths, unit.name
        )

    async def _items(self, unit: Unit, ledger: Ledger, legs: Legs, publisher: Publisher) -> bool:
        """Move items until intake ends; tell whether every partition was listed to its end."""
        frontier = Frontier()
        # Units side by side share the budget.
        budget = self.job.waiting // max(1, min(self.units, self.job.units))
        channel: Channel[Message] = Channel(budget, max(64, self.job.commit.items), self.job.share)
        sinks = {name: leg.sink for name, leg in legs.live.items()}
        planner = Planner(self.job, sinks, ledger, frontier, self.account, self.options, self.emit)
        planner.suppressed, planner.redacting = self.suppressed, self.redacting
        planner.reviving = any([sum(await ledger.doomed_count(leg)) for leg in sinks])
        shaper = Shaper(sinks, self.job.transform, self.options.refetch, self.redacting)
        fetcher = Fetcher(
            self.job.source, shaper, channel, self.outcomes, self.room, self.emit, lambda: self.drain.hurried
        )
        listed = tuple(partition for partition in unit.partitions if partition.key not in self.released)
        intake = Intake(
            self.job, listed, ledger, legs.names, planner, fetcher, channel, self.meter, self.drain,
            self.options, self.clock, self.emit,
        )  # fmt: skip
        writer = Writer(
            self.run, unit.name, legs, ledger, frontier, channel, self.job.commit, self.account, self.clock,
            self.emit, self.spool, publisher, spared(self.job, self.options),
        )  # fmt: skip
        failure: SyncerError | None = None
        self.channels.append(channel)
        try:
            async with anyio.create_task_group() as line:
                line.start_soon(writer.tick)
                line.start_soon(_close_after, writer, line.cancel_scope)
                try:
                    await intake.work()
                except* SyncerError as group:
                    # The writer still commits what arrived; the unit then leaves with the first of the errors.
                    failure = first(group)
        finally:
            self.channels.remove(channel)
            # Also where the last destination failed: what was listed and got nowhere is part of the account.
            self.account.counts.unsettled += frontier.unsettled()
        if failure is not None:
            raise failure
        return intake.error is None and not self.drain.started and frontier.waiting == 0

    async def _deletions(self, ledger: Ledger, legs: Legs) -> None:
        remover = Remover(self.run, legs, ledger, self.options, self.clock, self.emit)
        applied = [await remover.apply(leg) for leg in list(legs.live.values())]
        # Legs follow the same platform: what several of them did counts once.
        counts = self.account.counts
        counts.deleted += max(each.deleted for each in applied)
        counts.withdrawn += max(each.withdrawn for each in applied)
        counts.held += max(each.held for each in applied)

    async def _unselected(self, ledger: Ledger, unit: Unit) -> None:
        """Count what is stored of kinds that the platform's options leave out by now."""
        if kinds := spared(self.job, self.options):
            held = [await ledger.count(partition.key, kinds) for partition in unit.partitions]
            self.account.unselected += sum(max(legs.values(), default=0) for legs in held)

    async def _publish(self, legs: Legs, publisher: Publisher, ledger: Ledger) -> dict[Leg, int]:
        generations: dict[Leg, int] = {}
        for name, leg in list(legs.live.items()):
            if name in self.options.hold and not leg.sink.immediate:
                continue
            try:
                generation = await publisher.publish(leg)
                if leg.worn and not self.drain.started:
                    generation = await compact_leg(leg, ledger, publisher) or generation
            except (LegFailed, RunFailed) as error:
                legs.detach(name, error)
                continue
            if generation is not None:
                generations[name] = generation
        return generations


async def _close_after(writer: Writer, scope: anyio.CancelScope) -> None:
    await writer.work()
    scope.cancel()
