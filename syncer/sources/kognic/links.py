"""Signed links: when they run out, and new ones from the page that they stood on. A link is only ever a hint."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import anyio
import msgspec

from syncer.model.refs import PartitionKey
from syncer.ports import Clock
from syncer.sources.kognic.naming import Found

#: A link is not used any more when less than this many seconds, or this share of its life, is left.
MARGIN = 30.0
SHARE = 0.25
#: Pages whose new links are remembered.
PAGES = 32

#: Reads a page anew: partition and the platform's cursor of the page.
Relist = Callable[[PartitionKey, str | None], Awaitable[Sequence[Found]]]


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
    found = {name.lower(): value for name, value in parse_qsl(urlsplit(link).query)}
    for vendor in ("x-goog", "x-amz"):
        made, life = found.get(f"{vendor}-date"), found.get(f"{vendor}-expires")
        if made is not None and life is not None and life.isdecimal():
            try:
                start = datetime.strptime(made, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            except ValueError:
                return False
            seconds = float(life)
            return now >= start + timedelta(seconds=seconds - min(MARGIN, seconds * SHARE))
    return False


@dataclass(slots=True)
class _Page:
    """A page that is being asked for again, or was."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    rows: Sequence[Found] = ()


@dataclass(slots=True)
class Links:
    """New links for old ones: one listing request a page, however many items wait for it."""

    relist: Relist
    clock: Clock
    _pages: OrderedDict[tuple[PartitionKey, str | None], _Page] = field(default_factory=OrderedDict)

    def usable(self, link: str) -> bool:
        """Tell whether a link may be tried."""
        return not is_stale(link, self.clock.now())

    async def renewed(
        self, partition: PartitionKey, hint: Hint, scene: str, version: str, refused: str | None
    ) -> Found | None:
        """Return the row of a scene with a link that is neither near its end nor the refused one.

        The version that was listed is preferred; where the page shows only another one of the scene, that one.
        None: the row is not on this page any more.

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
            if row is None or row.uri is None or row.uri == refused or not self.usable(row.uri):
                page.rows = await self.relist(partition, hint.page)
                row = _row_of(page.rows, scene, version)
            return row


def _row_of(rows: Sequence[Found], scene: str, version: str) -> Found | None:
    mine = [row for row in rows if row.scene == scene]
    exact = [row for row in mine if row.created == version]
    if exact:
        return exact[0]
    return mine[0] if len(mine) == 1 else None
