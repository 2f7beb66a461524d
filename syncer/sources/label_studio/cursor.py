"""The cursor of a project: everything that a pass needs to go on after anything, as versioned JSON."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from syncer.model.refs import Cursor
from syncer.net.pages import applying

#: full: everything, from nothing. delta: what changed since the watermark. sweep: everything again, lean, after a
#: delta whose count did not come out. rest: the pass has ended.
Stage = Literal["full", "delta", "sweep", "rest"]


class Position(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    # The format: a cursor of another one does not decode, and the project is listed anew, which loses nothing.
    tag_field="v",
    tag=1,
    rename={"stage": "pass", "after": "progress"},
):
    """Where a project's listing stands. Times are the server's."""

    stage: Stage
    #: Short name of the options and the time window that were listed with.
    under: str
    #: From where the running delta lists, or the next one will.
    watermark: datetime | None = None
    #: What the watermark becomes when this pass ends: the time of its first response minus the overlap.
    start: datetime | None = None
    #: Tasks up to this id are covered by the running stage.
    after: int = 0
    #: Highest id that there was when the running listing of everything began.
    ceiling: int = 0
    #: How often the running delta has looked at everything that changed.
    looks: int = 0
    #: Creation of the newest task that `base` counts, and of the newest that the running delta showed.
    created: datetime | None = None
    newest: datetime | None = None
    #: The running full pass carries documents; the server leaves out what is not finished.
    inline: bool = False
    narrowed: bool = False
    #: The server's count at the end of the last pass, and by how much this one has moved it.
    base: int = 0
    moved: int = 0
    #: When the last complete pass began.
    full_at: datetime | None = None
    #: The delta of this pass was shown by an earlier process.
    torn: bool = False
    #: The server counted tasks that it did not serve: this pass deletes nothing.
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
            created=max((moment for moment in (self.created, self.newest) if moment), default=None),
            base=self.base + self.moved,
            full_at=watermark if complete else self.full_at,
        )

    def sweeping(self) -> "Position":
        """Return the position at the beginning of a sweep, which goes on with the pass of a delta."""
        return replace(self, stage="sweep", after=0, looks=0, newest=None, moved=0)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Position)


def read_cursor(text: Cursor | None, under: str) -> Position | None:
    """Read a cursor; None if there is none that applies: another format, other options, another time window."""
    return applying(_DECODER, text, under)
