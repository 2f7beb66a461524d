"""Ranges of ids, the pages that answer for them, and what is left of them. Pure."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from syncer.sources.label_studio.queries import Filter, above, between
from syncer.sources.label_studio.rows import Row

#: As the end of a span: there is none.
OPEN = 2**53 - 1


class Span(msgspec.Struct, frozen=True):
    """Tasks with ids from `first` to `last`."""

    first: int
    last: int
    #: So many rows from the first on hold one that made a page fail.
    suspect: int = 0


class Answer(msgspec.Struct, frozen=True):
    """One page as served."""

    total: int
    rows: Sequence[Row]
    #: Bytes and seconds.
    size: int
    seconds: float


class Chunk(msgspec.Struct, frozen=True):
    """The first rows of a span, complete up to `through`."""

    rows: Sequence[Row]
    #: Highest id that is covered.
    through: int
    #: What is left of the span.
    rest: Span | None
    #: The server's count for the whole span; 0 where it could not be read.
    total: int
    #: The server counted rows that it does not serve: absence proves nothing.
    doubtful: bool = False


def within(span: Span) -> Filter:
    """Return the condition for the tasks of a span."""
    return between(span.first, span.last) if span.last < OPEN else above(span.first - 1)


def fits(rows: Sequence[Row], span: Span, limit: int) -> bool:
    """Tell whether rows are an answer to the question: in range, ascending, not too many."""
    ids = [row.id for row in rows]
    return len(ids) <= limit and all(a < b for a, b in pairwise([span.first - 1, *ids, span.last + 1]))


def first_chunk(span: Span, answer: Answer) -> Chunk:
    """Return the first rows of a span, as answered."""
    if answer.total <= len(answer.rows):
        return Chunk(answer.rows, span.last, None, answer.total)
    through = answer.rows[-1].id
    rest = Span(through + 1, span.last) if through < span.last else None
    return Chunk(answer.rows, through, rest, answer.total)
