"""Queries: exactly the parameters that the server was measured with."""

import json
from datetime import UTC, datetime, timedelta, timezone

from syncer.sources.label_studio.queries import (
    BARE,
    LEAN_HEADS,
    WHOLE_TASKS,
    Query,
    above,
    among,
    annotated,
    between,
    changed_since,
)


def test_a_whole_page_asks_for_original_links_and_trimmed_rows() -> None:
    """`include` is the big lever of the server's work; `resolve_uri` would rewrite s3:// links."""
    params = dict(Query("7", WHOLE_TASKS, 250, (annotated(), between(1, 250))).params())
    assert params["project"] == "7"
    assert (params["page"], params["page_size"], params["fields"]) == ("1", "250", "all")
    assert params["resolve_uri"] == "false"
    include = params["include"].split(",")
    assert {"id", "data", "meta", "annotations", "result", "was_cancelled"} <= set(include)
    assert not {"drafts", "comment_authors", "created_ago", "is_labeled", "predictions"} & set(include)
    assert len(include) == len(set(include))
    assert json.loads(params["query"]) == {
        "filters": {
            "conjunction": "and",
            "items": [
                {"filter": "filter:tasks:total_annotations", "operator": "greater", "type": "Number", "value": 0},
                {"filter": "filter:tasks:id", "operator": "in", "type": "Number", "value": {"min": 1, "max": 250}},
            ],
        }
    }


def test_lean_pages_carry_no_results() -> None:
    """Without `fields=all` there are no annotations at all; heads come without their results."""
    assert "fields" not in dict(Query("7", BARE, 1).params())
    heads = dict(Query("7", LEAN_HEADS, 1).params())
    assert heads["fields"] == "all"
    assert "result" not in heads["include"].split(",")


def test_times_have_the_one_form_that_does_not_crash_the_server() -> None:
    """Six digits and a Z, in UTC, whatever zone and precision a moment has."""
    moment = datetime(2026, 11, 22, 5, 0, tzinfo=timezone(timedelta(hours=1)))
    assert changed_since(moment).value == "2026-11-22T04:00:00.000000Z"
    assert changed_since(datetime(2026, 1, 2, 3, 4, 5, 6, UTC)).value == "2026-01-02T03:04:05.000006Z"


def test_ids_are_asked_for_by_list_by_bound_and_newest_first() -> None:
    """The three ways in which single tasks are found."""
    assert among([3, 1]).json()["value"] == [3, 1]
    assert above(9).json() == {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": 9}
    query = Query("7", BARE, 1, (annotated(),), every=False, newest_first=True)
    text = json.loads(dict(query.params())["query"])
    assert (text["ordering"], text["filters"]["conjunction"]) == (["-tasks:id"], "or")
    assert "query" not in dict(Query("7", BARE, 1).params())
