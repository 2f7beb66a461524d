"""One pass over a project: the older API says nothing of changes, so every pass lists everything, many assets at once.

What is equal to the byte is not stored again. At the end, absence proves deletion.
"""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import msgspec
from msgspec.structs import replace

from syncer.model.errors import PartitionGone, Rejected
from syncer.model.refs import AnnotationRef, BrokenRow, Cursor, GroupKey, ItemKey, Page, Withdrawal
from syncer.net.ahead import in_order
from syncer.net.slices import Unreadable
from syncer.ports import Known, Selection
from syncer.sources.nexus.documents import Asset, Reader
from syncer.sources.nexus.listing import AssetPage, Listing

#: Items of one page at most.
ITEMS = 1000


class Position(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    # The format: a cursor of another one does not decode, and the project is listed anew, which loses nothing.
    tag_field="v",
    tag=1,
):
    """Where a listing stands."""

    #: Short name of the options and the time window that were listed with.
    under: str
    #: Token of the page that is being read, and the last asset of it that is covered.
    token: str | None = None
    after: str = ""
    #: A page was not the one that it had been: absence proves nothing.
    doubtful: bool = False

    def cursor(self) -> Cursor:
        """Return the text form."""
        return Cursor(msgspec.json.encode(self).decode())


def position(text: Cursor | None, options: str, select: Selection) -> Position:
    """Return where to go on; the beginning, if the cursor does not apply."""
    window = f"{select.since.isoformat() if select.since else ''}/{select.until.isoformat() if select.until else ''}"
    under = hashlib.sha256(f"{options} {window} {sorted(select.items)}".encode()).hexdigest()[:16]
    try:
        at = msgspec.json.decode(text or "", type=Position)
    except msgspec.DecodeError:
        return Position(under=under)
    return at if at.under == under else Position(under=under)


@dataclass(slots=True)
class Changes:
    """A pass over one partition, from a position on."""

    listing: Listing
    reader: Reader
    #: None: any status.
    statuses: frozenset[str] | None
    together: int
    read_ahead: int
    known: Known
    select: Selection
    at: Position
    #: Named items that were met.
    _met: set[str] = field(default_factory=set, init=False)

    async def pages(self) -> AsyncGenerator[Page]:
        """Yield the pages of the pass, each with the cursor behind it; the last has `end` set."""
        place, first = self.at.token, True
        try:
            async with aclosing(self._listed()) as pages:
                async for page in pages:
                    first = False
                    yield page
        except (Rejected, PartitionGone):
            # The token of an earlier process may have lapsed.
            if place is None or not first:
                raise
            self.at = Position(under=self.at.under)
            async with aclosing(self._listed()) as pages:
                async for page in pages:
                    yield page
        if missing := self._missing():
            yield Page(broken=missing)
        proves = not self._narrowed and not self.at.doubtful
        yield Page(cursor=Position(under=self.at.under).cursor(), end="full" if proves else "delta")

    async def _listed(self) -> AsyncGenerator[Page]:
        async with aclosing(self.listing.assets(self.at.token)) as pages:
            async for page in pages:
                async with aclosing(self._page(page)) as parts:
                    async for part in parts:
                        yield part
                self.at = replace(self.at, token=page.next, after="")
                if page.next is not None:
                    yield Page(cursor=self.at.cursor())

    async def _page(self, page: AssetPage) -> AsyncGenerator[Page]:
        assets = self._rest(page)
        members: Mapping[GroupKey, frozenset[ItemKey]] = {}
        if self.known.live:
            members = await self.known.members([GroupKey(asset.id) for asset in assets])
        chunks = [assets[first : first + self.together] for first in range(0, len(assets), self.together)]
        jobs = (partial(self._rows, chunk) for chunk in chunks)
        async with aclosing(in_order(iter(jobs), self.read_ahead)) as answers:
            async for chunk, items in answers:
                after = replace(self.at, token=page.token, after=chunk[-1].id).cursor()
                for first in range(0, len(items), ITEMS):
                    yield self._part(items[first : first + ITEMS])
                yield self._others(chunk, members, after)

    async def _rows(self, assets: Sequence[Asset]) -> tuple[Sequence[Asset], list[AnnotationRef | BrokenRow]]:
        wanted = {asset.id: asset for asset in assets if self._reason(asset) is None and asset.total != 0}
        if not wanted:
            return assets, []
        rows = await self.listing.annotations(list(wanted.values()))
        try:
            items = [item for row in rows if (item := self.reader.ref(row, wanted)) is not None]
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"a row of the annotations can't be read: {str(error)[:200]}") from error
        return assets, items

    def _part(self, items: Sequence[AnnotationRef | BrokenRow]) -> Page:
        refs = [item for item in items if isinstance(item, AnnotationRef)]
        chosen = [ref for ref in refs if self._is_chosen(ref)]
        broken = tuple(item for item in items if isinstance(item, BrokenRow))
        if self.select.items:
            broken = tuple(row for row in broken if row.key.item in self.select.items)
            self._met |= {ref.key.item for ref in refs} | {row.key.item for row in broken}
        return Page(refs=tuple(chosen), broken=broken, filtered=len(refs) - len(chosen))

    def _others(self, assets: Sequence[Asset], members: Mapping[GroupKey, frozenset[ItemKey]], cursor: Cursor) -> Page:
        """Return what is to be said of assets that are not finished: their stored annotations are withdrawn."""
        withdrawn: list[Withdrawal] = []
        filtered = 0
        for asset in assets:
            reason = self._reason(asset)
            if reason is None:
                continue
            held = members.get(GroupKey(asset.id), frozenset())
            withdrawn += [Withdrawal(key, reason) for key in sorted(held, key=ItemKey.canonical)]
            filtered += 0 if held else asset.total or 0
        return Page(withdrawn=tuple(withdrawn), filtered=filtered, cursor=cursor)

    def _rest(self, page: AssetPage) -> Sequence[Asset]:
        """Return what of a page an earlier process did not cover."""
        if not self.at.after:
            return page.assets
        names = [asset.id for asset in page.assets]
        if self.at.after in names:
            return page.assets[names.index(self.at.after) + 1 :]
        self.at = replace(self.at, doubtful=True)
        return page.assets

    def _reason(self, asset: Asset) -> str | None:
        if self.statuses is None or asset.status in self.statuses:
            return None
        return f"the status of its asset is {asset.status or 'not set'}"

    def _missing(self) -> tuple[BrokenRow, ...]:
        """Return named items that no page had, where this project alone is selected."""
        projects = self.select.projects
        if len(projects) != 1 or any(sign in projects[0] for sign in "*?["):
            return ()
        absent = sorted(set(self.select.items) - self._met)
        reason = f"project {self.reader.partition.project} has no such annotation, or it is not finished"
        return tuple(BrokenRow(self.reader.key(item), "", reason) for item in absent)

    @property
    def _narrowed(self) -> bool:
        return self.select.since is not None or self.select.until is not None or bool(self.select.items)

    def _is_chosen(self, ref: AnnotationRef) -> bool:
        select, at = self.select, ref.updated_at
        if select.items and ref.key.item not in select.items:
            return False
        if at is None:
            return True
        return (select.since is None or at >= select.since) and (select.until is None or at < select.until)
