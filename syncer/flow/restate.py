"""A destination that lost its manifest: how a run notices, and how the manifest comes back from the state."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from syncer.flow.job import Job
from syncer.model.checkpoint import LegSpec
from syncer.model.errors import DestinationChanged, Exit, LegFailed
from syncer.model.rows import encode_row
from syncer.ports import Ledger, Manifest, SegmentRef, Sink, StateStore, Unit

#: Rows of one segment.
_ROWS = 5_000


async def expect_manifest(sink: Sink, manifest: Manifest, job: str, ledger: Ledger) -> None:
    """Make sure that what was published to a sink is still told there.

    A new manifest would name what is stored from now on, and the run would call that complete.

    Raises:
        LegFailed: rows that a manifest named are nowhere; somebody emptied the destination.
    """
    if await manifest.head() is not None:
        return
    _, stored = await ledger.rows(sink.name, 1)
    # Rows that are still to be sent are those of a run that died before it wrote HEAD.
    if not stored or await ledger.outbox(sink.name, 1):
        return
    if await manifest.checkpoint() is not None:
        await manifest.move_head()  # only HEAD is gone: it comes back with what still lies beside it
        return
    message = f"the manifest of job {job} at {sink.url} is gone, though items were published there"
    hint = f"was it emptied? Restore it, `syncer repair {job}`, or, after an export, `syncer state reset {job}`"
    raise LegFailed(message, leg=sink.name, exit_code=Exit.DAMAGE, hint=hint)


async def restate(job: Job, store: StateStore, units: Sequence[Unit], *, run: str, at: datetime) -> None:
    """Write manifests that are gone or damaged anew from the state: what is wrong beside them can be told then.

    Of superseded versions the state knows nothing: where they stay, they are files that no row names afterwards.

    Raises:
        SyncerError: a destination can't be read or written.
    """
    specs = [job.leg_spec(sink) for sink in job.sinks]
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for sink in job.sinks:
        manifest = sink.manifest(job.name)
        if await _readable(manifest):
            continue
        rows = await store.rows(job.name, sink.name)
        segments: list[SegmentRef] = []
        for unit in units:
            wanted = {partition.key for partition in unit.partitions}
            # The state does not remember which run stored an item: the rows are of the one that writes them.
            mine = [replace(row, run=run, at=moment) for row in rows if row.key.partition in wanted]
            if lines := [encode_row(row) for row in mine]:
                segments += await _written(job, store, unit, specs, manifest, lines)
        if segments:
            await manifest.move_head(segments=segments, anew=True)


async def _readable(manifest: Manifest) -> bool:
    """Tell whether there is a manifest, and all its segments are what HEAD says."""
    try:
        async with aclosing(manifest.rows()) as rows:  # type: ignore[type-var]  # adapters return generators
            async for _ in rows:
                pass
    except DestinationChanged:
        return False
    return await manifest.head() is not None


async def _written(
    job: Job, store: StateStore, unit: Unit, specs: Sequence[LegSpec], manifest: Manifest, lines: Sequence[bytes]
) -> list[SegmentRef]:
    """Write one unit's rows under an epoch of their own: whatever comes later counts more."""
    async with store.unit(job.name, unit, specs) as ledger:
        parts = [lines[first : first + _ROWS] for first in range(0, len(lines), _ROWS)]
        return [await manifest.put_segment(unit.name, ledger.epoch, number, part) for number, part in enumerate(parts)]
