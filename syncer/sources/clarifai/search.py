"""Searching for what changed in a span of time, in windows that fit into one page.

Search pages are offsets like all others, and a row that is edited again leaves a window with a frozen end: so a
window is made to fit into one page, by cutting its time in halves, in the way that `listing` fits groups. Only
rows of the very same instant can't be cut any further; they are read from the last page to the first, since rows can
only leave such a window, which moves the others to pages that are still to be read.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from syncer.model.errors import BadBody, HttpError, NotFound, Rejected
from syncer.sources.clarifai.api import missing
from syncer.sources.clarifai.codes import status_of
from syncer.sources.clarifai.listing import GUARD, Listing
from syncer.sources.clarifai.rows import Row, moment_of

#: Windows are not cut below this.
GRAIN = timedelta(microseconds=8)
#: What times are told apart by here.
INSTANT = timedelta(microseconds=1)
#: Smallest page that is tried when the server refuses deep ones.
SMALLEST = 10

_TOO_DEEP = "cannot exceed"


class Unexplained(BadBody):
    """A search says something that can't be, or more than it is good for: everything has to be listed."""


@dataclass(slots=True)
class Search:
    """Annotations of one partition by the time of their last change."""

    listing: Listing
    rows: int
    #: What else has to hold, beside the time.
    filters: list[dict[str, object]] = field(default_factory=list)
    #: Requests so far.
    asked: int = field(default=0, init=False)

    async def windows(self, start: datetime, end: datetime) -> AsyncGenerator[tuple[datetime, list[Row]]]:
        """Yield everything that changed from `start` to `end`, in windows of time; each with the end of its window.

        Raises:
            Unexplained: the answers can't be right.
            HttpError: the platform is away, or has no search.
        """
        left = [(start, end)]
        while left:
            first, last = left.pop()
            rows, whole = await self._window(first, last)
            if whole:
                yield last, rows
            elif last - first <= GRAIN:
                yield last, await self._instant(first, last)
            else:
                middle = _between(rows, first, last)
                # Both ends are inclusive: what changed in the middle stands in both parts.
                left += [(middle, last), (first, middle)]

    async def _window(self, first: datetime, last: datetime) -> tuple[list[Row], bool]:
        """Return the rows of a window, and whether these are all of them."""
        while True:
            size = self.rows
            try:
                if more := await self._page(first, last, 2, max(1, int(size * GUARD))):
                    return more, False
                rows = await self._page(first, last, 1, size)
            except Rejected as error:
                if not _is_too_deep(error) or size <= SMALLEST:
                    raise
                self.rows = max(SMALLEST, size // 2)
                continue
            return rows, len(rows) < size

    async def _instant(self, first: datetime, last: datetime) -> list[Row]:
        """Return a window that can't be cut: pages are counted first, then read from the last to the first."""
        found: dict[tuple[str, str], Row] = {}
        number = 0
        try:
            while rows := await self._page(first, last, number + 1, self.rows):
                found |= {(row.input, row.id): row for row in rows}
                number += 1
        except Rejected as error:
            if _is_too_deep(error):
                message = f"more than {number * self.rows} annotations changed at {first.isoformat()}"
                raise Unexplained(message) from error
            raise
        for page in range(number, 0, -1):
            found |= {(row.input, row.id): row for row in await self._page(first, last, page, self.rows)}
        return list(found.values())

    async def _page(self, first: datetime, last: datetime, page: int, size: int) -> list[Row]:
        span = {"start_time": _text(first), "end_time": _text(last)}
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
        self._check(rows, first, last)
        return rows

    def _check(self, rows: list[Row], first: datetime, last: datetime) -> None:
        for row in rows:
            if not (row.input and row.id):
                raise Unexplained("a hit of the search has no id")
            moment = moment_of(row.head.modified_at) if row.head is not None else None
            # What is below a microsecond was dropped, so the ends are widened by one.
            if moment is not None and not first - INSTANT <= moment <= last + INSTANT:
                raise Unexplained(f"the search for changes from {_text(first)} to {_text(last)} found {_text(moment)}")


def _between(rows: list[Row], first: datetime, last: datetime) -> datetime:
    """Return where to cut a window of which some later rows are known.

    Where they came in the order of their times, the rows before them fill a page; else half of them tell.
    """
    found = [row.head.modified_at for row in rows if row.head is not None]
    moments = [moment for text in found if (moment := moment_of(text)) is not None]
    if not moments:
        cut = first
    elif all(a <= b for a, b in pairwise(moments)):
        cut = moments[0] - INSTANT
    elif all(a >= b for a, b in pairwise(moments)):
        cut = moments[0] + INSTANT
    else:
        cut = sorted(moments)[len(moments) // 2]
    return cut if first < cut < last else first + (last - first) / 2


def _is_too_deep(error: HttpError) -> bool:
    status = status_of(error.body)
    words = f"{status.details} {status.description}" if status is not None else str(error)
    return _TOO_DEEP in words or _TOO_DEEP in str(error)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
