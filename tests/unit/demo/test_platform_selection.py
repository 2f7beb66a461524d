"""Selecting by remembered matches and ranges gives what looking at every task would give."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncer.demo.platform.filters import COLUMNS, read
from syncer.demo.platform.rows import Task
from syncer.demo.platform.server import LabelStudioPlatform

#: Tasks of the shared platform.
COUNT = 60
PLATFORM = LabelStudioPlatform(COUNT)
TASKS = list(PLATFORM.store.tasks.all_of(1))

NUMBERS = ("id", "inner_id", "total_annotations", "cancelled_annotations")
COMPARISONS = ("equal", "not_equal", "less", "greater", "less_or_equal", "greater_or_equal")


def _filter(column: str, operator: str, value: Any, kind: str = "Number") -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


number = st.integers(-1, COUNT + 2)
filters = st.one_of(
    st.builds(_filter, st.sampled_from(NUMBERS), st.sampled_from(COMPARISONS), number),
    st.builds(
        _filter,
        st.sampled_from(NUMBERS),
        st.sampled_from(["in", "not_in"]),
        st.builds(lambda low, high: {"min": low, "max": high}, number, number),
    ),
    st.builds(_filter, st.just("id"), st.sampled_from(["in_list", "not_in_list"]), st.lists(number, max_size=5)),
    st.builds(
        lambda operator, place: _filter("updated_at", operator, TASKS[place].updated_at, "Datetime"),
        st.sampled_from(COMPARISONS),
        st.integers(0, COUNT - 1),
    ),
)


def holds(raw: dict[str, Any], task: Task) -> bool:
    """Decide one filter by hand."""
    have, want = COLUMNS[raw["filter"].rpartition(":")[2]](task), raw["value"]
    answers: dict[str, Callable[[], bool]] = {
        "equal": lambda: have == want,
        "less": lambda: have < want,
        "greater": lambda: have > want,
        "less_or_equal": lambda: have <= want,
        "greater_or_equal": lambda: have >= want,
        "in": lambda: want["min"] <= have <= want["max"],
        "in_list": lambda: have in want,
    }
    operator = raw["operator"]
    return not answers[operator[4:]]() if operator.startswith("not_") else answers[operator]()


@given(st.lists(filters, max_size=3), st.sampled_from(["and", "or"]), st.booleans())
def test_a_selection_is_what_its_filters_say(items: list[dict[str, Any]], conjunction: str, reverse: bool) -> None:
    """Ids, their order and the sums of annotations are those of the tasks for which the filters hold."""
    order = "-tasks:id" if reverse else "tasks:id"
    query = read({"filters": {"conjunction": conjunction, "items": items}, "ordering": [order]})
    combine = all if conjunction == "and" or not items else any
    expected = [task for task in TASKS if combine(holds(item, task) for item in items)]
    selected = PLATFORM.site.selector.select(1, query)
    assert list(selected.ids) == [task.id for task in (expected[::-1] if reverse else expected)]
    assert selected.total_annotations == sum(task.total_annotations for task in expected)


def test_a_change_is_seen_at_once() -> None:
    """What was remembered of a filter is forgotten when a task changes."""
    platform = LabelStudioPlatform(30)
    query = read({"filters": {"conjunction": "and", "items": [_filter("total_annotations", "greater", 0)]}})
    before = list(platform.site.selector.select(1, query).ids)
    platform.store.annotate(10)
    platform.store.delete_tasks([before[0]])
    after = list(platform.site.selector.select(1, query).ids)
    assert after == sorted({*before, 10} - {before[0]})
