"""How new an export has to be: as new as the last change of anything, and newer than the last time something left.

Edits and additions carry times. A deletion carries none; it shows because, of the assets that were there when the
dataset was last looked at, fewer are left. Then only an export from this moment on is sure to be without it.
"""

import hashlib
from contextlib import aclosing
from datetime import datetime, timedelta

import msgspec

from syncer.model.refs import Cursor
from syncer.sources.datature.listing import Listing
from syncer.sources.datature.wire import moment_of

#: The server's clock, as its answers tell it, knows no parts of a second.
GRAIN = timedelta(seconds=1)


class Seen(msgspec.Struct, tag_field="v", tag=2, omit_defaults=True):
    """The cursor: what the last pass saw of a dataset."""

    version: str
    #: The server's time when it began to look, and how many assets that were created before it saw.
    at: datetime | None
    count: int
    #: How new its export had to be.
    as_of: datetime | None = None
    #: Members of its export are still being listed.
    running: bool = False


_SEEN = msgspec.json.Decoder(Seen)


class Standing(msgspec.Struct, frozen=True):
    """A dataset as one look at all of its assets found it."""

    #: A digest of the state of every asset, whatever their order.
    digest: int
    #: When anything that is there changed last.
    newest: datetime | None
    #: The server's time when the look began and when it ended.
    began: datetime | None
    ended: datetime | None
    #: When each asset was created; one that does not say it was always there.
    created: tuple[datetime | None, ...]

    @classmethod
    async def of(cls, listing: Listing) -> "Standing":
        """Look at a dataset.

        Raises:
            PartitionGone, HttpError: it can't be had.
        """
        digest, newest, began, ended = 0, None, None, None
        created: list[datetime | None] = []
        async with aclosing(listing.assets("assets", None)) as pages:
            async for page in pages:
                began, ended = began or page.date, page.date
                for listed in page.assets:
                    asset = listed.asset
                    state = asset.state() if asset is not None else ""
                    # A sum, so that the order in which assets are listed says nothing.
                    digest += int.from_bytes(hashlib.sha256(f"{listed.id} {state}".encode()).digest()[:8], "big")
                    changed = asset.changed_at if asset is not None else None
                    newest = max((each for each in (newest, changed) if each is not None), default=None)
                    created.append(moment_of(asset.metadata.time_created) if asset is not None else None)
        return cls(digest % 2**64, newest, began, ended, tuple(created))

    @property
    def from_now_on(self) -> datetime | None:
        """When an export must have been made to hold nothing that was gone by the time of this look."""
        return None if self.ended is None else self.ended + GRAIN

    def before(self, moment: datetime | None) -> int:
        """Return how many of the assets are older than a moment."""
        return sum(each is None or moment is None or each < moment for each in self.created)

    def seen(self, version: str, as_of: datetime | None, *, running: bool = False) -> Cursor:
        """Return the cursor of a pass that saw this."""
        return Cursor(msgspec.json.encode(Seen(version, self.began, self.before(self.began), as_of, running)).decode())

    def as_of(self, since: Cursor | None, *, held: bool) -> datetime | None:
        """Return how new an export has to be; `held`: one is stored already."""
        before = read_cursor(since)
        if before is None:
            # Without a cursor nobody knows what left since the stored one was made.
            return self.from_now_on if held else self.newest
        if self.before(before.at) < before.count:
            return self.from_now_on
        return max((each for each in (self.newest, before.as_of) if each is not None), default=None)


def read_cursor(cursor: Cursor | None) -> Seen | None:
    """Read a cursor; None if there is none that applies."""
    try:
        return None if cursor is None else _SEEN.decode(cursor)
    except msgspec.DecodeError:
        return None
