"""Signed links: when they run out, and new ones from the page that they stood on. A link is only ever a hint."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import anyio
import msgspec

from syncer.model.errors import NotFound
from syncer.model.refs import PartitionKey
from syncer.ports import Clock
from syncer.sources.kognic.naming import Found

#: A link is not used any more when less than this many seconds, or this share of its life, is left.
MARGIN = 30.0
SHARE = 0.25
#: Pages whose new links are remembered.
PAGES = 32

#: Links that are tried for one document at most.
TRIES = 4

#: Reads a page anew: partition and the platform's cursor of the page.
Relist = Callable[[PartitionKey, str | None], Awaitable[Sequence[Found]]]

#: Returns the row of a document with a link other than the refused one, and whether it was asked for just now.
Renew = Callable[[str | None], Awaitable[tuple[Found | None, bool]]]


class Hint(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """Where a listed annotation may be fetched: its link, and the page that a new one stands on."""

    uri: str
    #: The platform's cursor of the page.
    page: str | None = None
    #: Whether the link stood on a page of a listing that can be asked for again.
    paged: bool = False

    def text(self) -> str:
        """Return the form that a reference carries."""
        return msgspec.json.encode(self).decode()


def read_hint(text: str | None) -> Hint | None:
    """Read a hint; None where there is none that could be used."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Hint)
    except msgspec.DecodeError:
        return None


def is_stale(link: str, now: datetime) -> bool:
    """Tell whether a link says itself that it has run out, or nearly so.

    V4 signatures of Google and Amazon carry when they were made and how many seconds they live; of any other link
    nothing is known until it is refused.
    """
    try:
        found = {name.lower(): value for name, value in parse_qsl(urlsplit(link).query)}
    except ValueError:  # whoever opens it says that it is no URL
        return False
    for vendor in ("x-goog", "x-amz"):
        made, life = found.get(f"{vendor}-date"), found.get(f"{vendor}-expires")
        if made is not None and life is not None and life.isdecimal():
            try:
                start = datetime.strptime(made, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            except ValueError:
                return False
            seconds = float(life)
            return (now - start).total_seconds() >= seconds - min(MARGIN, seconds * SHARE)
    return False


class _Page(msgspec.Struct):
    """A page that is being asked for again, or was."""

    lock: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    rows: Sequence[Found] = ()


class Links(msgspec.Struct):
    """New links for old ones: one listing request a page, however many items wait for it."""

    relist: Relist
    clock: Clock
    _pages: OrderedDict[tuple[PartitionKey, str | None], _Page] = msgspec.field(default_factory=OrderedDict)

    def usable(self, link: str) -> bool:
        """Tell whether a link may be tried."""
        return not is_stale(link, self.clock.now())

    async def renewed(
        self, partition: PartitionKey, hint: Hint, scene: str, version: str, refused: str | None
    ) -> tuple[Found | None, bool]:
        """Return the row of a scene with a link that can be tried and is not the refused one, and whether it is new.

        The version that was listed is preferred; where the page shows only another one of the scene, that one.
        None: the row is not on this page any more. New is what was listed for this call.

        Raises:
            HttpError, PartitionGone: the page can't be listed now.
        """
        key = (partition, hint.page)
        page = self._pages.setdefault(key, _Page())
        self._pages.move_to_end(key)
        while len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        async with page.lock:
            row = _row_of(page.rows, scene, version)
            if row is not None and row.uri is not None and row.uri != refused and self.usable(row.uri):
                return row, False
            page.rows = await self.relist(partition, hint.page)
            return _row_of(page.rows, scene, version), True


class Aim(msgspec.Struct):
    """Gives the link of one document at the moment of sending: the listed one, then new ones."""

    renew: Renew
    usable: Callable[[str], bool]
    listed: str
    #: Version of the document that the given link leads to.
    version: str
    #: The last link that was given, and the last that was refused.
    given: str | None = None
    refused: str | None = None
    tries: int = 0
    #: There is no further link to try: a new one was refused, or there was none.
    spent: bool = False
    #: Where there should be a new link, the document is not listed any more.
    gone: bool = False

    async def __call__(self) -> str:
        """Return the link to use now.

        Raises:
            NotFound: there is none any more.
            HttpError, PartitionGone: it can't be asked for.
        """
        self.tries += 1
        if self.refused is None and self.usable(self.listed):
            self.given = self.listed
            return self.listed
        # Whatever goes wrong from here on would go wrong again.
        self.spent = True
        row, new = await self.renew(self.refused)
        self.spent = new or self.tries >= TRIES
        if row is None or row.uri is None:
            self.spent = self.gone = True
            message = "the document is not listed any more"
            raise NotFound(message)
        self.given, self.version = row.uri, row.created
        return row.uri


def _row_of(rows: Sequence[Found], scene: str, version: str) -> Found | None:
    mine = [row for row in rows if row.scene == scene]
    exact = [row for row in mine if row.created == version]
    if exact:
        return exact[0]
    return mine[0] if len(mine) == 1 else None
