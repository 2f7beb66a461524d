"""Manifest segments: lines of rows under a header, written once, read with distrust, merged when there are many."""

import hashlib
import json
from collections.abc import AsyncGenerator, Iterable, Sequence

import msgspec
from anyio import to_thread

from syncer.model.errors import DestinationChanged, SettingsError
from syncer.model.paths import clean_segment, fold
from syncer.model.rows import decode_row
from syncer.ports import Blobs, ManifestRow, SegmentRef
from syncer.sinks.documents import FORMAT, SegmentEntry

#: Longest line that is read, in bytes.
MAX_LINE = 1 << 20
#: Rows of a merged segment, at most; it is built in memory, where they stand several times.
MERGED_ROWS = 10_000
#: Merging on request takes any two; otherwise so many times the usual number is merged whatever their sizes are.
_PAIR, _LEVELS = 2, 4
#: Names in a manifest's folder that no unit may take.
_TAKEN = frozenset({"head.json", "checkpoint.json", "status.json", "owner.json", "latest", "_success",
                    "suppressed.json", "suppressed.key"})  # fmt: skip


class _Keyed(msgspec.Struct):
    key: msgspec.Raw
    op: str = ""
    path: str = ""
    container: str | None = None


_KEYS = msgspec.json.Decoder(_Keyed)


def unit_folder(unit: str) -> str:
    """Return the folder of a unit's segments."""
    name = clean_segment(unit, unit)
    return clean_segment(f"{name}/", unit) if fold(name) in _TAKEN else name


def segment_name(unit: str, epoch: int, seq: int) -> str:
    """Return a segment's name, relative to HEAD's folder; names sort as their rows do."""
    return f"{unit_folder(unit)}/{epoch:08d}-{seq:012d}.jsonl"


def merged_name(inputs: Sequence[SegmentEntry]) -> str:
    """Return the name of the segment that stands for several: from the first row to the last."""
    folder = inputs[0].unit
    stems = [entry.name.removeprefix(f"{folder}/").removesuffix(".jsonl") for entry in inputs]
    return f"{folder}/{stems[0].partition('_')[0]}_{stems[-1].rpartition('_')[2]}.jsonl"


def encode_segment(job: str, unit: str, epoch: int, seq: int, lines: Sequence[bytes]) -> bytes:
    """Return the bytes of a segment: a header line, then the rows."""
    header = {"format": FORMAT, "job": job, "unit": unit, "epoch": epoch, "seq": seq}
    first = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return b"\n".join([first, *lines, b""])


async def read_rows(blobs: Blobs, folder: str, segment: SegmentRef) -> AsyncGenerator[Sequence[ManifestRow], None]:
    """Yield a segment's rows in batches, without holding it in memory.

    Raises:
        DestinationChanged: it is missing, or is not what HEAD says; known only at its end, after all batches.
    """
    digest = hashlib.sha256()
    rows, rest, header = 0, b"", True
    try:
        async for chunk in blobs.read(f"{folder}/{segment.name}"):
            await to_thread.run_sync(digest.update, chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE or max(map(len, lines), default=0) > MAX_LINE:
                raise _changed(segment, "a line is too long")
            if header and lines:
                _check_header(lines.pop(0), segment)
                header = False
            rows += len(lines)
            if rows > segment.rows:
                raise _changed(segment, "it has more rows than HEAD says")
            if lines:
                yield await to_thread.run_sync(_decoded, lines, segment)
    except FileNotFoundError as error:
        raise _changed(segment, "it is missing") from error
    if rest or rows != segment.rows or digest.hexdigest() != segment.sha256:
        raise _changed(segment, "it is not what HEAD says")


def mergeable(segments: Iterable[SegmentEntry], least: int) -> tuple[SegmentEntry, ...]:
    """Return the segments of one unit that can become one, in order: its newest, while they stay small together."""
    units: dict[str, list[SegmentEntry]] = {}
    for entry in sorted(segments, key=lambda entry: entry.order):
        units.setdefault(entry.unit, []).append(entry)
    for entries in units.values():
        tail: list[SegmentEntry] = []
        total = level = 0
        for entry in reversed(entries):
            # One that is wider than all newer ones together waits until they are as wide: inputs are kept for former
            # generations, and a row that is copied by every merge would be kept hundreds of times.
            level = level or (len(tail) if entry.rows > total > 0 else 0)
            total += entry.rows
            if total > MERGED_ROWS:
                break
            tail.append(entry)
        level = level or len(tail)
        if level >= least:
            return tuple(reversed(tail[:level]))
        if len(tail) >= (least if least <= _PAIR else _LEVELS * least):
            return tuple(reversed(tail))
    return ()


def merged_lines(bodies: Iterable[bytes], *, history: bool = False) -> list[bytes]:
    """Return the rows of several segments with only the last one of each key, in the order of those.

    With `history`, the last one of each version of a key stays: it says where that version lies, and since when.
    """
    last: dict[bytes, bytes] = {}
    for body in bodies:
        for line in body.split(b"\n")[1:-1]:
            row = _KEYS.decode(line)
            key = bytes(row.key) + (f"\0{row.op}\0{row.container}\0{row.path}".encode() if history else b"")
            last.pop(key, None)
            last[key] = line
    return list(last.values())


def unit_of(body: bytes) -> str:
    """Return the unit that a segment's header names."""
    return str(json.loads(body.partition(b"\n")[0])["unit"])


def entry_of(name: str, body: bytes) -> SegmentEntry:
    """Return the line of HEAD that a segment had, from the segment alone.

    Raises:
        DestinationChanged: it is no segment.
        SettingsError: a newer version wrote it.
    """
    first, _, rest = body.partition(b"\n")
    entry = SegmentEntry(name, rest.count(b"\n"), hashlib.sha256(body).hexdigest(), 0, 0)
    _check_header(first, entry.ref())
    header = json.loads(first)
    epoch, seq = header.get("epoch"), header.get("seq")
    if not isinstance(epoch, int) or not isinstance(seq, int) or min(epoch, seq) < 0 or not body.endswith(b"\n"):
        raise _changed(entry.ref(), "it is cut short, or no segment")
    return msgspec.structs.replace(entry, epoch=epoch, seq=seq)


def _decoded(lines: Sequence[bytes], segment: SegmentRef) -> list[ManifestRow]:
    try:
        return [decode_row(line) for line in lines]
    except ValueError as error:
        raise _changed(segment, str(error)) from error


def _check_header(line: bytes, segment: SegmentRef) -> None:
    try:
        header = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _changed(segment, "its first line is no header") from error
    written = header.get("format") if isinstance(header, dict) else None
    if not isinstance(written, int):
        raise _changed(segment, "its first line is no header")
    if written > FORMAT:
        message = f"manifest segment {segment.name} has format {written}; this version reads up to {FORMAT}"
        raise SettingsError(message, hint="use the newer syncer that wrote it")


def _changed(segment: SegmentRef, what: str) -> DestinationChanged:
    message = f"manifest segment {segment.name}: {what}"
    return DestinationChanged(message, hint="restore it from a copy, or run `syncer repair`")
