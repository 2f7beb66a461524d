"""One pass over a project: everything, or what changed since the last pass and, if counts disagree, everything lean.

Whatever happens to annotations moves their task's `updated_at`; only a deleted task leaves no trace. So after a
delta the server's count is compared with the last one plus what came and minus what left: if it differs, a sweep of
ids and times follows in the same pass. Rows become visible later than their times say, hence the overlap; and a
count can be overtaken by an annotator, hence a second look before a sweep.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from syncer.model.refs import ItemKey, Page
from syncer.ports import Known, Selection
from syncer.sources.label_studio.cursor import Position
from syncer.sources.label_studio.documents import Reader, Unreadable
from syncer.sources.label_studio.listing import Listing
from syncer.sources.label_studio.queries import Filter, annotated, changed_before, changed_since
from syncer.sources.label_studio.rows import Row, moment_of, page_of
from syncer.sources.label_studio.server import Server
from syncer.sources.label_studio.spans import OPEN, Chunk, Span
from syncer.sources.label_studio.tally import Tally
from syncer.sources.label_studio.windows import chunks

#: Rows of one page at most: what is compared with the checkpoint in one query.
PAGE = 1000
#: How often changes are looked at before a count that disagrees is believed.
LOOKS = 2


@dataclass(slots=True)
class Changes:
    """A pass of one project, from a position on."""

    server: Server
    reader: Reader
    known: Known
    select: Selection
    at: Position
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        """Count as the options allow it."""
        self.tally = Tally(self.reader)

    async def pages(self) -> AsyncGenerator[Page]:
        """Yield the pages of the pass, each with the cursor behind it; the last has `end` set."""
        if self.at.stage == "rest":
            self.at = replace(self.at, stage="delta")
        elif self.at.stage != "full":
            self.at = replace(self.at, torn=True)
        if self.at.stage == "delta":
            while self.at.looks < LOOKS:
                listing = self.server.lean(self.reader, self._changed, wide=True)
                async with aclosing(self._delta(listing)) as pages:
                    async for page in pages:
                        yield page
                if self._is_due:
                    break
                if self._windowed or await self._adds_up(listing):
                    yield Page(cursor=self.at.ended(complete=False).cursor(), end="delta")
                    return
                self.at = replace(self.at, looks=self.at.looks + 1, after=0)
        async with aclosing(self._everything()) as pages:
            async for page in pages:
                yield page
        complete = not (self._windowed or self.at.doubtful)
        ended = self.at.ended(complete=complete)
        if self.at.torn or self.tally.unmet:
            # What was deleted between the delta and the sweep counts as seen: the next pass sweeps again.
            ended = replace(ended, full_at=None)
        yield Page(cursor=ended.cursor(), end="full" if complete else "delta")

    # ------------------------------------------------------------------------------------- what changed

    @property
    def _changed(self) -> tuple[Filter, ...]:
        """What a delta asks for: changes since the watermark, or (a second look) since this pass began."""
        since = (self.tally.fresh_since if self.at.looks else None) or self.at.watermark
        moments = [moment for moment in (since, self.select.since) if moment is not None]
        return (changed_since(max(moments)), *self._until)

    async def _delta(self, listing: Listing) -> AsyncGenerator[Page]:
        span: Span | None = Span(self.at.after + 1, OPEN)
        while span is not None:
            chunk = await listing.chunk(span)
            self._begin(listing)
            async for page in self._paged(chunk):
                yield page
            span = chunk.rest

    def _begin(self, listing: Listing) -> None:
        """Note the time of the pass's first response; without one the watermark stays where it is."""
        date = listing.first_date
        if date is None:
            return
        if self.tally.fresh_since is None:
            self.tally.begin(date)
        if self.at.start is None:
            self.at = replace(self.at, start=date - self._overlap)

    async def _adds_up(self, listing: Listing) -> bool:
        filters, every = self.tally.filters
        try:
            return await listing.count(*filters, every=every) == self.at.base + self.at.moved
        except Unreadable:
            # Only rows that nobody can read: a deletion shows when the next complete listing is due.
            return True

    @property
    def _is_due(self) -> bool:
        """Whether a complete listing has to follow, whatever the counts say."""
        if self._windowed:
            return False
        full_at, start = self.at.full_at, self.at.start
        patience = timedelta(seconds=self.server.options.full_every)
        # A pass begins by a `Date` header of whole seconds less what the answer took: the second of two passes in one
        # second can seem to begin first, and a server without that header has no time at all. «Always» asks neither.
        return full_at is None or not patience or (start is not None and start - full_at >= patience)

    # --------------------------------------------------------------------------------------- everything

    async def _everything(self) -> AsyncGenerator[Page]:
        if self.at.stage == "delta" or self.at.start is None:
            await self._begin_everything()
        at = self.at
        if at.after >= at.ceiling:
            return
        filters = (*([annotated()] if at.narrowed else []), *self._window)
        listing = (self.server.whole if at.inline else self.server.lean)(self.reader, filters)
        total: int | None = None
        span = Span(at.after + 1, at.ceiling)
        async with aclosing(chunks(listing, span, self.server.options.read_ahead)) as found:
            async for chunk in found:
                if total is None and self.reader.kind == "task":
                    total = self.at.moved + chunk.total
                self.at = replace(self.at, doubtful=self.at.doubtful or chunk.doubtful)
                async for page in self._paged(chunk, total):
                    yield page

    async def _begin_everything(self) -> None:
        """Ask for the highest id: what is newer belongs to the next delta."""
        listing = self.server.lean(self.reader)
        ceiling, newest = await listing.newest()
        self._begin(listing)
        base, created = self.tally.base(newest.total), _newest(newest.rows)
        can_narrow = not self.reader.choice.include_cancelled
        if self.at.stage == "delta":
            # What is not finished any more was on the delta, and withdrawn there.
            sweep = self.at.sweeping()
            self.at = replace(sweep, ceiling=ceiling, base=base, created=created, narrowed=can_narrow)
            return
        start = self.at.start
        if start is None and newest.rows:
            # No `Date` header: the newest task's time is a moment of the server's clock, too.
            start = moment_of(newest.rows[0].updated_at) - self._overlap
        fresh = self.known.live == 0
        self.at = replace(
            self.at,
            start=start,
            ceiling=ceiling,
            base=base,
            created=created,
            inline=fresh or self.known.refetch,
            # Known items that are not finished any more have to be listed to be withdrawn.
            narrowed=fresh and can_narrow,
        )

    # --------------------------------------------------------------------------------------------- pages

    async def _paged(self, chunk: Chunk, total: int | None = None) -> AsyncGenerator[Page]:
        for first in range(0, len(chunk.rows), PAGE):
            rows = chunk.rows[first : first + PAGE]
            last = first + PAGE >= len(chunk.rows)
            yield await self._page(rows, chunk.through if last else rows[-1].id, total)

    async def _page(self, rows: Sequence[Row], through: int, total: int | None) -> Page:
        delta = self.at.stage == "delta"
        if delta and self.tally.of_finished:
            asked = [key for row in rows for key in row.keys]
        else:
            asked = [item.key for row in rows for item in row.others]
        asked += [item.key for row in rows for item in row.lost]
        known = await self.known.has(asked) if asked and self.known.live else frozenset[ItemKey]()
        moved = self.tally.changed(rows, known, self.at.created) if delta else self.tally.listed(rows)
        if delta:
            newest = max((moment for moment in (self.at.newest, _newest(rows)) if moment), default=None)
            self.at = replace(self.at, newest=newest)
        self.at = replace(self.at, after=rows[-1].id if delta else through, moved=self.at.moved + moved)
        return page_of(rows, known, self.at.cursor(), total, closes=not self._windowed)

    # ------------------------------------------------------------------------------------------ the job

    @property
    def _overlap(self) -> timedelta:
        return timedelta(seconds=self.server.options.overlap)

    @property
    def _windowed(self) -> bool:
        """Whether the job wants a window of time: then absence proves nothing."""
        return self.select.since is not None or self.select.until is not None

    @property
    def _until(self) -> tuple[Filter, ...]:
        return (changed_before(self.select.until),) if self.select.until is not None else ()

    @property
    def _window(self) -> tuple[Filter, ...]:
        since = (changed_since(self.select.since),) if self.select.since is not None else ()
        return (*since, *self._until)


def _newest(rows: Sequence[Row]) -> datetime | None:
    """Return when the newest of some tasks was created."""
    return max((moment_of(row.created_at) for row in rows if row.created_at), default=None)
