"""The cursor of a dataset: everything that a pass needs to go on after anything, as versioned JSON."""

from datetime import datetime
from typing import Literal

import msgspec

from syncer.model.refs import Cursor
from syncer.net.pages import applying

#: assets: pages of assets, annotations an asset at a time. objects: pages of assets with their annotations.
Chain = Literal["assets", "objects"]


class Position(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    # The format: a cursor of another one does not decode, and the dataset is listed anew, which loses nothing.
    tag_field="v",
    tag=1,
    rename={"running": "pass"},
):
    """Where a dataset's listing stands. Times are the server's."""

    #: Short name of the options and the time window that were listed with.
    under: str
    #: A pass is under way; else one has ended.
    running: bool = True
    #: It looks at the annotations of every asset, whatever is remembered.
    complete: bool = False
    chain: Chain = "assets"
    #: Token of the page that is being read, and the last asset of it that is covered.
    token: str | None = None
    after: str = ""
    #: Assets that the running pass has met.
    met: int = 0
    #: Something was not seen whole: absence proves nothing.
    doubtful: bool = False
    #: From when on changes can have been missed by the last pass, and by this one.
    watermark: datetime | None = None
    start: datetime | None = None
    #: When the last complete pass began.
    full_at: datetime | None = None
    #: See `memory`.
    memory: str = ""

    def cursor(self) -> Cursor:
        """Return the text form."""
        return Cursor(_ENCODER.encode(self).decode())

    def ended(self, memory: str) -> "Position":
        """Return the position after the end of a pass."""
        began = self.start or self.watermark
        complete = self.complete and not self.doubtful
        full_at = began if complete else self.full_at
        return Position(under=self.under, running=False, watermark=began, full_at=full_at, memory=memory)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Position)


def read_cursor(text: Cursor | None, under: str) -> Position | None:
    """Read a cursor; None if there is none that applies: another format, other options, another time window."""
    return applying(_DECODER, text, under)
