"""Retention: superseded versions are removed once nobody wants to go back to them. What is current never is."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime

import msgspec
from msgspec.structs import replace

from syncer.flow.compact import Passing, announced
from syncer.flow.job import Job
from syncer.flow.legs import open_leg
from syncer.flow.publish import Publisher
from syncer.model.entries import StoredRow
from syncer.model.events import Emit
from syncer.model.refs import ItemKey
from syncer.model.rows import ManifestRow
from syncer.ports import Clock, Manifest, Sink, StateStore, Unit


class Keep(msgspec.Struct, frozen=True):
    """What is kept beside the current version: whatever either of the two asks for."""

    #: Versions that the last so many runs superseded. Only runs that stored or deleted something count.
    runs: int | None = None
    #: Versions that were superseded at this time or later.
    since: datetime | None = None


class Superseded(msgspec.Struct, frozen=True):
    """A version that is not current any more, and what made it so."""

    row: ManifestRow
    run: str
    at: str

    @property
    def place(self) -> tuple[str | None, str]:
        """Where its bytes lie."""
        return (self.row.container, self.row.path)


class History(msgspec.Struct):
    """What a manifest tells of the past of its items."""

    superseded: list[Superseded] = msgspec.field(default_factory=list)
    #: When each run wrote its last row; names of runs that began in one second do not sort.
    runs: dict[str, str] = msgspec.field(default_factory=dict)
    #: Where current versions lie, and the last ones of deleted items.
    current: set[tuple[str | None, str]] = msgspec.field(default_factory=set)

    @classmethod
    async def read(cls, manifest: Manifest, *, deletes: bool = False) -> "History":
        """Read all segments. With `deletes`, bytes of deleted items were to go: what is left of them is superseded.

        Raises:
            DestinationChanged: one is missing or is not what HEAD says.
        """
        history, last = cls(), dict[ItemKey, ManifestRow]()
        async with aclosing(manifest.rows()) as rows:  # type: ignore[type-var]  # adapters return generators
            async for _, row in rows:
                history.runs[row.run] = max(row.at, history.runs.get(row.run, ""))
                before = last.get(row.key)
                if before is not None and (before.container, before.path) != (row.container, row.path):
                    history.superseded.append(Superseded(before, row.run, row.at))
                last[row.key] = row
        gone = [row for row in last.values() if deletes and row.op == "delete"]
        history.superseded += [Superseded(row, row.run, row.at) for row in gone]
        history.current = {(row.container, row.path) for row in last.values()} - {
            (row.container, row.path) for row in gone
        }
        return history

    def expired(self, keep: Keep) -> list[Superseded]:
        """Return what may go: nothing wants it, and it is not current under any name."""
        recent = frozenset(sorted(self.runs, key=self.runs.__getitem__)[-keep.runs :] if keep.runs else ())
        return [
            one
            for one in self.superseded
            if one.place not in self.current
            and one.run not in recent
            and (keep.since is None or datetime.fromisoformat(one.at) < keep.since)
        ]


class Removed(msgspec.Struct, frozen=True):
    """What retention removed from one sink, or would."""

    sink: str
    versions: int
    size: int


async def plan(sink: Sink, job: str, keep: Keep) -> list[Superseded]:
    """Return the superseded versions of a sink whose time is over, that are still there, and that no snapshot holds.

    Raises:
        SyncerError: its manifest can't be read.
    """
    manifest = sink.manifest(job)
    head = await manifest.head()
    if head is None or not sink.history:
        return []
    history = await History.read(manifest, deletes=sink.on_delete == "delete")
    expired = history.expired(keep)
    held = await manifest.snapshots.held({one.place for one in expired})
    expired = [one for one in expired if one.place not in held.places]
    if not expired:
        return []
    if not sink.immediate:
        # An archive is rewritten as a whole: while somebody wants one of its former entries, all of them stay.
        going = {(one.place, one.row.version) for one in expired}
        wanted = {one.row.container for one in history.superseded if (one.place, one.row.version) not in going}
        # What is rewritten already, in an earlier retention, holds no dead entry.
        worn = {name for name, container in head.containers.items() if container.dead} - held.containers
        return [one for one in expired if one.row.container in worn and one.row.container not in wanted]
    there = {found.path async for found in sink.scan(head.containers)}
    return list({one.row.path: one for one in expired if one.row.path in there}.values())


async def retain(
    job: Job, store: StateStore, units: Sequence[Unit], keep: Keep, *, run: str, clock: Clock, emit: Emit
) -> list[Removed]:
    """Remove superseded versions from every sink of a job that keeps them.

    Objects go one by one. Archives whose superseded entries have all expired are rewritten without them.

    Raises:
        SyncerError: a destination can't be read or written; what is current stays as it is.
    """
    removed: list[Removed] = []
    for sink in (each for each in job.sinks if each.history):
        versions = size = 0
        expired = await plan(sink, job.name, keep)
        for unit in units if expired else ():
            keys = frozenset(partition.key for partition in unit.partitions)
            mine = [one for one in expired if one.row.key.partition in keys]
            if mine:
                count, freed = await _remove(job, store, unit, sink, mine, run=run, clock=clock, emit=emit)
                versions, size = versions + count, size + freed
        removed.append(Removed(sink.name, versions, size))
    return removed


async def _remove(
    job: Job, store: StateStore, unit: Unit, sink: Sink, expired: Sequence[Superseded], *, run: str, clock: Clock,
    emit: Emit,
) -> tuple[int, int]:  # fmt: skip
    """Remove expired versions of one unit but those that snapshots hold; return how many went, and their bytes."""
    specs = [job.leg_spec(each) for each in job.sinks]
    spec = job.leg_spec(sink)
    unit = replace(unit, state=store.id)
    async with store.unit(job.name, unit, specs) as ledger, AsyncExitStack() as stack:
        publisher = Publisher(run, unit.name, ledger, clock, emit)
        leg = await open_leg(stack, sink, spec, job.name, unit, ledger, run=run, clock=clock, emit=emit)
        await publisher.catch_up(leg, unit)
        await publisher.publish(leg)
        if sink.immediate:
            await leg.manifest.snapshots.raise_floor()
            held = (await leg.manifest.snapshots.held({one.place for one in expired})).places
            going = [one for one in expired if one.place not in held]
            await leg.session.remove([_stored(one.row) for one in going])
            await leg.session.seal()
            return len(going), sum(one.row.size for one in going)
        spare = await announced(leg)
        going = [one for one in expired if one.row.container not in spare]
        passing = Passing(leg, ledger, run, clock)
        await leg.session.compact(passing.rows(), passing.commit, only=_containers(going), spare=spare)
        await publisher.publish(leg)
        return len(going), sum(one.row.size for one in going)


def _containers(expired: Iterable[Superseded]) -> frozenset[str]:
    return frozenset(one.row.container for one in expired if one.row.container is not None)


def _stored(row: ManifestRow) -> StoredRow:
    return StoredRow(row.key, row.version, row.path, row.container, row.size, row.sha256)
