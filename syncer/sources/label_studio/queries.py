"""The `query` and `include` parameters of the task list: which tasks, in which order, with which keys.

`include` also filters the keys of nested annotations, so both levels stand in one list; it saves the server
two thirds of its work. Times must have exactly six digits and a Z, else the server answers 500.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

#: Path of the task list.
TASKS = "/api/tasks/"

_IDENTITY = ("id", "created_at", "updated_at", "total_annotations", "cancelled_annotations")
_NAMES = ("inner_id", "data")
_HEADS = ("annotations", "was_cancelled", "ground_truth", "completed_by", "last_action")
_ANNOTATION = (
    "annotations", "result", "was_cancelled", "ground_truth", "completed_by", "lead_time", "task", "project",
    "draft_created_at", "import_id", "last_action", "bulk_created", "updated_by", "parent_prediction",
    "parent_annotation", "last_created_by",
)  # fmt: skip
_TASK = (
    "meta", "total_predictions", "comment_count", "unresolved_comment_count", "last_comment_updated_at",
    "file_upload", "storage_filename", "allow_skip",
)  # fmt: skip


class Shape(msgspec.Struct, frozen=True):
    """How much of each task is asked for."""

    include: tuple[str, ...]
    #: Derived columns and annotations are only served on demand.
    annotations: bool
    #: Rows carry everything that their documents are made of.
    whole: bool = False


#: Tasks without their annotations; without and with the data that names come from.
BARE = Shape(_IDENTITY, annotations=False)
LEAN = Shape(_IDENTITY + _NAMES, annotations=False)
#: The same with annotations, but not their results.
BARE_HEADS = Shape(_IDENTITY + _HEADS, annotations=True)
LEAN_HEADS = Shape(_IDENTITY + _NAMES + _HEADS, annotations=True)
#: Everything that goes into documents.
WHOLE_TASKS = Shape(_IDENTITY + _NAMES + _TASK + _ANNOTATION, annotations=True, whole=True)
WHOLE_ANNOTATIONS = Shape((*_IDENTITY, *_NAMES, *_ANNOTATION, "created_username"), annotations=True, whole=True)


class Filter(msgspec.Struct, frozen=True):
    """One condition on a column."""

    column: str
    operator: str
    type: str
    value: object

    def json(self) -> dict[str, object]:
        """Return it as the server wants it."""
        return {
            "filter": f"filter:tasks:{self.column}",
            "operator": self.operator,
            "type": self.type,
            "value": self.value,
        }


def between(first: int, last: int) -> Filter:
    """Ids of a range, both ends included."""
    return Filter("id", "in", "Number", {"min": first, "max": last})


def above(number: int) -> Filter:
    """Ids greater than one."""
    return Filter("id", "greater", "Number", number)


def among(ids: Sequence[int]) -> Filter:
    """Ids of a list."""
    return Filter("id", "in_list", "Number", list(ids))


def changed_since(moment: datetime) -> Filter:
    """Tasks whose annotations or data changed at or after a moment of the server's clock."""
    return Filter("updated_at", "greater_or_equal", "Datetime", time_text(moment))


def changed_before(moment: datetime) -> Filter:
    """Tasks that did not change at or after a moment."""
    return Filter("updated_at", "less", "Datetime", time_text(moment))


def annotated() -> Filter:
    """Tasks with an annotation that was not skipped. Neither drafts nor `maximum_annotations` play a part."""
    return Filter("total_annotations", "greater", "Number", 0)


def skipped() -> Filter:
    """Tasks with a skipped annotation."""
    return Filter("cancelled_annotations", "greater", "Number", 0)


class Query(msgspec.Struct, frozen=True):
    """One request for a page of the task list; always page 1, since pages by number drift under deletions."""

    project: str
    shape: Shape
    limit: int
    filters: tuple[Filter, ...] = ()
    #: All filters must hold, or any of them.
    every: bool = True
    #: Highest id first.
    newest_first: bool = False

    def params(self) -> list[tuple[str, str]]:
        """Return the parameters of the URL."""
        query: dict[str, object] = {}
        if self.filters:
            conjunction = "and" if self.every else "or"
            query["filters"] = {"conjunction": conjunction, "items": [item.json() for item in self.filters]}
        if self.newest_first:
            query["ordering"] = ["-tasks:id"]
        params = [("project", self.project), ("page", "1"), ("page_size", str(self.limit)), ("resolve_uri", "false")]
        if self.shape.annotations:
            params.append(("fields", "all"))
        params.append(("include", ",".join(self.shape.include)))
        if query:
            params.append(("query", json.dumps(query, separators=(",", ":"))))
        return params


def time_text(moment: datetime) -> str:
    """Return a moment in the one form that filters take."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
