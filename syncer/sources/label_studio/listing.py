"""Reading the task list in pieces that are each complete, whatever the server, a proxy or a broken row does.

A *span* is a range of ids; a *chunk* is its first rows. Paging is by id alone: pages by number lose rows while
others are deleted.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from syncer.model.errors import BadBody, NotFound, TooLarge, Unavailable
from syncer.model.events import Emit, Warned
from syncer.model.refs import AnnotationRef, ItemKey
from syncer.net.rows import in_turns
from syncer.ports import Clock
from syncer.sources.label_studio.api import Api, is_past_the_end, missing_project
from syncer.sources.label_studio.auth import detail_of
from syncer.sources.label_studio.documents import Reader, Unreadable
from syncer.sources.label_studio.pace import Pace
from syncer.sources.label_studio.queries import BARE, BARE_HEADS, TASKS, Filter, Query, Shape, among, between
from syncer.sources.label_studio.rows import Row
from syncer.sources.label_studio.spans import OPEN, Answer, Chunk, Span, first_chunk, fits, within

#: How often an answer that contradicts its own total is asked for again.
TRIES = 3
#: Attempts of a page that could be smaller; the smallest one has all that the client allows.
ATTEMPTS = 2
#: Version of a task whose row can't be read at all.
UNREAD = "unreadable"

#: Too many requests: a smaller page would not help (RFC 6585 §4).
THROTTLED = 429

#: A page that can be tried again smaller.
PAGE_ERRORS = (Unavailable, TooLarge, BadBody)


@dataclass(slots=True)
class Listing:
    """Reads the tasks of one project that pass some filters, in one shape."""

    api: Api
    reader: Reader
    shape: Shape
    pace: Pace
    clock: Clock
    emit: Emit
    filters: tuple[Filter, ...] = ()
    #: The server's clock when the first answer was asked for, where it says so.
    first_date: datetime | None = field(default=None, init=False)

    async def chunk(self, span: Span) -> Chunk:
        """Return the first rows of a span. A row that can't be read comes as `Row.broken`; the others come all.

        Raises:
            PartitionGone: the project does not exist any more.
            HttpError: the server is away, or serves nothing that can be read.
        """
        suspect, patient, too_much = span.suspect, False, 0
        limit = max(1, suspect // 2) if suspect else self.pace.rows
        while True:
            try:
                chunk = await self._complete(span, limit, attempts=None if patient or limit == 1 else ATTEMPTS)
            except PAGE_ERRORS as error:
                if error.status == THROTTLED:
                    if patient:
                        raise
                    patient = True
                    continue
                if not isinstance(error, Unreadable):
                    await self._alive()
                if limit == 1:
                    return await self._broken(span, error)
                if not isinstance(error, Unreadable) and not span.suspect:
                    # A row that makes every page fail is no reason for small ones: only the first size counts.
                    too_much = too_much or limit
                suspect, limit = limit, limit // 2
                continue
            if too_much:
                self.pace.failed(too_much)
            if chunk.rest is not None and suspect > len(chunk.rows):
                return replace(chunk, rest=replace(chunk.rest, suspect=suspect - len(chunk.rows)))
            return chunk

    async def among(self, ids: Sequence[int]) -> list[Row]:
        """Return the tasks of a short list of ids that there are, in order of id.

        Raises:
            PartitionGone, HttpError: as `chunk`.
        """
        try:
            answer = await self._fetch(among(ids), limit=len(ids), attempts=None if len(ids) == 1 else ATTEMPTS)
            if len(answer.rows) >= answer.total and {row.id for row in answer.rows} <= set(ids):
                return list(answer.rows)
            message = f"{len(answer.rows)} of {answer.total} tasks that were asked for by id were served"
            raise BadBody(message)
        except PAGE_ERRORS as error:
            if not isinstance(error, Unreadable):
                await self._alive()
            if len(ids) == 1:
                return [await self.broken_row(ids[0], error)]
        middle = len(ids) // 2
        return [*await self.among(ids[:middle]), *await self.among(ids[middle:])]

    async def count(self, *filters: Filter, every: bool = True) -> int:
        """Return how many tasks pass other filters.

        Raises:
            Unreadable: neither with the oldest nor with the newest of them does the answer parse.
        """
        query = Query(self.reader.project, BARE, 1, filters, every=every)
        try:
            return (await self._send(query, total_only=True)).total
        except Unreadable:
            return (await self._send(replace(query, newest_first=True), total_only=True)).total

    async def newest(self) -> tuple[int, Answer]:
        """Return the highest id there is (0: none), and the answer, whose total counts all tasks.

        Raises:
            Unreadable: nothing that the server says can be read.
        """
        query = Query(self.reader.project, self._bare, 1, newest_first=True)
        try:
            answer = await self._send(query)
        except Unreadable:
            # Garbage of the moment is cheaper asked for again than searched for.
            try:
                answer = await self._send(query)
            except Unreadable:
                return await self._highest(), Answer(0, (), 0, 0.0)
        return max((row.id for row in answer.rows), default=0), answer

    async def _highest(self) -> int:
        """Return the highest id where not even the newest row can be read: the last one that something lies above."""
        await self._alive()
        low, high = 0, 1
        while high < OPEN and not await self._empty(Span(high + 1, OPEN)):
            low, high = high, high * 2
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if await self._empty(Span(middle + 1, OPEN)) else (middle, high)
        return high

    @property
    def _bare(self) -> Shape:
        return BARE_HEADS if self.reader.needs_heads else BARE

    async def _complete(self, span: Span, limit: int, attempts: int | None) -> Chunk:
        """Return a chunk that agrees with its own total, or is marked as doubtful."""
        window = within(span)
        limit, short = min(limit, self.pace.most), 0
        for _ in range(TRIES):
            answer = await self._fetch(window, limit=limit, attempts=attempts)
            rows = len(answer.rows)
            if not fits(answer.rows, span, limit):
                continue
            if rows >= min(answer.total, limit):
                self.pace.note(rows, answer.seconds, answer.size)
                chunk = first_chunk(span, answer)
                return await self._checked(chunk) if short else chunk
            if rows and rows == short:
                # Twice the same short page: the server has a maximum (TASK_API_PAGE_SIZE_MAX).
                self.pace.cap(rows)
                limit = rows
            short = rows
        if not answer.rows or not fits(answer.rows, span, limit):
            message = (
                f"project {self.reader.project}: the server's answer does not fit the question ({answer.total} tasks)"
            )
            raise BadBody(message, hint="does a proxy answer from a cache? Nothing is concluded from such an answer")
        return await self._checked(first_chunk(span, answer))

    async def _checked(self, chunk: Chunk) -> Chunk:
        """Return a chunk whose page was short at first; doubtful if the server counts rows that it does not serve."""
        left = 0
        if chunk.rest is not None:
            left = await self.count(*self.filters, within(chunk.rest))
        missing = chunk.total - len(chunk.rows) - left
        if missing <= 0:
            return chunk
        message = f"project {self.reader.project}: {missing} of {chunk.total} tasks were counted and not served"
        self.emit(Warned(f"{message}; nothing is taken for deleted in this pass"))
        return replace(chunk, doubtful=True)

    async def _broken(self, span: Span, error: Exception) -> Chunk:
        """Return the chunk of the one row that makes every page fail which it begins."""
        # A server that says nothing readable at all has no broken row: every id would count as one.
        await self._alive()
        if isinstance(error, Unreadable):
            # Nor is garbage of the moment a broken row.
            with suppress(Unreadable):
                return await self._complete(span, 1, attempts=None)
        first, last = span.first, span.last
        try:
            found = await self._send(self._query((*self.filters, within(span)), self._bare, 1))
        except PAGE_ERRORS:
            # Not even its id can be read: it is where the range, widened step by step, stops to be empty.
            width = 1
            while first < last and await self._empty(Span(first, min(last, first + width - 1))):
                first, width = first + width, width * 2
            last = min(last, first + width - 1)
            while first < last:
                middle = (first + last) // 2
                first, last = (middle + 1, last) if await self._empty(Span(first, middle)) else (first, middle)
        else:
            if not found.rows:
                if found.total:
                    raise error
                return Chunk((), span.last, None, 0)
            first = found.rows[0].id
        row = await self.broken_row(first, error)
        return Chunk((row,), first, Span(first + 1, span.last) if first < span.last else None, 0)

    async def _empty(self, span: Span) -> bool:
        query = self._query((*self.filters, within(span)), BARE, 1)
        try:
            return (await self._send(query, total_only=True)).total == 0
        except PAGE_ERRORS as error:
            if not isinstance(error, Unreadable):
                await self._alive()
            return False

    async def broken_row(self, task: int, error: Exception) -> Row:
        """Return the row of a task whose documents can't be read: what is owed, as far as it can be named."""
        reason = str(error)[:300]
        try:
            rows = (await self._send(self._query((among((task,)),), self._bare, 1))).rows
        except PAGE_ERRORS:
            rows = [await self._named(task)]
        return replace(rows[0], broken=reason) if rows else Row(task, "")

    async def _named(self, task: int) -> Row:
        """Return the items of a task of which the list shows nothing."""
        key = ItemKey(self.reader.kind, self.reader.project, None, None, str(task))
        if self.reader.kind == "task":
            return Row(task, "", refs=(AnnotationRef(key, UNREAD),))
        try:
            response = await self.api.get(f"{TASKS}{task}/annotations/")
        except NotFound as error:
            # Deleted while it was looked for.
            if detail_of(error.body):
                return Row(task, "")
            raise
        return self.reader.annotations(task, response.body)

    async def _alive(self) -> None:
        """Ask for nothing, with all patience: only a server that answers is asked again for less.

        Raises:
            PartitionGone, HttpError: it does not answer, or the project is gone.
        """
        await self.count(between(0, 0))

    async def _fetch(self, window: Filter, *, limit: int, attempts: int | None) -> Answer:
        return await self._send(self._query((*self.filters, window), self.shape, limit), attempts)

    def _query(self, filters: tuple[Filter, ...], shape: Shape, limit: int) -> Query:
        return Query(self.reader.project, shape, limit, filters)

    async def _send(self, query: Query, attempts: int | None = None, *, total_only: bool = False) -> Answer:
        started = self.clock.monotonic()
        try:
            response = await self.api.get(TASKS, query.params(), attempts=attempts)
        except NotFound as error:
            if is_past_the_end(error):
                return Answer(0, (), 0, 0.0)
            raise missing_project(self.reader.project, error) from error
        seconds = self.clock.monotonic() - started
        if self.first_date is None and response.date is not None:
            self.first_date = response.date - timedelta(seconds=seconds)
        body = response.body
        if total_only:
            return Answer(self.reader.total(body), (), len(body), seconds)
        read = self.reader.whole if query.shape.whole else self.reader.lean
        total, rows = await in_turns(read(body))
        return Answer(total, rows, len(body), seconds)
