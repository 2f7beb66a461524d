"""Erasing: items, their files and all their versions go from everything that a job wrote, and leave no row behind.

    record ─▶ publish what waits ─▶ locate ─▶ suppress ─▶ record ─▶ state ─▶ manifest ─▶ bytes ─▶ record ─▶ clean

The record stands in the state before anything is rewritten, and says all that has to go: rows that are gone can't say
it any more. Every step may be repeated, so whoever comes next, the same command or the next run, goes on with it.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import msgspec

from syncer.flow.certify import certified
from syncer.flow.compact import Passing
from syncer.flow.heads import tell
from syncer.flow.job import Job
from syncer.flow.legs import LegRun, open_leg
from syncer.flow.locate import Locator
from syncer.flow.publish import Publisher
from syncer.flow.rebuild import recover
from syncer.flow.suppress import keep, suppression
from syncer.model.checkpoint import CommitGroup
from syncer.model.erasure import ANY, NOTE, Place, Record, Targets, mentions, name_of
from syncer.model.errors import Exit, LegFailed, SettingsError
from syncer.model.events import Emit, ErasureMoved, Warned
from syncer.model.rows import ManifestRow
from syncer.ports import Claim, Clock, Ledger, Sink, StateStore, Unit

#: Works on one leg of one open unit.
Work = Callable[[Unit, LegRun, Ledger, Publisher], Awaitable[None]]


class Eraser(msgspec.Struct, frozen=True):
    """One erasure of one job, whose lease is held."""

    job: Job
    store: StateStore
    units: Sequence[Unit]
    run: str
    clock: Clock
    emit: Emit
    #: What is left, in words that name nobody.
    left: list[str] = msgspec.field(default_factory=list)

    async def work(self, record: Record) -> Record:
        """Go on with a record from wherever it stands to its end; return it with its part of the certificate.

        Raises:
            SyncerError: a destination or the state does not allow it now; what is recorded is gone on with later.
        """
        if record.phase == "asked":
            await tell(self.job, self.store)
            await self._each_leg(self._publish)
            await self._suppress(record, await self.locate(record))
            record.phase = "open"
            await self._keep(record, "located")
        if record.phase == "open":
            await self._remove(record)
            record.done = await certified(self.job, record, self.store.url, self.left)
            record.phase, record.keys, record.places = "clean", [], {}
            record.archives, record.segments = {}, {}
            await self._keep(record, "removed")
        record.done["left"] = [*record.done["left"], *await self.store.clean()]
        await self.store.remember(self.job.name, NOTE, None)
        self.emit(ErasureMoved(self.job.name, "cleaned"))
        return record

    async def locate(self, record: Record) -> Targets:
        """Fill a record with all that goes; nothing is written."""
        targets = Targets({name_of(key) for key in record.item_keys}, record.groups)
        locator = Locator(self.job, self.store, record, targets)
        await locator.locate()
        self.left.extend(locator.doubts)
        return targets

    async def _keep(self, record: Record, step: str) -> None:
        await self.store.remember(self.job.name, NOTE, record.dump())
        self.emit(ErasureMoved(self.job.name, step))

    async def _suppress(self, record: Record, targets: Targets) -> None:
        """Put everything on the list, in the state and at each destination, before the first thing goes."""
        shelved = (await suppression(self.job, self.store)).whole.keyed()
        groups = targets.grouped(name_of(key) for key in record.item_keys)
        # What is known by its id alone, and was never met, is what most items are.
        keys = [key if key.kind != ANY else key._replace(kind="annotation") for key in record.item_keys]
        whole = shelved.marked(shelved.tokens(keys, sorted(groups)), record.started)
        await keep(self.job, self.store, whole)
        for sink in self.job.sinks:
            await sink.manifest(self.job.name).suppress(whole)
        self.emit(ErasureMoved(self.job.name, "suppressed"))

    async def _publish(self, unit: Unit, leg: LegRun, ledger: Ledger, publisher: Publisher) -> None:
        """Publish what waits: of an unpublished archive nobody knows yet what lies where."""
        del unit, ledger
        await publisher.publish(leg)

    async def _remove(self, record: Record) -> None:
        job, keys = self.job.name, record.item_keys
        names = {name_of(key) for key in keys}
        projects = {key.project for key in keys}
        named = mentions(sorted({key.item for key in keys}))

        def gone(row: ManifestRow) -> bool:
            return name_of(row.key) in names

        await self.store.forget(job, keys, named)
        self.emit(ErasureMoved(job, "forgotten"))
        for sink in self.job.sinks:
            await sink.manifest(job).forget(gone, named)
            self.emit(ErasureMoved(job, "told"))
        waiting = {leg: {place.container for place in places} for leg, places in record.places.items()}

        async def erased(unit: Unit, leg: LegRun, ledger: Ledger, publisher: Publisher) -> None:
            places = record.places.get(leg.sink.name, ())
            mine = [place for place in places if _held(leg.sink, unit, place)]
            waiting[leg.sink.name].difference_update([place.container for place in mine])
            await self._erase(leg, ledger, publisher, mine)
            if any(partition.key.project in projects for partition in unit.partitions):
                await self._squeeze(leg, ledger, publisher)

        await self._each_leg(erased)
        for sink in self.job.sinks:
            await sink.manifest(job).repin()
            self.emit(ErasureMoved(job, "pinned"))
        for leg, containers in waiting.items():
            if containers:
                unheld = ", ".join(sorted(name or "its objects" for name in containers))
                message = f"sink {leg}: {unheld} belong to nothing that job {job} selects or remembers"
                raise SettingsError(message, hint="select its project again, then give the same command again")

    async def _erase(self, leg: LegRun, ledger: Ledger, publisher: Publisher, places: Sequence[Place]) -> None:
        if not places:
            return
        name = leg.sink.name
        async with ledger.vacating(name, [place.path for place in places]) as free:
            # An object that another item holds by now is that item's; entries of archives have a place of their own.
            mine = [place for place in places if place.container is not None or place.path in free]
            try:
                await leg.session.erase(
                    [place.row() for place in mine if place.current],
                    [place.row() for place in mine if not place.current],
                )
            except LegFailed as error:
                if not leg.sink.immediate or error.exit_code is not Exit.DAMAGE:
                    raise
                self.left.append(f"{leg.sink.url}: what another tool put in the place of erased objects stays")
                self.emit(Warned(f"sink {name}: {error}"))
        resume = (await leg.session.seal()).resume
        if not leg.sink.immediate:
            group = CommitGroup(run=self.run, at=self.clock.now(), resume={name: resume}, live=frozenset({name}))
            await ledger.commit(group)
            await publisher.publish(leg)

    async def _squeeze(self, leg: LegRun, ledger: Ledger, publisher: Publisher) -> None:
        """Rewrite archives with superseded entries where no row says any more whose they are."""
        if leg.sink.immediate or leg.sink.history:
            return
        worn = {one.name for one in (await ledger.legs())[leg.sink.name].containers if one.dead}
        # What snapshots name is superseded and wanted; they say of each entry whose it is.
        worn -= (await leg.manifest.snapshots.held()).containers
        if worn:
            passing = Passing(leg, ledger, self.run, self.clock)
            await leg.session.compact(passing.rows(), passing.commit, only=worn)
            await publisher.publish(leg)

    async def _each_leg(self, work: Work) -> None:
        """Do something with every leg of every unit, open and up to date."""
        job, store = self.job, self.store
        specs = [job.leg_spec(sink) for sink in job.sinks]
        for unit in self.units:
            lost = await recover(job, store, unit, specs, self.emit)
            async with store.unit(job.name, unit, specs) as ledger, AsyncExitStack() as stack:
                publisher = Publisher(self.run, unit.name, ledger, self.clock, self.emit)
                for sink, spec in zip(job.sinks, specs, strict=True):
                    source = job.source
                    claim = Claim(
                        job.name, store.id, job.platform_type, source.origin, source.account, ledger.epoch,
                        sink.claims(unit),
                    )  # fmt: skip
                    await sink.manifest(job.name).claim(claim, adopt=lost)
                    leg = await open_leg(
                        stack, sink, spec, job.name, unit, ledger, run=self.run, clock=self.clock, emit=self.emit
                    )
                    await publisher.catch_up(leg, unit)
                    await work(unit, leg, ledger, publisher)
                    self.emit(ErasureMoved(job.name, "opened"))


def _held(sink: Sink, unit: Unit, place: Place) -> bool:
    return place.container is None or sink.holds(unit)(place.container)
