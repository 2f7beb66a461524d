"""The cursor of a partition: everything that a pass needs to go on after anything, as versioned JSON."""

from datetime import datetime
from typing import Literal

import msgspec

from syncer.model.refs import Cursor
from syncer.net.pages import applying


class Position(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    # The format: a cursor of another one does not decode, and the partition is listed anew, which loses nothing.
    tag_field="v",
    tag=1,
    rename={"stage": "pass"},
):
    """Where a partition's listing stands."""

    #: full: everything is being listed. rest: the pass has ended.
    stage: Literal["full", "rest"] = "full"
    #: Short name of the options and the time window that were listed with.
    under: str
    #: The platform's own cursor of the next page; None: the first.
    page: str | None = None
    #: What the batches looked like when the last complete listing began, and when the running one did.
    mark: str = ""
    start: str = ""
    #: When the last complete listing began, and the running one.
    full_at: datetime | None = None
    began: datetime | None = None
    #: Items of the running or of the last complete listing.
    count: int = 0
    #: Some row of the running listing could not be read: it deletes nothing.
    doubtful: bool = False

    def cursor(self) -> Cursor:
        """Return the text form."""
        return Cursor(_ENCODER.encode(self).decode())

    def ended(self, *, torn: bool) -> "Position":
        """Return the position after a complete listing.

        `torn`: parts of it were listed by an earlier process, so repeats across the parts went unnoticed: what
        comes next is complete again, as after a doubtful one.
        """
        at = None if torn or self.doubtful else self.began
        return Position(stage="rest", under=self.under, mark=self.start, full_at=at, count=self.count)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Position)


def read_cursor(text: Cursor | None, under: str) -> Position | None:
    """Read a cursor; None if there is none that applies: another format, other options, another time window."""
    return applying(_DECODER, text, under)
