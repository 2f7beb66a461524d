"""What an erasure does to a manifest: segments, HEAD and the documents beside it are written anew without some rows."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from anyio import to_thread

from syncer.model.erasure import scrubbed
from syncer.model.errors import Conflict, DestinationChanged, NotNow
from syncer.model.refs import GroupKey, ItemKey
from syncer.model.rows import decode_row
from syncer.ports import Blobs, Clock, ManifestRow
from syncer.sinks.documents import (
    HeadDocument,
    SegmentEntry,
    SnapshotDocument,
    SnapshotEntry,
    encode,
    snapshot_name,
)
from syncer.sinks.generations import ordered
from syncer.sinks.heads import ATTEMPTS, HeadFile
from syncer.sinks.owners import pause

#: Tells whether a row goes.
Gone = Callable[[ManifestRow], bool]
#: Tells whether a text names what goes.
Named = Callable[[str], bool]

_MAX_DOCUMENT = 256 << 20
#: Folders of files that only HEAD leads to.
_BESIDE = ("generations/", "snapshots/")
#: What an earlier erasure added to a segment's name.
_DIGEST = re.compile("~[0-9a-f]{16}")


async def forget_rows(blobs: Blobs, folder: str, heads: HeadFile, gone: Gone) -> None:
    """Let HEAD name segments without the rows that go, then delete every segment that it does not name.

    A segment that is written anew has a name that says its content, so that it is written once however often this is
    repeated; it keeps its place in the order of rows.

    Raises:
        DestinationChanged: a segment is missing or is not what HEAD says.
    """
    document, _ = await heads.read()
    if document is None:
        return
    snapshots = {name: await heads.log.snapshot(document, name) for name in document.snapshots}
    written: dict[str, SegmentEntry | None] = {}
    for entry in {
        one.name: one
        for segments in [document.segments, *[each.segments for each in snapshots.values()]]
        for one in segments
    }.values():
        body = await heads.body(entry)
        rest = await to_thread.run_sync(_without, body, gone)
        if rest is not None:
            written[entry.name] = await _rewritten(blobs, folder, entry, rest)

    def left(segments: Sequence[SegmentEntry]) -> tuple[SegmentEntry, ...]:
        kept = [written.get(entry.name, entry) for entry in segments]
        return ordered([entry for entry in kept if entry is not None])

    pins = {name: msgspec.structs.replace(one, segments=left(one.segments)) for name, one in snapshots.items()}
    entries = await _pinned(blobs, folder, document, pins)

    def changed(head: HeadDocument) -> HeadDocument:
        return msgspec.structs.replace(
            head, segments=left(head.segments), superseded=(), steps=(), logs=(), going=(),
            snapshots={**head.snapshots, **entries}, floor=head.generation + 1 if written else head.floor,
        )  # fmt: skip

    after = await heads.move(changed, last=True)
    named = {entry.name for each in [after.segments, *[pin.segments for pin in pins.values()]] for entry in each}
    named |= {snapshot_name(name, entry.sha256) for name, entry in after.snapshots.items()}
    there = [info.name.removeprefix(f"{folder}/") async for info in blobs.list(f"{folder}/")]
    ours = [name for name in sorted(there) if name.endswith(".jsonl") or name.startswith(_BESIDE)]
    await blobs.delete_many([f"{folder}/{name}" for name in ours if name not in named])
    await blobs.sync()


async def repin(blobs: Blobs, folder: str, heads: HeadFile) -> None:
    """Let snapshots name archives as they are by now: they were rewritten, without anything that a snapshot is to have.

    Raises:
        DestinationChanged: a snapshot can't be read.
    """
    document, _ = await heads.read()
    if document is None or not document.snapshots:
        return
    snapshots = {name: await heads.log.snapshot(document, name) for name in document.snapshots}
    pins = {
        name: msgspec.structs.replace(
            one, containers={each: document.containers[each] for each in one.containers if each in document.containers}
        )
        for name, one in snapshots.items()
    }
    entries = await _pinned(blobs, folder, document, pins)
    if entries == document.snapshots:
        return
    await heads.move(lambda head: msgspec.structs.replace(head, snapshots={**head.snapshots, **entries}))
    former = {snapshot_name(name, entry.sha256) for name, entry in document.snapshots.items()}
    now = {snapshot_name(name, entry.sha256) for name, entry in entries.items()}
    await blobs.delete_many([f"{folder}/{name}" for name in sorted(former - now)])


async def _pinned(
    blobs: Blobs, folder: str, head: HeadDocument, pins: Mapping[str, SnapshotDocument]
) -> dict[str, SnapshotEntry]:
    """Write documents of snapshots; return how HEAD is to list them."""
    entries: dict[str, SnapshotEntry] = {}
    for name, pin in pins.items():
        body = await to_thread.run_sync(encode, pin)
        entries[name] = msgspec.structs.replace(head.snapshots[name], sha256=hashlib.sha256(body).hexdigest())
        if entries[name] != head.snapshots[name]:
            await blobs.put(f"{folder}/{snapshot_name(name, entries[name].sha256)}", body, create=True)
    return entries


async def scrub_document(blobs: Blobs, name: str, scrub: Callable[[Any], Any], clock: Clock) -> None:
    """Replace a JSON document by what `scrub` makes of it, by compare-and-swap; one that is not there is fine."""
    for attempt in range(ATTEMPTS):
        found = await blobs.get(name, _MAX_DOCUMENT)
        if found is None:
            return
        try:
            before = json.loads(found[0])
        except ValueError as error:
            message = f"{blobs.url}/{name} can't be read"
            raise DestinationChanged(message, hint="restore it, or remove it and run `syncer repair`") from error
        after = scrub(before)
        if after == before:
            return
        try:
            await blobs.put(name, encode(after), match=found[1])
        except Conflict:
            await clock.sleep(pause(attempt))
            continue
        return
    message = f"{blobs.url}/{name} is changed all the time by others"
    raise NotNow(message, hint="run again when fewer processes work on this destination")


def scrubbed_checkpoint(document: Any, gone: Callable[[ItemKey, GroupKey | None], bool], named: Named) -> Any:  # noqa: ANN401  # as JSON has it
    """Return `checkpoint.json` without owed items that go, and without cursors that name them."""
    units: Mapping[str, Any] = document.get("units", {})
    return {**document, "units": {name: _unit(unit, gone, named) for name, unit in units.items()}}


def scrubbed_status(document: Any, named: Named) -> Any:  # noqa: ANN401  # as JSON has it
    """Return `status.json` with the texts replaced that name what goes."""
    told = ("problems", "notes", "frozen")
    return {**document, **{name: scrubbed(document[name], named) for name in told if name in document}}


def _unit(unit: Any, gone: Callable[[ItemKey, GroupKey | None], bool], named: Named) -> Any:  # noqa: ANN401  # as JSON has it
    owed = [each for each in unit.get("owed", ()) if not gone(ItemKey.parse(each["key"]), None)]
    partitions = [
        {**each, "cursor": None} if isinstance(each["cursor"], str) and named(each["cursor"]) else each
        for each in unit.get("partitions", ())
    ]
    return {**unit, "owed": owed, "partitions": partitions}


def _without(body: bytes, gone: Gone) -> bytes | None:
    """Return a segment without the rows that go; None if there are none in it."""
    header, *lines, _ = body.split(b"\n")
    kept = [line for line in lines if not gone(decode_row(line))]
    return None if len(kept) == len(lines) else b"\n".join([header, *kept, b""])


async def _rewritten(blobs: Blobs, folder: str, entry: SegmentEntry, body: bytes) -> SegmentEntry | None:
    rows = body.count(b"\n") - 1
    if not rows:
        return None
    digest = await to_thread.run_sync(lambda: hashlib.sha256(body).hexdigest())
    stem, _, base = entry.name.removesuffix(".jsonl").rpartition("/")
    name = f"{stem}/{_DIGEST.sub('', base)}~{digest[:16]}.jsonl"
    await blobs.put(f"{folder}/{name}", body, create=True)
    return SegmentEntry(name, rows, digest, entry.epoch, entry.seq)
