"""Filters of the emulated Label Studio select what those of the real one select, and fail where they fail."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.labelstudio import RealLabelStudio
from tests.support.side_by_side import Side, both, item, query
from tests.support.studio import Json

pytestmark = pytest.mark.timeout(600)


async def test_filters_select_the_same_tasks(label_studio: RealLabelStudio) -> None:
    """Operators on all columns of use to an export select the same tasks, in the same order and with the same sums."""
    async with both(label_studio) as (real, emulated):
        facts = [await _facts(side) for side in (real, emulated)]
        for make in _queries():
            expected = await real.places(make(facts[0]))
            assert await emulated.places(make(facts[1])) == expected, make(facts[0])
            assert expected[0] == 200


async def test_broken_queries_fail_alike(label_studio: RealLabelStudio) -> None:
    """A query that the real server answers with 400 or 500 gets the same status from the emulated one."""
    second = "2026-01-02T03:04:05"
    broken: Sequence[Json] = (
        *(query(item("updated_at", "greater", f"{second}{tail}", "Datetime")) for tail in ("Z", "+00:00", ".5", "")),
        query(item("no_such_column", "equal", 1)),
        query(item("reviewed", "equal", value=True, kind="Boolean")),
        query(item("project__title", "equal", 1)),
        query(item("id", "greater", "word")),
        query(item("id", "greater", None)),
        query(item("id", "in", 5)),
        query(item("id", "in_list", "1,2")),
        query({"filter": "tasks:id", "operator": "equal", "type": "Number", "value": 1}),
        query(conjunction="xor"),
        query(ordering=["tasks:no_such_column"]),
        {"filters": 5},
        {"filters": {"items": [{}]}},
        *("{", "[]", "5", "null", ""),
    )
    async with both(label_studio, 2) as (real, emulated):
        for text in broken:
            expected = await real.places(text)
            assert await emulated.places(text) == expected, text
            assert expected[0] >= 400


async def _facts(side: Side) -> dict[str, str]:
    """Return times of this side's tasks, by name, for filters."""
    rows = (await side.studio.tasks(side.project, fields="all", include="id,updated_at,completed_at"))["tasks"]
    updated, completed = (sorted(row[name] for row in rows if row[name]) for name in ("updated_at", "completed_at"))
    return {"updated": updated[len(updated) // 2], "later": updated[-5], "completed": completed[10], **_numbers(side)}


def _numbers(side: Side) -> dict[str, Any]:
    return {"low": side.tasks[10], "high": side.tasks[30], "last": side.tasks[-1]}


def _queries() -> Sequence[Any]:
    compared = ("equal", "not_equal", "less", "less_or_equal", "greater", "greater_or_equal", "no_such_operator")
    between = ("in", "not_in")
    lists = ("in_list", "not_in_list")
    return (
        *(lambda f, o=o: query(item("id", o, f["high"])) for o in compared),
        *(lambda f, o=o: query(item("id", o, {"min": f["low"], "max": f["high"]})) for o in between),
        *(lambda f, o=o: query(item("id", o, [f["low"], f["high"], 0], "List")) for o in lists),
        *(lambda f, o=o: query(item("updated_at", o, f["updated"], "Datetime")) for o in compared),
        *(
            lambda f, o=o: query(item("updated_at", o, {"min": f["updated"], "max": f["later"]}, "Datetime"))
            for o in between
        ),
        *(lambda f, o=o: query(item("completed_at", o, f["completed"], "Datetime")) for o in compared),
        *(lambda _, v=v: query(item("completed_at", "empty", v, "Datetime")) for v in (True, False)),
        *(lambda _, o=o: query(item("total_annotations", o, 1)) for o in compared),
        *(lambda _, v=v: query(item("total_annotations", "empty", v)) for v in (True, False)),
        *(lambda _, o=o: query(item("cancelled_annotations", o, "0")) for o in compared),
        *(lambda _, v=v: query(item("is_labeled", "equal", v, "Boolean")) for v in (True, False, "true", "no")),
        lambda _: query(item("is_labeled", "not_equal", value=True, kind="Boolean")),
        lambda _: query(item("draft_exists", "equal", value=True, kind="Boolean")),
        lambda f: query(item("id", "greater", f["low"]), item("total_annotations", "greater", 0)),
        lambda f: query(item("id", "less", f["low"]), item("id", "greater", f["high"]), conjunction="or"),
        lambda f: query(
            item("id", "greater", f["low"]), item("updated_at", "greater_or_equal", f["updated"], "Datetime")
        ),
        lambda f: query(item("id", "greater", f["last"])),
        lambda _: query(),
        lambda _: {"no_such_key": 1},
        *(lambda _, o=o: {"ordering": [o]} for o in ("tasks:id", "-tasks:id", "tasks:updated_at", "-tasks:updated_at")),
        lambda _: {"ordering": ["-tasks:completed_at"]},
        lambda f: {"selectedItems": {"all": False, "included": [f["low"], f["high"]]}},
        lambda f: {"selectedItems": {"all": True, "excluded": [f["low"], f["high"]]}},
        lambda _: {"selectedItems": {"all": False}},
        lambda f: query(
            item("id", "greater", f["low"]),
            selectedItems={"all": True, "excluded": [f["high"]]},
            ordering=["-tasks:id"],
        ),
    )
