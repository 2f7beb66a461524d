"""Projects of the emulated server: their settings, and the counters that a listing shows."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

import msgspec

from syncer.demo.platform.rows import USER, Stamp, Task

_CREATOR = {key: USER[key] for key in ("id", "first_name", "last_name", "email", "avatar")}

#: Names of the counters, in the order of `/api/projects/counts/`.
COUNTERS = (
    "task_number",
    "finished_task_number",
    "total_predictions_number",
    "total_annotations_number",
    "num_tasks_with_annotations",
    "useful_annotation_number",
    "ground_truth_number",
    "skipped_annotations_number",
)

#: Settings that a user may send with POST and PATCH, and their defaults.
SETTINGS: dict[str, Any] = {
    "title": "",
    "description": "",
    "label_config": "<View></View>",
    "expert_instruction": "",
    "show_instruction": False,
    "show_skip_button": True,
    "enable_empty_annotation": True,
    "show_annotation_history": False,
    "color": "#FFFFFF",
    "maximum_annotations": 1,
    "is_published": False,
    "model_version": "",
    "is_draft": False,
}

_BEFORE_COUNTS: dict[str, Any] = {
    "min_annotations_to_start_training": 0,
    "start_training_on_annotation_update": False,
    "show_collab_predictions": True,
}
_AFTER_COUNTS: dict[str, Any] = {
    "sampling": "Sequential sampling",
    "show_ground_truth_first": False,
    "annotator_evaluation_enabled": False,
    "show_overlap_first": False,
    "overlap_cohort_percentage": 100,
    "task_data_login": None,
    "task_data_password": None,
}


class Project(msgspec.Struct):
    """One project."""

    id: int
    created_at: Stamp
    settings: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.settings["title"])

    @property
    def overlap(self) -> int:
        """How many annotations make a task labelled."""
        return int(self.settings["maximum_annotations"])


def counters(tasks: Iterable[Task]) -> dict[str, int]:
    """Count what the project listing shows; skipped and ground truth annotations count as the server counts them."""
    counts = dict.fromkeys(COUNTERS, 0)
    for task in tasks:
        useful = sum(not a.was_cancelled and not a.ground_truth for a in task.annotations)
        counts["task_number"] += 1
        counts["finished_task_number"] += task.is_labeled
        counts["total_predictions_number"] += task.total_predictions
        counts["total_annotations_number"] += task.total_annotations
        counts["num_tasks_with_annotations"] += useful > 0
        counts["useful_annotation_number"] += useful
        counts["ground_truth_number"] += sum(a.ground_truth for a in task.annotations)
        counts["skipped_annotations_number"] += task.cancelled_annotations
    return counts


def describe(project: Project, counts: dict[str, Any]) -> dict[str, Any]:
    """Return the project object, keys in the order of the real one. `counts` may hold None, as after creation."""
    settings = dict(project.settings)
    controls = _controls(settings["label_config"])
    head = {key: settings[key] for key in ("title", "description", "label_config", "expert_instruction")}
    return {
        "id": project.id,
        **head,
        **{key: settings[key] for key in SETTINGS if key not in head and key not in _LATE},
        "organization": 1,
        **{key: settings[key] for key in _LATE},
        "created_by": _CREATOR,
        "created_at": project.created_at,
        **_BEFORE_COUNTS,
        **{key: counts[key] for key in _COUNTED},
        **_AFTER_COUNTS,
        "control_weights": {
            name: {"overall": 1.0, "type": control["type"], "labels": dict.fromkeys(control["labels"], 1.0)}
            for name, control in controls.items()
        },
        "parsed_label_config": controls,
        "evaluate_predictions_automatically": False,
        "config_has_control_tags": bool(controls),
        "skip_queue": "REQUEUE_FOR_OTHERS",
        "reveal_preannotations_interactively": False,
        "pinned_at": None,
        "finished_task_number": counts["finished_task_number"],
        "queue_total": counts["task_number"] or 0,
        "queue_done": counts["finished_task_number"] or 0,
        "config_suitable_for_bulk_annotation": all(control["type"] == "Choices" for control in controls.values()),
        "state": None,
    }


#: Counters in the order of the project object.
_COUNTED = (
    "num_tasks_with_annotations",
    "task_number",
    "useful_annotation_number",
    "ground_truth_number",
    "skipped_annotations_number",
    "total_annotations_number",
    "total_predictions_number",
)

#: Settings that stand behind the organization.
_LATE = ("color", "maximum_annotations", "is_published", "model_version", "is_draft")


def data_key(label_config: str) -> str | None:
    """Return the key that imported task data must have (`$image` wants `image`)."""
    for tag in _tags(label_config):
        value = tag.get("value", "")
        if tag.get("name") and not tag.get("toName") and value.startswith("$"):
            return value[1:]
    return None


def _controls(label_config: str) -> dict[str, dict[str, Any]]:
    tags = _tags(label_config)
    inputs = {
        tag.get("name"): {"type": tag.tag, "valueType": tag.get("valueType"), "value": tag.get("value", "").lstrip("$")}
        for tag in tags
        if tag.get("name") and not tag.get("toName")
    }
    found: dict[str, dict[str, Any]] = {}
    for tag in tags:
        name, target = tag.get("name"), tag.get("toName")
        if name and target:
            labels = [child.get("value", "") for child in tag]
            found[name] = {
                "type": tag.tag,
                "to_name": [target],
                "inputs": [inputs[target]] if target in inputs else [],
                "labels": labels,
                "labels_attrs": {label: {"value": label} for label in labels},
            }
    return found


def _tags(label_config: str) -> list[ET.Element]:
    return list(ET.fromstring(label_config).iter())  # noqa: S314  # our own server's configuration, from our own tests
