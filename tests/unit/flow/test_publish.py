"""Manifest segments: rows are read a few at a time, and the same rows always make the same segments."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from syncer.flow import publish
from syncer.flow.publish import Publisher
from syncer.model.checkpoint import OutboxRow
from syncer.ports import SegmentRef
from syncer.schedule.clock import SystemClock

#: Seven rows of one epoch, then four of the next.
ROWS = [OutboxRow(seq, 1 if seq <= 7 else 2, b"row %d" % seq) for seq in range(1, 12)]


@dataclass(slots=True)
class Waiting:
    """The part of a ledger that holds rows until they are sent, and of a manifest that takes them."""

    most: int = 0
    sent_to: int = 0
    segments: list[tuple[int, int, bytes, int]] = field(default_factory=list)

    async def outbox(self, _leg: str, limit: int, after: int = 0) -> Sequence[OutboxRow]:
        """Return rows behind a number."""
        self.most = max(self.most, limit)
        return [row for row in ROWS if row.seq > after][:limit]

    async def sent(self, _leg: str, last: int) -> None:
        """Note how far rows are sent."""
        self.sent_to = last

    async def checkpoint(self, _leg: str) -> dict[str, object]:
        """Return nothing of interest."""
        return {}

    async def put_segment(self, _unit: str, epoch: int, seq: int, lines: Sequence[bytes]) -> SegmentRef:
        """Keep a segment."""
        body = b"\n".join(lines)
        rows = body.count(b"\n") + 1
        self.segments.append((epoch, seq, body, rows))
        return SegmentRef(str(seq), rows, "", epoch, seq)

    async def move_head(self, **_what: object) -> int:
        """Move nothing."""
        return 1


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 100])
async def test_segments_do_not_depend_on_how_many_rows_are_read_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment has so many rows at most, all of one epoch, and is named after its first."""
    monkeypatch.setattr(publish, "SEGMENT_ROWS", 5)
    monkeypatch.setattr(publish, "READ_ROWS", at_once)
    waiting = Waiting()
    sink = SimpleNamespace(name="zip", on_delete="keep", immediate=False, lasting=True)
    leg = SimpleNamespace(sink=sink, manifest=waiting)
    publisher = Publisher("run", "unit", waiting, SystemClock(), lambda _: None)  # type: ignore[arg-type]  # the part that is used
    await publisher.flush(leg)  # type: ignore[arg-type]  # the part that is used
    assert waiting.segments == [
        (1, 1, b"row 1\nrow 2\nrow 3\nrow 4\nrow 5", 5),
        (1, 6, b"row 6\nrow 7", 2),
        (2, 8, b"row 8\nrow 9\nrow 10\nrow 11", 4),
    ]
    assert (waiting.sent_to, waiting.most) == (11, min(at_once, 5))
