"""Searching for what changed in a span of time, in windows that fit into one page.

Search pages are offsets like all others, and a row that is edited again leaves a window with a frozen end: so a
window is made to fit into one page, by cutting its time, in the way that `listing` fits groups. Windows are read from
the oldest to the newest, and the newest has no end: whatever is edited meanwhile moves into it, and none is missed.
Only rows of the very same instant can't be cut any further; they are read from the last page to the first, since rows
can only leave such a window, which moves the others to pages that are still to be read.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from syncer.model.errors import BadBody, HttpError, NotFound, Rejected
from syncer.sources.clarifai.api import missing
from syncer.sources.clarifai.codes import status_of
from syncer.sources.clarifai.listing import GUARD, Listing
from syncer.sources.clarifai.rows import Row, moment_of

#: Windows are not cut below this.
GRAIN = timedelta(microseconds=8)
#: What times are told apart by here.
INSTANT = timedelta(microseconds=1)
#: How often the newest window may grow by what was changed meanwhile.
EXTENSIONS = 8
#: Smallest page that is tried when the server refuses deep ones.
SMALLEST = 10

_TOO_DEEP = "cannot exceed"


class Unexplained(BadBody):
    """A search says something that can't be, or more than it is good for: everything has to be listed."""


class Window(msgspec.Struct, frozen=True):
    """A span of time, both ends included."""

    first: datetime
    last: datetime
    #: False: later changes are in it, too.
    closed: bool


@dataclass(slots=True)
class Search:
    """Annotations of one partition by the time of their last change."""

    listing: Listing
    rows: int
    #: What else has to hold, beside the time.
    filters: list[dict[str, object]] = field(default_factory=list)
    #: Requests so far.
    asked: int = field(default=0, init=False)
    _extended: int = field(default=0, init=False)

    async def windows(
        self, start: datetime, end: datetime, *, closed: bool
    ) -> AsyncGenerator[tuple[datetime, list[Row]]]:
        """Yield everything that changed from `start` on, in windows of time; each with the end of its window.

        `end` is about now; only if it is `closed`, nothing later is wanted.

        Raises:
            Unexplained: the answers can't be right.
            HttpError: the platform is away, or has no search.
        """
        left = [Window(start, end, closed=closed)]
        while left:
            window = left.pop()
            rows, whole = await self._window(window)
            if whole:
                yield window.last, rows
            elif window.last - window.first <= GRAIN:
                yield window.last, await self._instant(window)
            else:
                cut = _cut(window, rows)
                self._extended += cut[-1].last > window.last
                if self._extended > EXTENSIONS:
                    # It changes faster than it can be read: the rest is for the next pass, which looks back this far.
                    cut[-1] = replace(cut[-1], closed=True)
                left += reversed(cut)

    async def _window(self, window: Window) -> tuple[list[Row], bool]:
        """Return the rows of a window, and whether these are all of them."""
        while True:
            size = self.rows
            try:
                if more := await self._page(window, 2, max(1, int(size * GUARD))):
                    return more, False
                rows = await self._page(window, 1, size)
            except Rejected as error:
                if not _is_too_deep(error) or size <= SMALLEST:
                    raise
                self.rows = max(SMALLEST, size // 2)
                continue
            return rows, len(rows) < size

    async def _instant(self, window: Window) -> list[Row]:
        """Return a window that can't be cut: pages are counted first, then read from the last to the first."""
        found: dict[tuple[str, str], Row] = {}
        number = 0
        try:
            while rows := await self._page(window, number + 1, self.rows):
                found |= {(row.input, row.id): row for row in rows}
                number += 1
        except Rejected as error:
            if _is_too_deep(error):
                message = f"more than {number * self.rows} annotations changed at {_text(window.first)}"
                raise Unexplained(message) from error
            raise
        for page in range(number, 0, -1):
            found |= {(row.input, row.id): row for row in await self._page(window, page, self.rows)}
        return list(found.values())

    async def _page(self, window: Window, page: int, size: int) -> list[Row]:
        span = {"start_time": _text(window.first)} | ({"end_time": _text(window.last)} if window.closed else {})
        filters = [{"last_updated_time_range": span}, *self.filters]
        body = {"searches": [{"query": {"filters": filters}}], "pagination": {"page": page, "per_page": size}}
        project = self.listing.reader.project
        self.asked += 1
        try:
            rows = await self.listing.understood(
                lambda: self.listing.api.search(project, body), self.listing.reader.hits
            )
        except NotFound as error:
            raise missing(f"app {project}", error) from error
        self._check(rows, window)
        return rows

    def _check(self, rows: list[Row], window: Window) -> None:
        for row in rows:
            if not (row.input and row.id):
                raise Unexplained("a hit of the search has no id")
            moment = moment_of(row.head.modified_at) if row.head is not None else None
            # What is below a microsecond was dropped, so the ends are widened by one.
            if moment is None or window.first - INSTANT <= moment <= window.last + INSTANT:
                continue
            if moment < window.first or window.closed:
                raise Unexplained(f"a search for changes since {_text(window.first)} found one of {_text(moment)}")


def _cut(window: Window, rows: list[Row]) -> list[Window]:
    """Return two windows for one of which some later rows are known.

    Where they came in the order of their times, the rows before them fill a page; else half of them tell.
    """
    found = [row.head.modified_at for row in rows if row.head is not None]
    moments = [moment for text in found if (moment := moment_of(text)) is not None]
    first, last = window.first, max([window.last, *moments])
    middle = first + (last - first) / 2
    if moments:
        before, behind = min(moments) - INSTANT, max(moments) + INSTANT
        if all(a <= b for a, b in pairwise(moments)):
            wished = (before, behind)
        elif all(a >= b for a, b in pairwise(moments)):
            wished = (behind, before)
        else:
            wished = (sorted(moments)[len(moments) // 2], before)
        middle = next((moment for moment in wished if first < moment < last), middle)
    # Both ends are inclusive: what changed in the middle stands in both parts.
    return [Window(first, middle, closed=True), Window(middle, last, closed=window.closed)]


def _is_too_deep(error: HttpError) -> bool:
    status = status_of(error.body)
    words = f"{status.details} {status.description}" if status is not None else str(error)
    return _TOO_DEEP in words or _TOO_DEEP in str(error)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
