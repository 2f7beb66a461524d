"""A destination that lost its manifest, or got an older one: how a run notices, and how the state gives it back."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from msgspec.structs import replace

from syncer.flow.job import Job
from syncer.model.checkpoint import LegSpec
from syncer.model.entries import Leg
from syncer.model.errors import DestinationChanged, Exit, LegFailed
from syncer.model.rows import encode_row
from syncer.ports import Ledger, Manifest, SegmentRef, Sink, StateStore, Unit

#: Rows of one segment.
_ROWS = 5_000
#: Runs that are looked at for the generation that a destination had.
_RUNS = 20


async def reached(store: StateStore, job: Job, run: str = "") -> dict[Leg, int]:
    """Return the generation that the manifest of each sink had at the end of the last run that opened it.

    A run that died may have moved it, or a destination may have been made anew since: what came before it proves
    nothing. `run` is the one that asks.
    """
    found: dict[Leg, int] = {}
    for row in await store.runs(job.name, _RUNS):
        if row.run == run:
            continue
        if row.ended is None:
            break
        generations, places = row.report.get("generations"), row.report.get("destinations")
        if not isinstance(generations, Mapping) or not isinstance(places, Mapping):
            continue
        for sink in job.sinks:
            if sink.name in generations and places.get(sink.name) == sink.url:
                found.setdefault(sink.name, int(generations[sink.name]))
    return found


async def expect_manifest(sink: Sink, manifest: Manifest, job: str, ledger: Ledger, least: int) -> None:
    """Make sure that what was published to a sink is still told there, by a manifest of this generation or a later one.

    A new or an older one would name what is stored from now on, and the run would call that complete.

    Raises:
        LegFailed: rows that a manifest named are nowhere; somebody emptied the destination, or restored an older copy.
    """
    head = await manifest.head()
    if head is not None and head.generation >= least:
        return
    _, stored = await ledger.rows(sink.name, 1)
    if head is not None and stored:
        raise _older(sink, job, head.generation, least)
    # Rows that are still to be sent are those of a run that died before it wrote HEAD.
    if head is not None or not stored or await ledger.outbox(sink.name, 1):
        return
    if await manifest.checkpoint() is not None:
        await manifest.move_head(least=least)  # only HEAD is gone: it comes back with what still lies beside it
        return
    message = f"the manifest of job {job} at {sink.url} is gone, though items were published there"
    hint = f"was it emptied? Restore it, `syncer repair {job}`, or, after an export, `syncer state reset {job}`"
    raise LegFailed(message, leg=sink.name, exit_code=Exit.DAMAGE, hint=hint)


async def restate(job: Job, store: StateStore, units: Sequence[Unit], *, run: str, at: datetime) -> None:
    """Write manifests that are gone, damaged or older anew from the state: what is wrong beside them can be told then.

    Of superseded versions the state knows nothing: where they stay, they are files that no row names afterwards.

    Raises:
        SyncerError: a destination can't be read or written.
    """
    specs = [job.leg_spec(sink) for sink in job.sinks]
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    generations = await reached(store, job)
    for sink in job.sinks:
        manifest, least = sink.manifest(job.name), generations.get(sink.name, 0)
        if await _readable(manifest, least):
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
            await manifest.move_head(segments=segments, anew=True, least=least)


def _older(sink: Sink, job: str, generation: int, least: int) -> LegFailed:
    message = (
        f"the manifest of job {job} at {sink.url} is older than when the last run ended (generation {generation},"
        f" it was {least}): an older copy of the destination was restored"
    )
    hint = (
        f"bring it up to date with `syncer repair {job}`, go on from the copy with `syncer state rebuild {job}`, or,"
        f" after an export, begin anew with `syncer state reset {job}`"
    )
    return LegFailed(message, leg=sink.name, exit_code=Exit.DAMAGE, hint=hint)


async def _readable(manifest: Manifest, least: int) -> bool:
    """Tell whether there is a manifest that is not older than it was, and all its segments are what HEAD says."""
    try:
        async with aclosing(manifest.rows()) as rows:  # type: ignore[type-var]  # adapters return generators
            async for _ in rows:
                pass
    except DestinationChanged:
        return False
    head = await manifest.head()
    return head is not None and head.generation >= least


async def _written(
    job: Job, store: StateStore, unit: Unit, specs: Sequence[LegSpec], manifest: Manifest, lines: Sequence[bytes]
) -> list[SegmentRef]:
    """Write one unit's rows under an epoch of their own: whatever comes later counts more."""
    async with store.unit(job.name, unit, specs) as ledger:
        parts = [lines[first : first + _ROWS] for first in range(0, len(lines), _ROWS)]
        return [await manifest.put_segment(unit.name, ledger.epoch, number, part) for number, part in enumerate(parts)]
