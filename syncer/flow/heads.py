"""Telling HEAD of many units at once: their segments and containers lie beside the data, and nobody names them yet.

Each unit of a fleet leaves a note in the transaction that forgets its rows; whoever has the turn moves HEAD for all
notes there are. So two thousand units cost some dozens of compare-and-swaps. A note that is told twice is harmless:
HEAD lists each segment once, in the order of its rows, and a container's line is what the last note says.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from syncer.flow.job import Job
from syncer.flow.publish import HeadMove
from syncer.model.entries import Container, Leg
from syncer.model.errors import Fenced
from syncer.model.value import asdict
from syncer.ports import HeadNote, SegmentRef, StateStore

#: Notes that one move of HEAD takes along, at most.
BATCH = 1000

#: The turn in which a job's HEADs are moved.
TURN = "heads"


async def tell(job: Job, store: StateStore) -> dict[Leg, int]:
    """Move the HEADs of a job until no note is left; return the generations that they reached.

    To be called with the turn, or with the lease of the whole job.

    Raises:
        LegFailed, RunFailed: a destination can't be used; its notes stay.
    """
    generations: dict[Leg, int] = {}
    while notes := await store.untold(job.name, BATCH):
        legs: dict[Leg, list[HeadNote]] = {}
        for note in notes:
            legs.setdefault(note.leg, []).append(note)
        for sink in job.sinks:
            if mine := legs.pop(sink.name, []):
                move = merged(mine)
                generations[sink.name] = await sink.manifest(job.name).move_head(
                    segments=move.segments, containers=move.containers, dropped=move.dropped,
                    checkpoint=move.checkpoint, still=partial(_untold, job, store, mine),
                )  # fmt: skip
                await store.told(mine)
        # Sinks that the job had once: nobody can tell their HEADs.
        await store.told([note for rest in legs.values() for note in rest])
    return generations


async def settle(job: Job) -> None:
    """Say that all archives are as HEAD says: nobody rewrites one any more. For when every unit is through, and told.

    Raises:
        LegFailed, RunFailed: a destination can't be used.
    """
    for sink in job.sinks:
        if sink.lasting and not sink.immediate:
            await sink.manifest(job.name).snapshots.release(lambda _: True)


async def _untold(job: Job, store: StateStore, notes: Sequence[HeadNote]) -> None:
    """Look whether notes still wait to be told, right before HEAD moves: whoever lost the turn says nothing old.

    Raises:
        Fenced: somebody else told them.
    """
    there = {note.id for note in await store.untold(job.name, BATCH)}
    if not there.issuperset(note.id for note in notes):
        message = f"HEAD of job {job.name} was moved by another worker meanwhile"
        raise Fenced(message, hint="nothing is lost: that one told it all")


def dump(move: HeadMove) -> str:
    """Return a move as text."""
    return json.dumps(
        {
            "segments": [asdict(each) for each in move.segments],
            "containers": [asdict(each) for each in move.containers],
            "dropped": list(move.dropped),
            "checkpoint": move.checkpoint,
        },
        ensure_ascii=False,
    )


def merged(notes: Sequence[HeadNote]) -> HeadMove:
    """Return what notes of one leg say together; later ones count."""
    segments: list[SegmentRef] = []
    containers: dict[str, Container] = {}
    dropped: set[str] = set()
    checkpoint: dict[str, Any] = {}
    for note in notes:
        told: Mapping[str, Any] = json.loads(note.document)
        segments += [SegmentRef(**each) for each in told["segments"]]
        for name in told["dropped"]:
            containers.pop(name, None)
            dropped.add(name)
        for each in told["containers"]:
            container = Container(**each)
            containers[container.name] = container
        checkpoint[note.unit] = told["checkpoint"]
    return HeadMove(segments, list(containers.values()), sorted(dropped), checkpoint)
