"""The manifest of one job: segments of rows, HEAD that orders them, and the documents that go with HEAD.

Readers start from `_manifest/<job>/HEAD.json` and need no listing. HEAD moves by compare-and-swap, and always after
what it names. Everything that is read back is checked first.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta

import msgspec

from syncer.model.entries import Container
from syncer.model.errors import Conflict, GenerationGone, NotNow
from syncer.model.paths import MANIFEST_FOLDER, clean_segment
from syncer.model.refs import GroupKey, ItemKey
from syncer.model.suppression import Suppression
from syncer.ports import Blobs, Claim, Clock, Head, ManifestRow, SegmentRef, Snapshots
from syncer.sinks import erasing, owners, suppressing
from syncer.sinks.document_file import DocumentFile
from syncer.sinks.documents import (
    FORMAT,
    CheckpointDocument,
    ContainerEntry,
    HeadDocument,
    SegmentEntry,
)
from syncer.sinks.failures import destination
from syncer.sinks.generations import KEPT, ordered
from syncer.sinks.heads import ATTEMPTS, CHECKPOINT, HEAD, HeadFile
from syncer.sinks.segments import read_rows, segment_name
from syncer.sinks.snapshots import JobSnapshots
from syncer.sinks.words import STATUS, Words

#: Bytes of `checkpoint.json` that are read.
_MAX_CHECKPOINT = 256 << 20
#: Small segments of one unit that HEAD names before they are merged.
_MANY = 16


class JobManifest:
    """`_manifest/<job>/` below one root."""

    def __init__(
        self, blobs: Blobs, job: str, leg: str, clock: Clock, *,
        history: bool = False, lasting: bool | None = None, keep: timedelta | None = KEPT,
    ) -> None:  # fmt: skip
        """Take the store; nothing is touched before the first call. Trouble with it is told as the leg's.

        With `history`, merging keeps the rows of superseded versions. `lasting`: what is published stays under its name
        until it is removed or rewritten, so snapshots can be made. `keep`: how long former generations are known. None:
        somebody else knows, and HEAD stays as it is in this.
        """
        self._blobs = blobs
        self._job = job
        self._leg = leg
        self._clock = clock
        self._folder = f"{MANIFEST_FOLDER}/{clean_segment(job, job)}"
        self._heads = HeadFile(blobs, self._folder, job, clock, history=history, lasting=lasting, keep=keep)
        self.snapshots: Snapshots = JobSnapshots(blobs, self._folder, job, leg, self._heads, clock)
        self._checkpoint = DocumentFile(blobs, self._name(CHECKPOINT), CheckpointDocument, _MAX_CHECKPOINT)
        self._words = Words(blobs, self._folder, clock)

    async def claim(self, claim: Claim, *, adopt: bool = False) -> None:
        """Take or confirm ownership, by compare-and-swap.

        Raises:
            SettingsError: another job, state or platform owns this place or a part of it; both are named.
            Fenced: a later epoch of the same unit was here.
        """
        with destination(self._leg, self._blobs.url):
            await owners.take(self._blobs, self._folder, claim, self._clock, adopt=adopt)

    async def owner(self) -> Claim | None:
        """Return who owns the job's destination now."""
        with destination(self._leg, self._blobs.url):
            return await owners.owner_of(self._blobs, self._folder)

    async def put_segment(self, unit: str, epoch: int, seq: int, lines: Sequence[bytes]) -> SegmentRef:
        """Write a segment, create-only: the same name always has the same bytes; see the door.

        Raises:
            DestinationChanged: the name is taken by other bytes.
        """
        with destination(self._leg, self._blobs.url):
            return await self._heads.put_segment(segment_name(unit, epoch, seq), unit, epoch, seq, lines)

    async def head(self) -> Head | None:
        """Return HEAD, None if there is none yet.

        Raises:
            SettingsError: it was written by a newer version.
            DestinationChanged: it can't be read.
        """
        with destination(self._leg, self._blobs.url):
            return await self._heads.head()

    async def move_head(
        self,
        *,
        segments: Sequence[SegmentRef] = (),
        containers: Sequence[Container] = (),
        dropped: Sequence[str] = (),
        checkpoint: Mapping[str, object] | None = None,
        status: Mapping[str, object] | None = None,
        complete: bool | None = None,
        anew: bool = False,
        least: int = 0,
        removes: bool = False,
        still: Callable[[], Awaitable[None]] | None = None,
    ) -> int:
        """Add segments and containers, replace HEAD, then the documents beside it; return the generation.

        `checkpoint` maps units to their documents; units that it does not name keep theirs. `complete` True also
        moves `latest` and `_SUCCESS`; False removes `_SUCCESS`; None leaves both. For the rest see the door.
        """
        added = [SegmentEntry(ref.name, ref.rows, ref.sha256, ref.epoch, ref.seq) for ref in segments]
        with destination(self._leg, self._blobs.url):
            if complete is False:
                await self._words.withdraw(status or {})

            def changed(head: HeadDocument) -> HeadDocument:
                head = _changed(_emptied(head) if anew else head, added, containers, dropped)
                return msgspec.structs.replace(head, floor=head.generation + 1) if removes else head

            document = await self._heads.move(changed, least, still=still)
            document = await self._heads.merge(document, _MANY) or document
            generation = document.generation
            if checkpoint is not None:
                await self._merge_checkpoint(generation, checkpoint)
            if status is not None:
                await self._words.state(generation, {"format": FORMAT, "job": self._job, **status})
            if complete:
                await self._succeed(generation)
        return generation

    async def merge(self) -> int:
        """Merge whatever small segments there are, for `compact`; return how many HEAD names fewer."""
        with destination(self._leg, self._blobs.url):
            document, _ = await self._heads.read()
            before = after = 0 if document is None else len(document.segments)
            while document is not None:
                after = len(document.segments)
                document = await self._heads.merge(document, 2)
        return before - after

    async def _succeed(self, generation: int) -> None:
        """Say that all is there, and take it back if HEAD moved meanwhile: whoever moved it says so itself."""
        tag = await self._words.succeed(generation, HEAD)
        document, _ = await self._heads.read()
        if tag is not None and (document is None or document.generation != generation):
            await self._words.take_back(tag)

    async def at(self, when: int | str) -> Head:
        """Return what readers of a former generation start from: by its number, or by the name of its snapshot.

        Raises:
            GenerationGone: it is not known any more, or never was.
            DestinationChanged: its snapshot can't be read.
        """
        with destination(self._leg, self._blobs.url):
            document, _ = await self._heads.read()
            if document is None:
                raise GenerationGone(f"there is no manifest of job {self._job} at {self._blobs.url}")
            if isinstance(when, int):
                return (await self._heads.log.at(document, when)).head()
            return (await self._heads.log.snapshot(document, when)).head()

    async def rows(self, head: Head | None = None) -> AsyncGenerator[tuple[SegmentRef, ManifestRow], None]:
        """Yield the rows of all segments of HEAD (as it is now, or a given one), in (epoch, seq) order.

        Raises:
            DestinationChanged: a segment is missing or is not what HEAD says; perhaps after some of its rows.
        """
        head = await self.head() if head is None else head
        for segment in () if head is None else head.segments:
            with destination(self._leg, self._blobs.url):
                async with aclosing(read_rows(self._blobs, self._folder, segment)) as batches:
                    async for batch in batches:
                        for row in batch:
                            yield segment, row

    async def checkpoint(self) -> Mapping[str, object] | None:
        """Return what `checkpoint.json` says of each unit, by name; None if there is none.

        Raises:
            SettingsError: it was written by a newer version.
            DestinationChanged: it can't be read.
        """
        with destination(self._leg, self._blobs.url):
            document, _ = await self._checkpoint.read()
        return None if document is None else document.units

    async def forget(self, gone: Callable[[ManifestRow], bool], named: Callable[[str], bool]) -> None:
        """Rewrite segments, HEAD and the documents beside it without some rows, for good; see the door."""

        def owed(key: ItemKey, group: GroupKey | None) -> bool:
            return gone(ManifestRow("put", key, "", "", None, 0, "", {}, "", "", group=group))

        with destination(self._leg, self._blobs.url):
            await erasing.forget_rows(self._blobs, self._folder, self._heads, gone)
            for name, scrub in (
                (CHECKPOINT, lambda document: erasing.scrubbed_checkpoint(document, owed, named)),
                (STATUS, lambda document: erasing.scrubbed_status(document, named)),
            ):
                await erasing.scrub_document(self._blobs, self._name(name), scrub, self._clock)

    async def repin(self) -> None:
        """Let snapshots name archives as they are by now."""
        with destination(self._leg, self._blobs.url):
            await erasing.repin(self._blobs, self._folder, self._heads)

    async def suppression(self) -> Suppression | None:
        """Return the list of what may not come back, with its key."""
        with destination(self._leg, self._blobs.url):
            return await suppressing.read(self._blobs, self._folder)

    async def suppress(self, suppression: Suppression) -> None:
        """Add lines and keys to the list, by compare-and-swap."""
        with destination(self._leg, self._blobs.url):
            await suppressing.add(self._blobs, self._folder, suppression, self._clock)

    async def _merge_checkpoint(self, generation: int, units: Mapping[str, object]) -> None:
        # As they will be read: plain JSON, whatever they were made of.
        told: Mapping[str, dict[str, object]] = msgspec.json.decode(msgspec.json.encode(units))
        for attempt in range(ATTEMPTS):
            present, tag = await self._checkpoint.read()
            before = {} if present is None else present.units
            newest = generation if present is None else max(generation, present.generation)
            later = {name: document for name, document in told.items() if not _later(before.get(name), document)}
            try:
                await self._checkpoint.write(CheckpointDocument(newest, {**before, **later}), tag)
            except Conflict:
                await self._clock.sleep(owners.pause(attempt))
                continue  # it was another unit's turn
            return
        message = f"{self._blobs.url}/{self._name(CHECKPOINT)} is changed all the time by others"
        raise NotNow(message, hint="run again when fewer processes work on this destination")

    def _name(self, document: str) -> str:
        return f"{self._folder}/{document}"


def _changed(
    head: HeadDocument, added: Sequence[SegmentEntry], containers: Sequence[Container], dropped: Sequence[str]
) -> HeadDocument:
    entries = {name: entry for name, entry in head.containers.items() if name not in dropped}
    for new in containers:
        entries[new.name] = ContainerEntry(new.tag, new.size, new.sha256, new.live, new.dead)
    return msgspec.structs.replace(head, segments=ordered([*head.segments, *added]), containers=entries)


def _later(present: object, document: object) -> bool:
    """Tell whether what stands there of a unit was written under a later epoch."""
    epochs = [each.get("epoch") if isinstance(each, dict) else None for each in (present, document)]
    return isinstance(epochs[0], int) and isinstance(epochs[1], int) and epochs[0] > epochs[1]


def _emptied(head: HeadDocument) -> HeadDocument:
    """Return a HEAD without segments; the files stay as long as former generations do."""
    return msgspec.structs.replace(head, segments=())
