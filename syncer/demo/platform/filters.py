"""The `query` of a task listing: columns, operators and forms of values, and how the server fails on others."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from syncer.demo.platform.answers import invalid, refuse
from syncer.demo.platform.rows import Task, stamp_of

#: The one form of a time in a filter; any other is a server error.
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"

Predicate = Callable[[Task], bool]

#: Columns that can be filtered and sorted by.
COLUMNS: Mapping[str, Callable[[Task], Any]] = {
    "id": lambda task: task.id,
    "inner_id": lambda task: task.inner_id,
    "created_at": lambda task: task.created_at,
    "updated_at": lambda task: task.updated_at,
    "completed_at": lambda task: task.completed_at,
    "total_annotations": lambda task: task.total_annotations,
    "cancelled_annotations": lambda task: task.cancelled_annotations,
    "total_predictions": lambda task: task.total_predictions,
    "is_labeled": lambda task: task.is_labeled,
    "draft_exists": lambda task: task.draft_exists,
    "overlap": lambda task: task.overlap,
}

#: Counters of which 0 counts as empty.
_COUNTS = {"total_annotations", "cancelled_annotations", "total_predictions"}

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "less": lambda have, want: have < want,
    "greater": lambda have, want: have > want,
    "less_or_equal": lambda have, want: have <= want,
    "greater_or_equal": lambda have, want: have >= want,
    "contains": lambda have, want: str(want).casefold() in str(have).casefold(),
    "regex": lambda have, want: re.search(str(want), str(have)) is not None,
}


class Item(msgspec.Struct, frozen=True):
    """One filter, its value cast as the server casts it: a value, a (min, max) pair, or a list."""

    column: str
    operator: str
    value: Any

    def predicate(self) -> Predicate:
        """Return the test for one task. An empty column fails every comparison."""
        get, want = COLUMNS[self.column], self.value
        operator = self.operator
        if operator == "empty":
            return lambda task: (get(task) is None) == want
        negated = operator.startswith("not_")
        base = operator.removeprefix("not_")
        if base == "in":
            low, high = want
            matches: Predicate = lambda task: _between(get(task), low, high)  # noqa: E731  # three forms of one value
        elif base == "in_list":
            members = frozenset(want)
            matches = lambda task: get(task) in members  # noqa: E731
        elif base in _COMPARE:
            compare = _COMPARE[base]
            matches = lambda task: (have := get(task)) is not None and compare(have, want)  # noqa: E731
        else:
            matches = lambda task: bool(get(task) == want)  # noqa: E731
        # As in SQL, a column without a value is not "not equal" either.
        return (lambda task: get(task) is not None and not matches(task)) if negated else matches


class Query(msgspec.Struct, frozen=True):
    """A parsed query. `included` None: all tasks but the `excluded`."""

    items: tuple[Item, ...] = ()
    every: bool = True
    #: Column to sort by; empty: by id.
    order: str = ""
    descending: bool = False
    included: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()


def parse(text: str | None) -> Query:
    """Read the JSON text of the `query` parameter.

    Raises:
        Refused: 400 for `__` in a column; 500, as on the real server, for nearly everything else that is wrong.
    """
    if text is None:
        return Query()
    try:
        data = json.loads(text)
    except ValueError:
        raise refuse(500, "Expected object or value") from None
    return read(data)


def read(data: Any) -> Query:
    """Read a decoded query, or the `data` of a saved view."""
    if not isinstance(data, dict):
        raise refuse(500, f"'{type(data).__name__}' object has no attribute 'get'")
    filters = data.get("filters") or {"conjunction": "and", "items": []}
    if not isinstance(filters, dict):
        raise _malformed("filters", "Input should be a valid dictionary or instance of Filters")
    if filters.get("conjunction") not in ("and", "or"):
        raise _malformed("filters.conjunction", "Input should be 'or' or 'and'")
    items = tuple(_item(place, raw) for place, raw in enumerate(filters.get("items", [])))
    ordering = data.get("ordering") or []
    selected = data.get("selectedItems") or {"all": True}
    everything = bool(selected.get("all"))
    included = selected.get("included") if not everything else None
    return Query(
        items,
        every=filters["conjunction"] == "and",
        order=_sort_column(ordering[0]) if ordering else "",
        descending=bool(ordering) and ordering[0].startswith("-"),
        included=frozenset(included) if included else None,
        excluded=frozenset(selected.get("excluded") or ()) if everything else frozenset(),
    )


def _item(place: int, raw: Any) -> Item:
    if not isinstance(raw, dict) or {"filter", "operator", "type"} - raw.keys() or raw.get("value") is None:
        raise _malformed(f"filters.items.{place}", "Field required")
    name = str(raw["filter"])
    if not name.startswith("filter:tasks:"):
        raise refuse(500, "reduce() of empty iterable with no initial value")
    column = _column(name.removeprefix("filter:tasks:"))
    operator, value = str(raw["operator"]), raw["value"]
    if operator == "empty":
        wanted = _boolean(value)
        return (
            Item(column, "equal" if wanted else "not_equal", 0) if column in _COUNTS else Item(column, operator, wanted)
        )
    if operator in ("in_list", "not_in_list"):
        if not isinstance(value, list):
            raise refuse(500, f"Field '{column}' expected a number but got '{str(value)[:1]}'.")
        return Item(column, operator, tuple(value))
    if operator in ("in", "not_in"):
        if not isinstance(value, dict):
            raise refuse(500, f"'{type(value).__name__}' object has no attribute 'min'")
        return Item(column, operator, (_cast(raw["type"], value.get("min")), _cast(raw["type"], value.get("max"))))
    return Item(column, operator, _cast(raw["type"], value))


def _cast(kind: str, value: Any) -> Any:
    try:
        if kind == "Number":
            return float(value)
        if kind == "Datetime":
            return stamp_of(datetime.strptime(value, TIME_FORMAT).replace(tzinfo=UTC))
    except (TypeError, ValueError) as error:
        raise refuse(500, str(error)) from None
    if isinstance(value, (dict, list)):
        raise refuse(500, f"unhashable type: '{type(value).__name__}'")
    return _boolean(value) if kind == "Boolean" else value


def _boolean(value: Any) -> bool:
    return value.strip().lower() in {"true", "yes", "on", "1"} if isinstance(value, str) else bool(value)


def _sort_column(name: str) -> str:
    return _column(name.lstrip("-").removeprefix("tasks:"))


def _column(name: str) -> str:
    if "__" in name:
        message = f'"__" is not generally allowed in filters. Consider asking your administrator to add "{name}"'
        raise invalid({"non_field_errors": [message]})
    if name not in COLUMNS:
        raise refuse(500, f"Cannot resolve keyword '{name}' into field. Choices are: {', '.join(sorted(COLUMNS))}")
    return name


def _between(have: Any, low: Any, high: Any) -> bool:
    return have is not None and bool(low <= have <= high)


def _malformed(where: str, what: str) -> Exception:
    return refuse(500, f"1 validation error for PrepareParams\n{where}\n  {what}")
