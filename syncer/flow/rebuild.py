"""Rebuilding: when state is lost or behind its destination, rows and cursors come back from the manifest.

Nothing that is published is fetched again for it: the destination explains itself.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from syncer.flow.job import Job
from syncer.model.checkpoint import LegSpec
from syncer.model.errors import DestinationChanged, LegFailed, RunFailed
from syncer.model.events import Emit, Warned
from syncer.model.rows import ManifestRow
from syncer.model.snapshot import cursors_of, owed_of
from syncer.ports import Manifest, StateStore, Unit

#: Rows handed to the state at once.
BATCH = 1000


async def recover(job: Job, store: StateStore, unit: Unit, specs: Sequence[LegSpec], emit: Emit) -> bool:
    """Bring a unit's state up to its destination if it is missing or behind; tell whether the state was lost.

    A state is behind if the destination's checkpoint was written under a later epoch than the state knows: an older
    copy was restored, or the file is gone.
    """
    async with store.peek(job.name, unit, specs) as ledger:
        epoch = ledger.epoch
    lost = False
    for sink, spec in zip(job.sinks, specs, strict=True):
        manifest = sink.manifest(job.name)
        try:
            written = unit_of(await manifest.checkpoint(), unit.name)
            owner = await manifest.owner()
        except (LegFailed, RunFailed):
            continue  # opening the leg meets the same error, and detaches it
        if written is None or written["epoch"] <= epoch:
            continue
        if owner is not None and owner.state != store.id:
            if epoch or (owner.platform, owner.origin, owner.account) != (
                job.platform_type, job.source.origin, job.source.account,
            ):  # fmt: skip
                continue  # not ours to rebuild from: taking the claim says so, with both names
            lost = True
        rows = await rebuild(job, store, unit, spec, manifest, written)
        emit(Warned(f"the state of {unit.name} was {'missing' if lost else 'older than its destination'}: "
                    f"{rows:,} rows came back from the manifest of {spec.name}, nothing is fetched again"))  # fmt: skip
    return lost


async def rebuild(
    job: Job, store: StateStore, unit: Unit, spec: LegSpec, manifest: Manifest, written: Mapping[str, Any]
) -> int:
    """Replace what the state holds of one leg of a unit by what the manifest says; return how many rows it read.

    Raises:
        DestinationChanged: the manifest is damaged.
    """
    head = await manifest.head()
    if head is None and spec.immediate:
        await manifest.move_head()  # it comes back with the segments that lie there
        head = await manifest.head()
    if head is None:
        # What it said of archives stands nowhere else.
        message = f"{spec.name}: HEAD.json of job {job.name} is gone, and the state with it"
        hint = "restore one from a copy, or move the archives and `_manifest` away and run again: all is fetched anew"
        raise DestinationChanged(message, hint=hint)
    wanted = frozenset(partition.key for partition in unit.partitions)
    try:
        cursors, owed = cursors_of(written), owed_of(written, spec.name)
    except ValueError as error:
        raise DestinationChanged(f"{spec.name}: {error}", hint="run: syncer verify") from error
    count = 0

    async def batches() -> AsyncIterator[Sequence[ManifestRow]]:
        nonlocal count
        batch: list[ManifestRow] = []
        async for _, row in manifest.rows():
            if row.key.partition in wanted:
                batch.append(row)
                count += 1
            if len(batch) >= BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    containers = list(head.containers.values())
    epoch = int(written["epoch"])
    await store.rebuild(job.name, unit, spec, batches(), containers, cursors, epoch, owed=owed)
    return count


def unit_of(checkpoint: Mapping[str, object] | None, name: str) -> Mapping[str, Any] | None:
    """Return what `checkpoint.json` says of one unit; None where that is not as a ledger writes it."""
    return units_of({name: (checkpoint or {}).get(name)}).get(name)


def units_of(checkpoint: Mapping[str, object] | None) -> Mapping[str, Any]:
    """Return `checkpoint.json`, keyed by unit; what is not as a ledger writes it counts as absent."""
    return {
        name: unit
        for name, unit in (checkpoint or {}).items()
        if isinstance(unit, dict) and isinstance(unit.get("epoch"), int) and isinstance(unit.get("partitions"), list)
    }
