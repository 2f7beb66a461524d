"""One pass over a partition: everything, or what changed since the last pass.

Changes are found by searching for the time of the last change; nothing that was deleted shows there, so a complete
listing is made now and then, and whenever a search says something that can't be explained.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import msgspec
from msgspec.structs import replace

from syncer.model.errors import BadBody, Forbidden, NotFound, Rejected
from syncer.model.events import Warned
from syncer.model.refs import AnnotationRef, Page
from syncer.net.ahead import Job, in_order
from syncer.ports import Known, Selection
from syncer.sources.clarifai.api import missing
from syncer.sources.clarifai.cursor import Position
from syncer.sources.clarifai.documents import Input, Item, page_of
from syncer.sources.clarifai.inputs import ANCHORS, Inputs, digest_of
from syncer.sources.clarifai.listing import MOST_INPUTS, PAIRS, Group, Listing, cut
from syncer.sources.clarifai.options import ClarifaiOptions
from syncer.sources.clarifai.rows import Row
from syncer.sources.clarifai.search import Search, Unexplained

#: Rows of one page of ours at most: what is compared with the checkpoint in one query.
PAGE = 1000
#: Searches that are always worth their requests.
SEARCHES = 10
#: A `Date` header has whole seconds: a window that begins with it may begin a second late.
SECOND = timedelta(seconds=1)


class _Counts(msgspec.Struct):
    """Numbers of inputs by what became of them."""

    counts: dict[str, int | str] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """A pass of one partition, from a position on."""

    listing: Listing
    options: ClarifaiOptions
    known: Known
    select: Selection
    at: Position
    inputs: Inputs = field(init=False)
    #: Statuses that this version does not know, each reported once.
    _strange: set[str] = field(default_factory=set)
    #: Ids of the batch's inputs, where they are listed by themselves.
    _members: list[str] | None = None
    #: The pass has asked for the server's time, and for the number of inputs.
    _begun: bool = False
    _counted: int | None = None

    def __post_init__(self) -> None:
        """List the inputs with the same requests."""
        self.inputs = Inputs(self.listing)

    async def pages(self) -> AsyncGenerator[Page]:
        """Yield the pages of the pass, each with the cursor behind it; the last has `end` set.

        Raises:
            PartitionGone: the app or the batch does not exist any more.
            HttpError: the platform is away, or serves nothing that can be read.
        """
        if self.at.stage == "rest":
            self.at = replace(self.at, stage="delta")
        if self.at.stage == "delta":
            reason = await self._reason_against_delta()
            if reason is None:
                try:
                    async with aclosing(self._delta()) as pages:
                        async for page in pages:
                            yield page
                except (Unexplained, Rejected, Forbidden) as error:
                    reason = str(error)
                else:
                    yield Page(cursor=self.at.ended(complete=False).cursor(), end="delta")
                    return
            if self._windowed:
                raise BadBody(f"what changed can't be listed: {reason}", hint="leave `since` out: all is listed then")
            if reason:
                self.listing.emit(Warned(f"{self._name}: {reason}; everything is listed instead"))
            self.at = replace(self.at, stage="full", after=(), upper=None, reached=None, listed=0)
        async with aclosing(self._everything()) as pages:
            async for page in pages:
                yield page
        complete = not (self._windowed or self.at.doubtful or self.inputs.doubtful or self.listing.partial)
        yield Page(cursor=self.at.ended(complete=complete).cursor(), end="full" if complete else "delta")

    # ------------------------------------------------------------------------------------- what changed

    async def _reason_against_delta(self) -> str | None:
        """Return why a listing of changes would not do, empty if a complete one is simply due; None if it will do."""
        await self._begin()
        if self._windowed:
            return None
        if self._is_due:
            return ""
        at, counted = self.at, self._counted
        if at.watermark is not None and at.start is not None and at.watermark > at.start + self._overlap + SECOND:
            return "the server's clock went back"
        if at.inputs is not None and counted is not None and counted < at.inputs:
            return f"there are {at.inputs - counted} inputs fewer than at the last complete listing"
        if self.listing.reader.scope.kind == "dataset":
            self._members = await self.inputs.members()
            if self.inputs.doubtful or digest_of(self._members) != at.members:
                return "inputs joined or left the dataset"
        return None

    @property
    def _is_due(self) -> bool:
        """Whether a complete listing has to follow, whatever has changed."""
        at = self.at
        if not self.listing.reader.scope.searchable:
            return True
        if at.full_at is None or at.start is None or at.watermark is None:
            return True
        return at.start - at.full_at >= timedelta(seconds=self.options.full_every)

    async def _begin(self) -> None:
        """Ask for the number of inputs, and with it for the server's time; without one the watermark stays."""
        path = f"{self.listing.path}/inputs/status"
        try:
            response = await self.listing.api.get(path)
        except NotFound as error:
            raise missing(f"app {self.listing.reader.project}", error) from error
        if self.at.start is None and response.date is not None:
            self.at = replace(self.at, start=response.date - self._overlap, upper=response.date + SECOND)
        self._begun = True
        with suppress(msgspec.DecodeError, ValueError):
            counts = msgspec.json.decode(response.body, type=_Counts).counts
            self._counted = sum(int(number) for number in counts.values()) if counts else None

    async def _delta(self) -> AsyncGenerator[Page]:
        starts = [moment for moment in (self.select.since, self.at.watermark, self.at.reached) if moment is not None]
        if not starts or self.at.upper is None:
            raise Unexplained("the server does not say what time it is")
        start = max(starts)
        until = self.select.until
        upper = min(self.at.upper, until) if until is not None else self.at.upper
        filters = list(self.listing.reader.scope.filters())
        if not (self.options.list_all or self.listing.reader.scope.of_machines):
            filters.append({"annotation": {"trusted": True}})
        search = Search(self.listing, self.options.page_size, filters)
        async with aclosing(search.windows(start, max(start, upper), closed=until is not None)) as windows:
            async for reached, rows in windows:
                self.at = replace(self.at, reached=reached)
                async for page in self._changed(rows):
                    yield page
                if not self._windowed and search.asked > self._dear:
                    raise Unexplained("so much has changed that a complete listing takes fewer requests")

    @property
    def _dear(self) -> int:
        """How many requests a complete listing takes, about."""
        return 2 * (self.at.inputs or 0) // MOST_INPUTS + SEARCHES

    async def _changed(self, rows: Sequence[Row]) -> AsyncGenerator[Page]:
        if self.listing.reader.kind == "input":
            names = sorted({row.input for row in rows})
            found = await self.listing.whole([Input(name) for name in names]) if names else []
            async for group in self._groups(_once(found)):
                yield await self._page(group, proves=False)
            return
        complete: list[Row] = []
        bare: list[tuple[str, str]] = []
        for row in rows:
            if row.head is None or (row.head.modified_at and row.head.status):
                complete.append(row)
            else:
                bare.append((row.input, row.id))
        for first in range(0, len(bare), PAIRS):
            # A search that leaves out what decides: the list has it.
            complete += await self.listing.pairs(bare[first : first + PAIRS])
        for first in range(0, len(complete), PAGE):
            last = first + PAGE >= len(complete)
            yield await self._of_rows(complete[first : first + PAGE], inline=False, moves=last)
        if not complete:
            yield Page(cursor=self.at.cursor())

    # --------------------------------------------------------------------------------------- everything

    async def _everything(self) -> AsyncGenerator[Page]:
        if not self.at.after:
            if not self._begun:
                await self._begin()
            self.at = replace(self.at, inputs=self._counted, listed=0)
        scope = self.listing.reader.scope
        if scope.shows_members:
            if self._members is None:
                self._members = await self.inputs.members()
            if not self.at.after:
                # What joins while a pass goes on shows as a change to the next one.
                self.at = replace(self.at, members=digest_of(self._members))
        async with aclosing(self._groups(self.inputs.pages(self.at.after, self._members))) as groups:
            async for group in groups:
                anchors = (*self.at.after, group.inputs[-1].id) if group.inputs else self.at.after
                self.at = replace(self.at, after=anchors[-ANCHORS:], doubtful=self.at.doubtful or group.doubtful)
                yield await self._page(group, proves=True)

    async def _groups(self, pages: AsyncGenerator[list[Input]]) -> AsyncGenerator[Group]:
        async with aclosing(in_order(self._jobs(pages), self.options.read_ahead)) as groups:
            async for group in groups:
                yield group

    async def _jobs(self, pages: AsyncGenerator[list[Input]]) -> AsyncIterator[Job[Group]]:
        waiting: list[Input] = []
        async with aclosing(pages):
            async for page in pages:
                waiting += page
                while len(waiting) >= self.listing.sizes.inputs:
                    size = cut(waiting, self.listing.sizes)
                    yield partial(self.listing.group, waiting[:size])
                    waiting = waiting[size:]
        while waiting:
            size = cut(waiting, self.listing.sizes)
            yield partial(self.listing.group, waiting[:size])
            waiting = waiting[size:]

    # --------------------------------------------------------------------------------------------- pages

    async def _page(self, group: Group, *, proves: bool) -> Page:
        if self.listing.reader.kind == "annotation":
            return await self._of_rows(group.rows, inline=True, moves=proves)
        by_input: dict[str, list[Row]] = {each.id: [] for each in group.inputs}
        for row in group.rows:
            by_input.setdefault(row.input, []).append(row)
        self._report(group.rows)
        reader = self.listing.reader
        return await self._of([reader.document(each, by_input[each.id]) for each in group.inputs], moves=proves)

    async def _of_rows(self, rows: Sequence[Row], *, inline: bool, moves: bool) -> Page:
        self._report(rows)
        unique = {(row.input, row.id): row for row in rows}
        return await self._of([self.listing.reader.item(row, inline=inline) for row in unique.values()], moves=moves)

    async def _of(self, items: Iterable[Item], *, moves: bool) -> Page:
        chosen = [item for item in items if self._is_within(item)]
        if self.at.stage == "full":
            count = sum(isinstance(item, AnnotationRef) for item in chosen)
            self.at = replace(self.at, listed=self.at.listed + count)
        return await page_of(chosen, self.known, self.at.cursor() if moves else None)

    def _report(self, rows: Sequence[Row]) -> None:
        for strange in {row.strange for row in rows} - self._strange - {""}:
            self._strange.add(strange)
            words = f"annotations have the status {strange}, which this version does not know; they are kept"
            self.listing.emit(Warned(f"{self._name}: {words}"))

    # ------------------------------------------------------------------------------------------ the job

    def _is_within(self, item: Item) -> bool:
        """Tell whether an item is in the window of time that the job wants."""
        if not self._windowed or not isinstance(item, AnnotationRef) or item.updated_at is None:
            return True
        since, until = self.select.since, self.select.until
        return (since is None or item.updated_at >= since) and (until is None or item.updated_at < until)

    @property
    def _name(self) -> str:
        scope = self.listing.reader.scope
        return f"app {self.listing.reader.project}{f', {scope.name}' if scope.name else ''}"

    @property
    def _overlap(self) -> timedelta:
        return timedelta(seconds=self.options.overlap)

    @property
    def _windowed(self) -> bool:
        """Whether the job wants a window of time: then absence proves nothing."""
        return self.select.since is not None or self.select.until is not None


async def _once(page: list[Input]) -> AsyncGenerator[list[Input]]:
    yield page
