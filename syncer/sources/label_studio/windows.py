"""Many spans of one listing side by side, handed on in order of their ids."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial

import msgspec

from syncer.net.ahead import in_order
from syncer.sources.label_studio.listing import Listing
from syncer.sources.label_studio.pace import Pace
from syncer.sources.label_studio.spans import Chunk, Span

#: Weight of the newest window in the estimate of how many ids are tasks of the project.
WEIGHT = 0.5
#: A window is planned for this share of a page, so that most need one request though ids lie unevenly.
FILLED = 0.85


class Plan(msgspec.Struct):
    """Cuts a range of ids into windows of about one page each."""

    first: int
    last: int
    #: Tasks of the listing per id, as far as known.
    density: float
    pace: Pace

    def __iter__(self) -> Iterator[Span]:
        """Yield the windows; each is cut when it is asked for, at the pace of then."""
        while self.first <= self.last:
            share = 1.0 if self.density >= 1 else FILLED
            width = max(1, int(self.pace.rows * share / max(self.density, 1e-9)))
            span = Span(self.first, min(self.last, self.first + width - 1))
            self.first = span.last + 1
            yield span

    def learn(self, span: Span, total: int) -> None:
        """Note how many tasks a window really had."""
        seen = total / (span.last - span.first + 1)
        self.density = max(1e-9, (1 - WEIGHT) * self.density + WEIGHT * seen)


async def chunks(listing: Listing, span: Span, ahead: int) -> AsyncGenerator[Chunk]:
    """Yield a span in chunks, in order of ids, `ahead` windows in flight. Memory: `ahead` pages.

    The first chunk is read alone: it tells how many tasks there are, and a small project needs no more.
    """
    chunk = await listing.chunk(span)
    yield chunk
    while chunk.rest is not None and (chunk.rest.suspect or not chunk.total):
        chunk = await listing.chunk(chunk.rest)
        yield chunk
    if chunk.rest is None:
        return
    left = max(1, chunk.total - len(chunk.rows))
    first, last = chunk.rest.first, chunk.rest.last
    plan = Plan(first, last, min(1.0, left / (last - first + 1)), listing.pace)
    jobs = (partial(_read, listing, window) for window in plan)
    async with aclosing(in_order(jobs, ahead)) as results:
        async for window, result in results:
            chunk = result
            plan.learn(window, chunk.total)
            yield chunk
            while chunk.rest is not None:
                chunk = await listing.chunk(chunk.rest)
                yield chunk


async def _read(listing: Listing, span: Span) -> tuple[Span, Chunk]:
    return span, await listing.chunk(span)
