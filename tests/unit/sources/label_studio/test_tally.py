"""The tally: what a delta adds to the server's count, however often a task shows up in it."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from syncer.model.refs import AnnotationRef, ItemKey, Withdrawal
from syncer.sources.label_studio.choice import Choice
from syncer.sources.label_studio.documents import Reader
from syncer.sources.label_studio.rows import Row, moment_of
from syncer.sources.label_studio.tally import REMEMBERED, Tally

BEGIN = datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC)
OLD, FRESH = "2026-11-22T11:00:00.5Z", "2026-11-22T12:00:09.5Z"


def key(number: int) -> ItemKey:
    """Return the key of a task."""
    return ItemKey("task", "7", None, None, str(number))


def row(number: int, *, finished: bool, at: str = OLD) -> Row:
    """Return the row of a task."""
    if finished:
        return Row(number, at, refs=(AnnotationRef(key(number), "v"),))
    return Row(number, at, others=(Withdrawal(key(number), "skipped"),))


def tally(kind: str = "task", **choice: str) -> Tally:
    """Return a tally whose pass has begun."""
    made = Tally(Reader("7", kind, Choice(**choice), frozenset()))  # type: ignore[arg-type]  # texts only here
    made.begin(BEGIN)
    return made


@pytest.mark.parametrize(
    ("finished", "known", "moved"), [(True, False, 1), (True, True, 0), (False, True, -1), (False, False, 0)]
)
def test_a_task_moves_the_count_by_what_became_of_it(finished: bool, known: bool, moved: int) -> None:
    """New ones add, known ones that left take away, all others change nothing."""
    rows = [row(1, finished=finished)]
    assert tally().changed(rows, {key(1)} if known else set(), None) == moved


def test_a_task_that_shows_up_twice_counts_once() -> None:
    """A second look lists what changed since the pass began, and what it counted before."""
    made = tally()
    assert made.changed([row(1, finished=True, at=FRESH)], set(), None) == 1
    assert made.changed([row(1, finished=True, at=FRESH)], set(), None) == 0
    assert made.changed([row(1, finished=False, at=FRESH)], set(), None) == -1
    assert made.changed([row(1, finished=False, at=FRESH)], {key(1)}, None) == 0


@pytest.mark.parametrize("kind", ["task", "annotation"])
def test_what_a_sweep_does_not_meet_is_noticed(kind: str) -> None:
    """A task that the delta showed and the sweep did not was deleted in between; unfinished ones do not matter."""
    made = tally(kind)
    assert not made.unmet
    made.changed([row(1, finished=True), row(2, finished=True), row(3, finished=False)], set(), None)
    made.listed([row(1, finished=True), row(4, finished=True)])
    assert made.unmet
    made.listed([row(2, finished=True)])
    assert not made.unmet


def test_a_delta_too_large_to_remember_counts_as_unmet() -> None:
    """Memory does not grow with the delta: the price is one more sweep."""
    made = tally()
    for first in range(0, REMEMBERED + 1000, 1000):
        made.changed([row(first + n, finished=True) for n in range(1000)], set(), None)
    made.listed([row(n, finished=True) for n in range(REMEMBERED + 1000)])
    assert made.unmet


def test_where_annotations_are_chosen_all_tasks_are_counted() -> None:
    """No filter of the server counts the chosen ones; tasks created after the last count are the new ones."""
    for made in (tally("annotation"), tally(ground_truth="only")):
        assert made.filters == ((), True)
        assert made.base(300) == 300
        created = ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5Z", "2026-11-22T10:00:01Z", "2026-11-22T11:00:00Z"]
        rows = [replace(row(n, finished=n % 2 == 0), created_at=at) for n, at in enumerate(created)]
        assert made.changed(rows, set(), moment_of(created[1])) == 2
        assert made.listed(rows) == 0


def test_finished_tasks_are_counted_by_one_filter_or_by_either_of_two() -> None:
    """Skipped annotations count only where they are wanted."""
    assert [item.column for item in tally().filters[0]] == ["total_annotations"]
    filters, every = tally(include_cancelled="yes").filters
    assert ([item.column for item in filters], every) == (["total_annotations", "cancelled_annotations"], False)
    assert tally().base(300) == 0
