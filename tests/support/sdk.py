"""What the vendor's own client reads from a Label Studio, and the documents that an export makes of it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from label_studio_sdk import LabelStudio

from tests.support.labelstudio import RealLabelStudio

Json = Any

#: Keys of a task that an export leaves out: they move by themselves, repeat what stands elsewhere, or belong to the
#: reader, not to the task.
TASK_LEAVES_OUT = frozenset(
    {
        "annotations_ids", "annotations_results", "annotators", "avg_lead_time", "comment_authors", "completed_at",
        "draft_exists", "drafts", "is_labeled", "overlap", "predictions", "predictions_model_versions",
        "predictions_results", "predictions_score",
    }
)  # fmt: skip
#: The same of an annotation inside a task, and of one that is a document of its own.
INNER_LEAVES_OUT = frozenset({"created_ago", "created_username"})
ANNOTATION_LEAVES_OUT = frozenset({"created_ago"})


def sdk_tasks(server: RealLabelStudio, project: int, page_size: int = 500) -> list[Json]:
    """List all tasks of a project with the vendor's client; return them as the server served them to it."""
    bodies: list[bytes] = []

    def record(response: httpx.Response) -> None:
        if response.is_success:
            bodies.append(response.read())

    make: Any = LabelStudio  # its constructor is not annotated
    with httpx.Client(timeout=120, event_hooks={"response": [record]}) as client:
        studio = make(base_url=server.url, api_key=server.token, httpx_client=client)
        objects = list(studio.tasks.list(project=project, fields="all", page_size=page_size))
    served = [task for body in bodies for task in json.loads(body)["tasks"]]
    assert [task.id for task in objects] == [task["id"] for task in served]
    return served


def finished(tasks: Iterable[Json]) -> list[Json]:
    """Return the tasks that have an annotation which was not skipped."""
    return [task for task in tasks if any(not each["was_cancelled"] for each in task["annotations"])]


def task_documents(tasks: Iterable[Json]) -> dict[str, bytes]:
    """Return the expected document of every finished task by its name, to the byte."""
    documents = {}
    for task in finished(tasks):
        kept = [each for each in task["annotations"] if not each["was_cancelled"]]
        inner = [_without(each, INNER_LEAVES_OUT) for each in kept]
        documents[f"{task['id']}.json"] = _compact({**_without(task, TASK_LEAVES_OUT), "annotations": inner})
    return documents


def annotation_documents(tasks: Iterable[Json]) -> dict[str, bytes]:
    """Return the expected document of every finished annotation by its name, to the byte."""
    every = [each for task in tasks for each in task["annotations"] if not each["was_cancelled"]]
    return {f"{each['id']}.json": _compact(_without(each, ANNOTATION_LEAVES_OUT)) for each in every}


def _without(value: Mapping[str, Json], names: frozenset[str]) -> dict[str, Json]:
    return {key: each for key, each in value.items() if key not in names}


def _compact(value: Json) -> bytes:
    # The server writes JSON with the same encoder, and spells out two signs that JavaScript takes for ends of lines.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()
