"""Publishing: staged containers get their final names, rows become manifest rows, HEAD moves.

The order is the invariant: write, seal, commit, publish, manifest, report. Every step is idempotent and
rolls forward, so a run that died between two of them is finished by the next one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from syncer.flow.legs import LegRun
from syncer.model.checkpoint import OutboxRow
from syncer.model.entries import Container, Leg, Published, StoredRow
from syncer.model.errors import LegFailed
from syncer.model.events import Emit, HeadMoved, PublishedLeg, SegmentSent, Staged, Warned
from syncer.model.refs import ItemKey
from syncer.ports import Claim, Clock, Ledger, SegmentRef, Unit

#: Rows of one manifest segment, at most; it is built in memory.
SEGMENT_ROWS = 5_000
#: Rows that are read in one go: as objects of their own they take twice the room that they have in a segment.
READ_ROWS = 1_000


class HeadMove(msgspec.Struct, frozen=True):
    """What HEAD of a manifest is to be told of one unit: all of it is durable beside the data."""

    segments: Sequence[SegmentRef]
    containers: Sequence[Container]
    dropped: Sequence[str]
    #: The unit's checkpoint as it was after the last of these rows.
    checkpoint: Mapping[str, object]


class Heads(Protocol):
    """Somebody who moves HEAD for many units at once: two thousand of them would get in each other's way."""

    def note(self, leg: Leg, unit: str, move: HeadMove) -> Callable[[Any], object]:
        """Return what takes note of a move, to be done by the transaction that forgets the rows in it."""


class Publisher(msgspec.Struct, frozen=True):
    """Publishes the legs of one unit."""

    run: str
    unit: str
    ledger: Ledger
    clock: Clock
    emit: Emit
    #: Who moves HEAD; None: this publisher does.
    heads: Heads | None = None
    #: Whose unit it is, for destinations to look at.
    claims: Mapping[Leg, Claim] = msgspec.field(default_factory=dict)

    async def catch_up(self, leg: LegRun, unit: Unit) -> int | None:
        """Write what a dead run left unsent; let HEAD name the containers as the checkpoint does."""
        if leg.sink.immediate:
            return await self.flush(leg)
        known = {one.name: one for one in (await self.ledger.legs())[leg.sink.name].containers}
        head = await leg.manifest.head()
        listed = {} if head is None else head.containers
        holds = leg.sink.holds(unit)
        ours = {name: one for name, one in known.items() if holds(name)}
        stale = [one for name, one in ours.items() if listed.get(name) != one]
        # A checkpoint without any container of the unit proves nothing: HEAD keeps what it has.
        gone = [name for name in listed if name not in ours and holds(name)] if ours else []
        return await self.flush(leg, stale, gone)

    async def publish(self, leg: LegRun) -> int | None:
        """Make everything committed of a leg readable and listed; return HEAD's generation if it moved."""
        containers: Sequence[Container] = ()
        dropped: Sequence[str] = ()
        if not leg.sink.immediate:
            published = await self._swap(leg)
            containers, dropped, leg.worn = published.containers, published.dropped, published.worn
        generation = await self.flush(leg, containers, dropped)
        if self.heads is None and leg.sink.lasting and not leg.sink.immediate:
            # What was announced is done by now, also by a compaction that died on the way; HEAD says so.
            await leg.manifest.snapshots.release(leg.holds)
        return generation

    async def _swap(self, leg: LegRun) -> Published:
        """Stage, record, swap, record: each step in the checkpoint before the next one begins."""
        name = leg.sink.name
        swaps = await leg.session.stage()
        if swaps is None:
            # No archive changes, but rows may (an item was withdrawn and is kept): they become readable as they are.
            state = (await self.ledger.legs())[name]
            published = Published(resume=state.resume)
            if not state.pending:
                return published
        else:
            await self.ledger.stage(name, swaps)
            self.emit(Staged(name))
            published = await leg.session.publish(swaps)
        items = await self.ledger.publish(name, published, self.run, self.clock.now())
        await leg.session.settle()
        self.emit(PublishedLeg(name, len(published.containers), items))
        return published

    async def flush(self, leg: LegRun, containers: Sequence[Container] = (), dropped: Sequence[str] = ()) -> int | None:
        """Write waiting manifest rows as segments, then move HEAD once; unsent rows of a dead run go the same way.

        Readers never see half of a publish: HEAD names all its segments and containers in one step, and only then the
        checkpoint beside it names a cursor that has passed their items.
        """
        name = leg.sink.name
        gone = _Gone(deletes=leg.sink.on_delete == "delete")
        segments: list[SegmentRef] = []
        last = 0
        while (found := await self._segment(leg, last, gone)) is not None:
            segment, last = found
            segments.append(segment)
        if not segments and not containers and not dropped:
            return None
        if self.heads is not None and not gone.rows:
            move = HeadMove(segments, containers, dropped, await self.ledger.checkpoint(name))
            await self.ledger.sent(name, last, self.heads.note(name, self.unit, move))
            return None
        # What is to be removed waits for nobody: the row that says so is told first, by us.
        generation = await self._move(leg, segments, containers, dropped, removes=bool(gone.rows) and leg.sink.lasting)
        # Bytes go after the row that says so, and before the row is forgotten: a crash repeats it, harmlessly.
        await self._remove(leg, gone)
        if segments:
            await self.ledger.sent(name, last)
        return generation

    async def _segment(self, leg: LegRun, after: int, gone: "_Gone") -> tuple[SegmentRef, int] | None:
        """Write the next segment of rows behind a number; return it with the number of its last row, None at the end.

        What its rows say is gone is noted. The same rows always make the same segment.
        """
        name, parts = leg.sink.name, list[bytes]()
        first: OutboxRow | None = None
        count, last = 0, after
        while count < SEGMENT_ROWS:
            rows = await self.ledger.outbox(name, min(READ_ROWS, SEGMENT_ROWS - count), last)
            if not rows:
                break
            if first is None:
                first = rows[0]
            lines = [row.line for row in rows if row.epoch == first.epoch]
            if not lines:
                break
            if leg.sink.immediate:
                gone.note(lines)
            parts.append(b"\n".join(lines))
            count, last = count + len(lines), rows[len(lines) - 1].seq
        if first is None:
            return None
        segment = await leg.manifest.put_segment(self.unit, first.epoch, first.seq, parts)
        self.emit(SegmentSent(name, segment.rows))
        return segment, last

    async def _remove(self, leg: LegRun, gone: "_Gone") -> None:
        if not gone.rows:
            return
        rows = dict(gone.rows)
        if leg.sink.lasting:
            for _, path in (await leg.manifest.snapshots.held([(None, path) for path in rows])).places:
                del rows[path]
        try:
            # A place that an item left may be another's by now, also that of another unit.
            async with self.ledger.vacating(leg.sink.name, rows.keys()) as free:
                await leg.session.remove([row for path, row in rows.items() if path in free])
        except LegFailed as error:
            if gone.deletes:
                raise
            # The manifest no longer names them: what is left over is untidy, not wrong.
            self.emit(Warned(f"sink {leg.sink.name}: old objects could not be removed: {error}"))

    async def _move(
        self, leg: LegRun, segments: Sequence[SegmentRef], containers: Sequence[Container], dropped: Sequence[str], *,
        removes: bool,
    ) -> int:  # fmt: skip
        claim = self.claims.get(leg.sink.name)
        generation = await leg.manifest.move_head(
            segments=segments,
            containers=containers,
            dropped=dropped,
            checkpoint={self.unit: await self.ledger.checkpoint(leg.sink.name)},
            removes=removes,
            still=None if claim is None else partial(leg.manifest.claim, claim),
        )
        self.emit(HeadMoved(leg.sink.name, generation))
        return generation


class _Gone(msgspec.Struct):
    """Objects that manifest rows say are no longer there, by path."""

    #: A deleted item takes its object with it.
    deletes: bool
    rows: dict[str, StoredRow] = msgspec.field(default_factory=dict)

    def note(self, lines: Sequence[bytes]) -> None:
        """Note what lines delete, and what moved away; a later line may have put something there again."""
        for line in lines:
            # Most lines say nothing of the kind, and are not read.
            if self.deletes or self.rows or b'"left":' in line:
                self._note(json.loads(line))

    def _note(self, line: Mapping[str, Any]) -> None:
        if line["op"] == "put":
            if line.get("left"):
                self.rows[line["left"]] = _row(line, line["left"])
            self.rows.pop(line["path"], None)
        elif line["op"] == "delete" and self.deletes:
            self.rows[line["path"]] = _row(line, line["path"])


def _row(line: Mapping[str, Any], path: str) -> StoredRow:
    key = line["key"]
    item = ItemKey(key["kind"], key["project"], key["batch"], key["annotation_type"], key["item"])
    return StoredRow(item, line["version"], path, line["container"], line["size"], line["sha256"])
