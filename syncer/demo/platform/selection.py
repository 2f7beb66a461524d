"""Which tasks a listing is about, in which order: found once a revision, then cut by id in no time."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from math import inf

import msgspec

from syncer.demo.platform.filters import COLUMNS, Item, Query
from syncer.demo.platform.rows import Task
from syncer.demo.platform.table import TaskTable

#: Filters whose matches are remembered.
_REMEMBERED = 32

#: Operators that cut a range of ids.
_RANGES = {"greater", "greater_or_equal", "less", "less_or_equal", "equal", "in"}


class Selected(msgspec.Struct, frozen=True):
    """Ids in listing order, and the sums that stand in the envelope."""

    ids: "array[int] | list[int]"
    total_annotations: int
    total_predictions: int


class _Matches(msgspec.Struct, frozen=True):
    """Matching ids, ascending; sums up to each of them, so that a range has its sums at once."""

    ids: "array[int]"
    annotations: "array[int]"
    predictions: "array[int]"


class Selector:
    """Evaluates queries over a table."""

    def __init__(self, tasks: TaskTable) -> None:
        self._tasks = tasks
        self._revision = -1
        self._known: dict[tuple[object, ...], _Matches] = {}

    def select(self, project: int, query: Query) -> Selected:
        """Return what a query selects of a project, now."""
        ranged = [item for item in query.items if query.every and item.column == "id" and item.operator in _RANGES]
        rest = tuple(item for item in query.items if item not in ranged)
        matches = self._matches(project, query, rest)
        low, high = _bounds(ranged)
        start, stop = bisect_left(matches.ids, low), bisect_right(matches.ids, high)
        stop = max(start, stop)
        chosen = Selected(
            matches.ids[start:stop],
            matches.annotations[stop] - matches.annotations[start],
            matches.predictions[stop] - matches.predictions[start],
        )
        return self._sorted(chosen, query) if query.order else chosen

    def _matches(self, project: int, query: Query, items: tuple[Item, ...]) -> _Matches:
        if self._revision != self._tasks.revision or len(self._known) > _REMEMBERED:
            self._known.clear()
            self._revision = self._tasks.revision
        key = (project, items, query.every, query.included, query.excluded)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._search(project, query, items)
        return found

    def _search(self, project: int, query: Query, items: tuple[Item, ...]) -> _Matches:
        predicates = [item.predicate() for item in items]
        combine = all if query.every else any
        ids, annotations, predictions = array("q"), array("q", [0]), array("q", [0])
        for task in self._candidates(project, query):
            if task.id in query.excluded or (predicates and not combine(test(task) for test in predicates)):
                continue
            ids.append(task.id)
            annotations.append(annotations[-1] + task.total_annotations)
            predictions.append(predictions[-1] + task.total_predictions)
        return _Matches(ids, annotations, predictions)

    def _candidates(self, project: int, query: Query) -> Iterable[Task]:
        # A short list of ids must not make every task of a large project.
        listed = query.included
        for item in query.items:
            if query.every and item.column == "id" and item.operator == "in_list":
                listed = frozenset(item.value) if listed is None else listed & frozenset(item.value)
        if listed is None:
            return self._tasks.outlines(project)
        found = (self._tasks.get(number) for number in sorted(listed))
        return [task for task in found if task is not None and task.project == project]

    def _sorted(self, chosen: Selected, query: Query) -> Selected:
        get = COLUMNS[query.order]
        keyed = [(get(task), task.id) for task in map(self._tasks.get, chosen.ids) if task is not None]
        known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda p: p[0], reverse=query.descending)
        ids = [number for _, number in known] + [number for value, number in keyed if value is None]
        return Selected(ids, chosen.total_annotations, chosen.total_predictions)


def _bounds(items: list[Item]) -> tuple[float, float]:
    low, high = -inf, inf
    for item in items:
        first, last = item.value if item.operator == "in" else (item.value, item.value)
        if item.operator in {"greater_or_equal", "equal", "in"}:
            low = max(low, first)
        if item.operator in {"less_or_equal", "equal", "in"}:
            high = min(high, last)
        if item.operator == "greater":
            low = max(low, first + 0.5)
        if item.operator == "less":
            high = min(high, last - 0.5)
    return low, high
