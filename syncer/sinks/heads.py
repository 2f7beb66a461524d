"""HEAD of one job's manifest: read with distrust, moved by compare-and-swap, kept short by merging segments."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import msgspec
from anyio import to_thread

from syncer.model.errors import Conflict, DestinationChanged, NotNow
from syncer.ports import Blobs, Clock, Head, SegmentRef
from syncer.sinks.document_file import DocumentFile
from syncer.sinks.documents import HeadDocument, SegmentEntry, SnapshotEntry
from syncer.sinks.generations import KEPT, GenerationLog, ordered, recorded, snapshot_of
from syncer.sinks.owners import pause
from syncer.sinks.segments import encode_segment, entry_of, mergeable, merged_lines, merged_name, unit_of

HEAD, CHECKPOINT = "HEAD.json", "checkpoint.json"

#: Bytes of HEAD, and of one segment that is about to be merged, that are read.
_MAX_HEAD = 256 << 20
_MAX_SEGMENT = 1 << 30
#: Attempts of a compare-and-swap before somebody else is told to come back later.
ATTEMPTS = 50


class HeadFile:
    """`HEAD.json` in one folder, and the segments that it names."""

    def __init__(
        self, blobs: Blobs, folder: str, job: str, clock: Clock, *,
        history: bool = False, lasting: bool | None = None, keep: timedelta | None = KEPT,
    ) -> None:  # fmt: skip
        """Take the store and the folder; nothing is touched before the first call. See `JobManifest`."""
        self._history, self._lasting = history, lasting
        self.log = GenerationLog(blobs, folder, job, keep)
        self._blobs = blobs
        self._folder = folder
        self._job = job
        self._clock = clock
        self._name = f"{folder}/{HEAD}"
        self._document = DocumentFile(blobs, self._name, HeadDocument, _MAX_HEAD)
        #: The last document that readers asked for, as they see it.
        self._shown: tuple[HeadDocument, Head] | None = None

    async def read(self) -> tuple[HeadDocument | None, str | None]:
        """Return the document and its tag; None where there is none yet.

        Raises:
            SettingsError: a newer version wrote it.
            DestinationChanged: it can't be read.
        """
        return await self._document.read()

    async def head(self) -> Head | None:
        """Return what readers start from, None where there is nothing yet; raises as `read` does."""
        document, _ = await self.read()
        if document is None:
            return None
        shown = self._shown
        if shown is None or shown[0] is not document:
            shown = self._shown = document, document.head()
        return shown[1]

    async def move(
        self,
        change: Callable[[HeadDocument], HeadDocument],
        least: int = 0,
        *,
        last: bool = False,
        still: Callable[[], Awaitable[None]] | None = None,
    ) -> HeadDocument:
        """Replace HEAD by what `change` makes of it, one generation on; it may be asked again, for a newer HEAD.

        `still` is asked after HEAD was read: a successor that moved HEAD since then changed its tag.

        The generation will be `least`, at least: an older copy that was restored and accepted counts on from there.

        Nothing is written where nothing changes: readers reload for every generation. A HEAD that somebody deleted
        comes back with the segments that still lie there: without them it would name nothing that is stored.
        `last`: former generations end with this one, and nothing leads back to them.

        Raises:
            NotNow: others move it all the time.
            DestinationChanged: HEAD is gone, and a segment can't be read either.
        """
        for attempt in range(ATTEMPTS):
            present, tag = await self.read()
            if still is not None:
                await still()
            before = present or HeadDocument(self._job, 0)
            after = change(before)
            if present is None:
                after = await self._with_left_over(after)
            if present is not None and after == before and before.generation >= least:
                return before
            after = await self.log.sweep(after)
            generation = max(before.generation + 1, least)
            lasting = before.lasting if self._lasting is None else self._lasting
            after = msgspec.structs.replace(after, generation=generation, lasting=lasting)
            now = self._clock.now()
            if not last:
                after = await self.log.trimmed(recorded(before, after, now), now)
            try:
                await self._document.write(after, tag)
            except Conflict:
                await self._clock.sleep(pause(attempt))
                continue
            return after
        message = f"{self._blobs.url}/{self._name} is moved all the time by others"
        raise NotNow(message, hint="run again when fewer processes work on this destination")

    async def put_segment(self, name: str, unit: str, epoch: int, seq: int, lines: Sequence[bytes]) -> SegmentRef:
        """Write a segment, create-only; see the door.

        Raises:
            DestinationChanged: the name is taken by other bytes.
        """

        def built() -> tuple[bytes, SegmentRef]:
            body = encode_segment(self._job, unit, epoch, seq, lines)
            # All lines but the header, which comes first.
            return body, SegmentRef(name, body.count(b"\n") - 1, hashlib.sha256(body).hexdigest(), epoch, seq)

        body, segment = await to_thread.run_sync(built)
        try:
            await self._blobs.put(f"{self._folder}/{name}", body, create=True)
        except Conflict as error:
            message = f"manifest segment {name} is already there with other rows"
            raise DestinationChanged(message, hint="another state wrote here: see `syncer adopt`") from error
        return segment

    async def merge(self, document: HeadDocument, least: int) -> HeadDocument | None:
        """Write one wider segment for `least` or more small ones of a unit, and let HEAD name it in their place.

        The inputs stay as long as former generations do. None: there was nothing to merge.
        """
        inputs = mergeable(document.segments, least)
        if not inputs:
            return None
        bodies = [await self.body(entry) for entry in inputs]
        try:
            lines = await to_thread.run_sync(lambda: merged_lines(bodies, history=self._history))
            unit = unit_of(bodies[0])
        except (ValueError, KeyError, TypeError) as error:
            message = f"a manifest segment of {self._folder} has lines that can't be read"
            raise DestinationChanged(message, hint="restore it from a copy, or run `syncer repair`") from error
        last = inputs[-1]
        ref = await self.put_segment(merged_name(inputs), unit, last.epoch, last.seq, lines)
        wide = SegmentEntry(ref.name, ref.rows, ref.sha256, ref.epoch, ref.seq)

        def swapped(head: HeadDocument) -> HeadDocument:
            if not set(inputs) <= set(head.segments):
                return head  # somebody else merged them first
            kept = [entry for entry in head.segments if entry not in inputs]
            return msgspec.structs.replace(head, segments=ordered([*kept, wide]))

        return await self.move(swapped)

    async def _with_left_over(self, head: HeadDocument) -> HeadDocument:
        """Return a HEAD that was not there with all that lies there; segments that it names already are not read.

        The checkpoint is written after HEAD: without one, nothing was lost, and segments of other units may lie here
        whose archives HEAD does not name yet.
        """
        if await self._blobs.stat(f"{self._folder}/{CHECKPOINT}") is None:
            return head
        named = {entry.name for entry in head.segments}
        found: list[SegmentEntry] = []
        snapshots: dict[str, SnapshotEntry] = {}
        async for info in self._blobs.list(f"{self._folder}/"):
            name = info.name.removeprefix(f"{self._folder}/")
            kept = name.startswith("snapshots/")
            if name in named or not (kept or name.endswith(".jsonl")):
                continue
            body = await self._blobs.get(info.name, _MAX_SEGMENT)
            if body is not None and kept:
                snapshots.update(await to_thread.run_sync(snapshot_of, body[0], info.name))
            elif body is not None:
                found.append(await to_thread.run_sync(entry_of, name, body[0]))
        return msgspec.structs.replace(head, segments=ordered([*head.segments, *found]), snapshots=snapshots)

    async def body(self, entry: SegmentEntry) -> bytes:
        """Return the bytes of a segment.

        Raises:
            DestinationChanged: it is missing or is not what HEAD says.
        """
        found = await self._blobs.get(f"{self._folder}/{entry.name}", _MAX_SEGMENT)
        body = b"" if found is None else found[0]
        if hashlib.sha256(body).hexdigest() != entry.sha256:
            message = f"manifest segment {entry.name} is missing or is not what HEAD says"
            raise DestinationChanged(message, hint="restore it from a copy, or run `syncer repair`")
        return body
