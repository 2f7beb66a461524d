"""Former generations of one manifest: how HEAD came about, told backwards, and what of it is still kept.

Each move of HEAD leaves a step; undoing steps leads from any HEAD to the ones before it. The newest stand in HEAD
itself, so they move with it; older ones go to files beside it before HEAD lets go of them. Segments that HEAD no longer
names stay as long as a step or a snapshot does.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

import msgspec
from anyio import to_thread

from syncer.model.errors import DestinationChanged, GenerationGone
from syncer.ports import Blobs
from syncer.sinks.documents import (
    HeadDocument,
    LogDocument,
    LogEntry,
    SegmentEntry,
    SnapshotDocument,
    SnapshotEntry,
    Step,
    Superseded,
    decode,
    encode,
    snapshot_name,
)

#: How long former generations are kept, where nobody says.
KEPT = timedelta(days=7)

#: Steps of one file; HEAD holds up to twice as many.
_STEPS = 32
#: Bytes of a file of steps, or of a snapshot, that are read.
_MAX = 256 << 20


class GenerationLog:
    """The steps of one job's HEAD, and the files in which the older ones lie."""

    def __init__(self, blobs: Blobs, folder: str, job: str, keep: timedelta | None = KEPT) -> None:
        """Take the store, HEAD's folder, and how long former generations are kept; None: nothing is let go here."""
        self._blobs, self._folder, self._job, self._keep = blobs, folder, job, keep
        #: Segments that a snapshot names, by the snapshot's digest.
        self._held: dict[str, frozenset[str]] = {}

    async def at(self, head: HeadDocument, generation: int) -> HeadDocument:
        """Return HEAD as it was at a generation; only segments and containers count.

        Raises:
            GenerationGone: it is not known any more, or never was.
        """
        if generation > head.generation:
            raise GenerationGone(f"there is no generation {generation} yet: HEAD of {self._job} is {head.generation}")
        if generation == 0:
            return msgspec.structs.replace(head, generation=0, segments=(), containers={}, steps=(), logs=())
        document = head
        async with aclosing(self._backwards(head)) as steps:
            async for step in steps:
                if document.generation <= generation or step.generation != document.generation:
                    break
                document = undone(document, step)
        if document.generation < generation:
            message = f"there never was a generation {generation}: {document.generation} was followed by a later one"
            raise GenerationGone(message)
        if document.generation > generation:
            message = (
                f"generation {generation} of {self._job} is not known any more:"
                f" its history goes back to {document.generation}"
            )
            hint = "`generations` of the sink says how long they are kept; a snapshot keeps one for good"
            raise GenerationGone(message, hint=hint)
        return document

    async def trimmed(self, head: HeadDocument, now: datetime) -> HeadDocument:
        """Return a HEAD that is about to be written without what is too old or too much, which is put into files.

        What nothing names any more is listed as going; `sweep` deletes it before the move after this one, so whoever
        made a snapshot of it meanwhile either was first, or finds it listed.
        """
        if self._keep is not None:
            head = await self._without_old(head, (now - self._keep).isoformat())
        if len(head.steps) <= 2 * _STEPS:
            return head
        older, steps = head.steps[:_STEPS], head.steps[_STEPS:]
        body = await to_thread.run_sync(encode, LogDocument(self._job, older))
        digest = hashlib.sha256(body).hexdigest()
        first, last = older[0].generation, older[-1].generation
        name = f"generations/{first:012d}-{last:012d}-{digest[:8]}.json"
        # Create-only: whoever writes this HEAD's successor puts the same steps there.
        await self._blobs.put(f"{self._folder}/{name}", body, create=True)
        entry = LogEntry(name, first, last, older[-1].at, digest)
        return msgspec.structs.replace(head, steps=steps, logs=(*head.logs, entry))

    async def sweep(self, head: HeadDocument) -> HeadDocument:
        """Delete what a written HEAD lists as going; return it without that list."""
        live = {entry.name for entry in head.segments}
        going = [name for name in head.going if name not in live]
        if going:
            await self._blobs.delete_many([f"{self._folder}/{name}" for name in going])
        return msgspec.structs.replace(head, going=()) if head.going else head

    async def snapshot(self, head: HeadDocument, name: str) -> SnapshotDocument:
        """Return the document of a snapshot that HEAD lists.

        Raises:
            GenerationGone: HEAD lists none of that name.
            DestinationChanged: it is missing, or not what HEAD says.
        """
        entry = head.snapshots.get(name)
        if entry is None:
            known = ", ".join(sorted(head.snapshots)[:20]) or "there are none"
            raise GenerationGone(f"{self._job} has no snapshot {name[:100]!r}", hint=f"snapshots: {known}")
        where = f"{self._folder}/{snapshot_name(name, entry.sha256)}"
        body = await self._checked(where, entry.sha256)
        return await to_thread.run_sync(lambda: decode(body, SnapshotDocument, f"{self._blobs.url}/{where}"))

    async def _without_old(self, head: HeadDocument, oldest: str) -> HeadDocument:
        logs = [log for log in head.logs if log.until <= oldest]
        steps = [step for step in head.steps if step.at <= oldest] if len(logs) == len(head.logs) else []
        waiting = {old.name: old for old in head.superseded}
        if not logs and not steps and not any(old.since <= oldest for old in waiting.values()):
            return head
        held = await self._held_by(head)
        if held is None:
            return head
        over = [old for log in logs for old in await self._steps(log)] + steps
        waiting.update({one.name: Superseded(one.name, step.at) for step in over for one in step.removed})
        live = {entry.name for entry in head.segments}
        gone = {name for name, old in waiting.items() if old.since <= oldest and name not in held | live}
        going = [name for name in (*sorted(gone), *(log.name for log in logs)) if name not in head.going]
        return msgspec.structs.replace(
            head,
            steps=head.steps[len(steps) :], logs=head.logs[len(logs) :], going=(*head.going, *going),
            superseded=tuple(old for name, old in waiting.items() if name not in gone | live),
        )  # fmt: skip

    async def _held_by(self, head: HeadDocument) -> frozenset[str] | None:
        """Return the segments that snapshots name; None where one of them can't be read: then everything stays."""
        for name, entry in head.snapshots.items():
            if entry.sha256 not in self._held:
                try:
                    document = await self.snapshot(head, name)
                except DestinationChanged:
                    return None
                self._held[entry.sha256] = frozenset(one.name for one in document.segments)
        return frozenset[str]().union(*(self._held[entry.sha256] for entry in head.snapshots.values()))

    async def _backwards(self, head: HeadDocument) -> AsyncGenerator[Step, None]:
        for step in reversed(head.steps):
            yield step
        for log in reversed(head.logs):
            for step in reversed(await self._steps(log)):
                yield step

    async def _steps(self, log: LogEntry) -> Sequence[Step]:
        where = f"{self._folder}/{log.name}"
        try:
            body = await self._checked(where, log.sha256)
        except DestinationChanged:
            return ()  # a gap: generations before it are not known
        return (await to_thread.run_sync(lambda: decode(body, LogDocument, f"{self._blobs.url}/{where}"))).steps

    async def _checked(self, where: str, sha256: str) -> bytes:
        found = await self._blobs.get(where, _MAX)
        if found is None or hashlib.sha256(found[0]).hexdigest() != sha256:
            message = f"{self._blobs.url}/{where} is {'missing' if found is None else 'not what HEAD says'}"
            raise DestinationChanged(message, hint="restore it from a copy")
        return found[0]


def recorded(before: HeadDocument, after: HeadDocument, now: datetime) -> HeadDocument:
    """Return a HEAD that is about to be written with the step that leads back from it."""
    had, has = {one.name: one for one in before.segments}, {one.name for one in after.segments}
    step = Step(
        after.generation, before.generation, now.isoformat(),
        added=tuple(one.name for one in after.segments if one.name not in had),
        removed=tuple(one for name, one in had.items() if name not in has),
        containers={
            name: before.containers.get(name)
            for name in {**before.containers, **after.containers}
            if before.containers.get(name) != after.containers.get(name)
        },
    )  # fmt: skip
    return msgspec.structs.replace(after, steps=(*after.steps, step))


def undone(head: HeadDocument, step: Step) -> HeadDocument:
    """Return what HEAD was before a step."""
    added = frozenset(step.added)
    containers = {**head.containers, **step.containers}
    return msgspec.structs.replace(
        head, generation=step.before,
        segments=ordered([*(one for one in head.segments if one.name not in added), *step.removed]),
        containers={name: entry for name, entry in containers.items() if entry is not None},
    )  # fmt: skip


def ordered(entries: Sequence[SegmentEntry]) -> tuple[SegmentEntry, ...]:
    """Return segments in the order in which their rows count, each name once."""
    return tuple(sorted({entry.name: entry for entry in entries}.values(), key=lambda entry: (entry.order, entry.name)))


def snapshot_of(body: bytes, where: str) -> dict[str, SnapshotEntry]:
    """Return what HEAD listed of a snapshot, from its document alone.

    Raises:
        DestinationChanged: it is none.
    """
    document = decode(body, SnapshotDocument, where)
    return {document.name: SnapshotEntry(document.generation, document.at, hashlib.sha256(body).hexdigest())}
