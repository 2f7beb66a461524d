"""One pass over a dataset: all assets, and the annotations of those that look other than at the end of the last pass.

There is no feed of changes or deletions. So every pass lists all assets, a thousand a request. An asset whose etag,
times, status and count are as they were keeps its annotations unasked; the others are asked, side by side. At the end
absence proves deletion, unless the platform counts more assets than were met, or annotations are being imported.
"""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import msgspec
from msgspec.structs import replace

from syncer.model.errors import HttpError, PartitionGone, PermissionRefused, Rejected, Unauthorized
from syncer.model.refs import AnnotationRef, BrokenRow, GroupKey, ItemKey, Page, Withdrawal
from syncer.net.ahead import in_order
from syncer.ports import Known, Selection
from syncer.sources.datature.choice import Choice
from syncer.sources.datature.cursor import Position
from syncer.sources.datature.documents import Parts, Reader, Row, with_refs
from syncer.sources.datature.listing import AssetPage, Listed, Listing, NotTogether
from syncer.sources.datature.media import Media, without_links
from syncer.sources.datature.memory import Memory
from syncer.sources.datature.options import DatatureOptions
from syncer.sources.datature.wire import Asset

#: Items and bytes of one page at most: what is compared with the checkpoint in one query.
ITEMS, BYTES = 1000, 4 << 20
#: A memory above so many characters is written into a cursor once in so many pages of assets only.
LONG, SELDOM = 64 << 10, 16
#: So many assets, and this share of the last `WINDOW`, fail alike: the platform is down, not the assets.
DOWN_ASSETS, DOWN_SHARE, WINDOW = 20, 0.5, 100

_NOTHING: frozenset[ItemKey] = frozenset()


#: An asset, what came of it (None: its items are as they were; a text: why they do not count), and what is held of it.
Look = tuple[Listed, Row | str | None, frozenset[ItemKey]]


class _Batch(msgspec.Struct):
    """A page in the making."""

    refs: list[AnnotationRef] = msgspec.field(default_factory=list)
    broken: list[BrokenRow] = msgspec.field(default_factory=list)
    withdrawn: list[Withdrawal] = msgspec.field(default_factory=list)
    closes: list[GroupKey] = msgspec.field(default_factory=list)
    keeps: list[GroupKey] = msgspec.field(default_factory=list)
    filtered: int = 0
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether it is time to hand it on."""
        return len(self.refs) + len(self.withdrawn) >= ITEMS or self.size >= BYTES

    def page(self, position: Position | None) -> Page:
        """Return it, with the cursor behind it."""
        return Page(
            refs=tuple(self.refs), closes=tuple(self.closes), keeps=tuple(self.keeps),
            withdrawn=tuple(self.withdrawn), broken=tuple(self.broken), filtered=self.filtered,
            cursor=None if position is None else position.cursor(),
        )  # fmt: skip


@dataclass(slots=True)
class Changes:
    """A pass over one partition, from a position on."""

    listing: Listing
    reader: Reader
    choice: Choice
    options: DatatureOptions
    known: Known
    select: Selection
    at: Position
    #: Files of assets are items, too.
    media: Media | None = None
    memory: Memory = field(init=False)
    _importing: bool = field(default=False, init=False)
    _pages: int = field(default=0, init=False)
    _failures: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW), init=False)

    def __post_init__(self) -> None:
        """Recall the last pass."""
        self.memory = Memory.read(self.at.memory)

    async def pages(self) -> AsyncGenerator[Page]:
        """Yield the pages of the pass, each with the cursor behind it; the last has `end` set."""
        torn = self.at.token is not None or bool(self.at.after)
        self._importing = await self.listing.importing()
        async with aclosing(self._everything()) as pages:
            async for page in pages:
                yield page
        proves = not self._windowed and await self._saw_everything()
        self.at = replace(self.at, doubtful=not proves)
        # Only a process that saw all of the pass knows which assets are there no more.
        memory = self.memory.text() if torn else self.memory.noted()
        yield Page(cursor=self.at.ended(memory).cursor(), end="full" if proves else "delta")

    async def _saw_everything(self) -> bool:
        if self.at.doubtful or self._importing:
            return False
        count = await self.listing.count()
        return (count is None or count <= self.at.met) and not await self.listing.importing()

    # ---------------------------------------------------------------------------------------- assets

    async def _everything(self) -> AsyncGenerator[Page]:
        """Yield from where the pass stands; from its beginning where that place means nothing any more."""
        while True:
            place, before = self.at.token, self._pages
            try:
                async with aclosing(self._assets()) as pages:
                    async for page in pages:
                        yield page
            except (NotTogether, Rejected, PartitionGone) as error:
                # The token of an earlier process may have lapsed.
                stale = place is not None and self._pages == before
                if not stale and not isinstance(error, NotTogether):
                    raise
                chain = self.at.chain if stale else "assets"
                self.at = replace(self.at, chain=chain, token=None, after="", met=0)
            else:
                return

    async def _assets(self) -> AsyncGenerator[Page]:
        # While the annotations of one page are asked for, the next page comes.
        listed = self.listing.assets(self.at.chain, self.at.token)
        async with aclosing(listed), aclosing(in_order(_ready(listed), 2)) as pages:
            async for page in pages:
                self._begin(page.date)
                async with aclosing(self._page(self._rest(page))) as parts:
                    async for batch, after in parts:
                        within = after and len(self.at.memory) <= LONG
                        yield batch.page(
                            self._here(replace(self.at, token=page.token, after=after)) if within else None
                        )
                self._pages += 1
                self.at = replace(self.at, token=page.next, after="", met=self.at.met + len(page.assets))
                if page.next is not None and (len(self.at.memory) <= LONG or self._pages % SELDOM == 0):
                    self.at = self._here(self.at)
                    yield Page(cursor=self.at.cursor())

    def _here(self, position: Position) -> Position:
        """Return a position with what was noted up to it: whoever goes on from there forgets nothing."""
        return replace(position, memory=self.memory.text())

    def _begin(self, date: datetime | None) -> None:
        """Note the time of the pass's first response; without one nothing counts as old."""
        if self.at.start is None and date is not None:
            self.at = replace(self.at, start=date - timedelta(seconds=self.options.overlap))

    def _rest(self, page: AssetPage) -> Sequence[Listed]:
        """Return what of a page an earlier process did not cover."""
        if not self.at.after:
            return page.assets
        names = [listed.id for listed in page.assets]
        if self.at.after in names:
            return page.assets[names.index(self.at.after) + 1 :]
        # The page is not the one that it was: nothing is skipped, and its count proves nothing.
        self.at = replace(self.at, doubtful=True)
        return page.assets

    async def _page(self, assets: Sequence[Listed]) -> AsyncGenerator[tuple[_Batch, str]]:
        """Yield the items of a page of assets in batches, each with the last asset that it covers."""
        members: Mapping[GroupKey, frozenset[ItemKey]] = {}
        if self.known.live:
            members = await self.known.members([GroupKey(listed.id) for listed in assets])
        batch = _Batch()
        jobs = (partial(self._look, listed, members.get(GroupKey(listed.id), _NOTHING)) for listed in assets)
        async with aclosing(in_order(iter(jobs), self.options.read_ahead)) as looks:
            async for listed, row, held in looks:
                self._take(batch, listed, row, held)
                if batch.full:
                    yield batch, listed.id
                    batch = _Batch()
        yield batch, ""

    # --------------------------------------------------------------------------------------- one asset

    async def _look(self, listed: Listed, held: frozenset[ItemKey]) -> Look:
        """Return an asset with its items, asked for where they have to be."""
        asset = listed.asset
        if asset is None:
            return listed, self._unread(listed.id, "its row in the listing can't be read"), held
        reason = self.choice.reason_against(asset)
        if reason is not None:
            return listed, reason, held
        if not self.at.complete and self._as_it_was(asset, held):
            return listed, None, held
        parts = listed.parts
        if parts is None and not (asset.total or held or self.known.full):
            parts = Parts()
        if parts is None:
            try:
                parts = await self.listing.parts(asset.asset_id)
            except (PermissionRefused, Unauthorized):
                raise
            except HttpError as error:
                self._failed(error)
                return listed, self._unread(asset.asset_id, str(error)), held
            self._failures.append(False)
        if parts is None:
            # Deleted in the meantime, or the whole dataset is: the next pass tells.
            self.at = replace(self.at, doubtful=True)
            return listed, None, held
        return listed, self._row(asset, listed.raw, parts), held

    def _row(self, asset: Asset, raw: bytes, parts: Parts) -> Row:
        if self.media is None:
            return self.reader.row(asset, raw, parts)
        row = self.reader.row(asset, without_links(raw), parts)
        return with_refs(row, (*row.refs, self.media.ref(self.reader.partition, asset, raw)))

    def _as_it_was(self, asset: Asset, held: frozenset[ItemKey]) -> bool:
        if (asset.total or self.media is not None) and not held:
            return False
        changed, watermark = asset.changed_at, self.at.watermark
        if watermark is None or changed is None or changed >= watermark:
            return False
        known = self.memory.knows(asset.asset_id, asset.state())
        # One that is not remembered was stored by a pass that was interrupted, unless there are more than can be.
        return self.memory.full if known is None else known

    def _unread(self, asset: str, reason: str) -> Row:
        return Row(asset, broken=(BrokenRow(self.reader.key(asset), "", reason),), closes=False)

    def _failed(self, error: HttpError) -> None:
        self._failures.append(True)
        failed = sum(self._failures)
        if failed >= DOWN_ASSETS and failed >= DOWN_SHARE * len(self._failures):
            raise error

    def _take(self, batch: _Batch, listed: Listed, row: Row | str | None, held: frozenset[ItemKey]) -> None:
        group, asset = GroupKey(listed.id), listed.asset
        if isinstance(row, str):
            batch.withdrawn += [Withdrawal(key, row) for key in sorted(held, key=ItemKey.canonical)]
            batch.filtered += self._left_out(asset) if not held else 0
        elif row is None:
            batch.keeps += [group] if held else []
        else:
            refs = [ref for ref in row.refs if self._in_window(ref)]
            batch.filtered += len(row.refs) - len(refs)
            batch.refs += refs
            batch.broken += row.broken
            batch.size += row.size
            if held and not row.closes:
                batch.keeps.append(group)
            elif held and not self._windowed:
                (batch.keeps if self._importing else batch.closes).append(group)
        if asset is not None:
            again = isinstance(row, Row) and (not row.closes or bool(row.broken) or (self._importing and bool(held)))
            self.memory.note(listed.id, "" if again else asset.state())

    def _left_out(self, asset: Asset | None) -> int:
        if asset is None or not asset.total:
            return 0
        return asset.total if self.reader.granularity == "annotation" else 1

    # --------------------------------------------------------------------------------------- the window

    @property
    def _windowed(self) -> bool:
        """Whether the job wants a window of time: then absence proves nothing."""
        return self.select.since is not None or self.select.until is not None

    def _in_window(self, ref: AnnotationRef) -> bool:
        since, until, at = self.select.since, self.select.until, ref.updated_at
        if at is None:
            return True
        return (since is None or at >= since) and (until is None or at < until)


async def _ready(pages: AsyncGenerator[AssetPage]) -> AsyncGenerator[Callable[[], Awaitable[AssetPage]]]:
    """Yield pages as work that is done already: what is read ahead is the listing itself."""

    async def itself(page: AssetPage) -> AssetPage:
        return page

    async for page in pages:
        yield partial(itself, page)
