"""The cursor of a partition: everything that a pass needs to go on after anything, as versioned JSON."""

from datetime import datetime
from typing import Literal

import msgspec

from syncer.model.refs import Cursor
from syncer.net.pages import applying

#: full: everything, from nothing. delta: what changed since the watermark. rest: the pass has ended.
Stage = Literal["full", "delta", "rest"]


class Position(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    # The format: a cursor of another one does not decode, and the partition is listed anew, which loses nothing.
    tag_field="v",
    tag=1,
    rename={"stage": "pass", "after": "progress"},
):
    """Where a listing stands. Times are the server's."""

    stage: Stage
    #: Short name of the options and the time window that were listed with.
    under: str
    #: From where the running delta lists, or the next one will.
    watermark: datetime | None = None
    #: What the watermark becomes when this pass ends: the time of its first response minus the overlap.
    start: datetime | None = None
    #: Ids of inputs: everything up to the last is covered; the others are to go back to if that one is deleted.
    after: tuple[str, ...] = ()
    #: The frozen upper end of the running delta, and up to when it is covered.
    upper: datetime | None = None
    reached: datetime | None = None
    #: How many inputs there were when the last complete listing began; None: unknown.
    inputs: int | None = None
    #: Digest of the ids of the batch's inputs when they were listed.
    members: str = ""
    #: Items that the last complete listing showed.
    listed: int = 0
    #: When the last complete pass began.
    full_at: datetime | None = None
    #: Something could not be listed for sure: this pass deletes nothing.
    doubtful: bool = False

    def cursor(self) -> Cursor:
        """Return the text form."""
        return Cursor(_ENCODER.encode(self).decode())

    def ended(self, *, complete: bool) -> "Position":
        """Return the position after the end of a pass; `complete`: everything was listed."""
        watermark = self.start or self.watermark
        return Position(
            stage="rest",
            under=self.under,
            watermark=watermark,
            inputs=self.inputs,
            members=self.members,
            listed=self.listed,
            full_at=watermark if complete else self.full_at,
        )


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Position)


def read_cursor(text: Cursor | None, under: str) -> Position | None:
    """Read a cursor; None if there is none that applies: another format, other options, another time window."""
    return applying(_DECODER, text, under)
