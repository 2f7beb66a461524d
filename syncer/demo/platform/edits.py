"""What changes the emulated server's data over HTTP, as annotators, importers and administrators do it."""

from typing import Any

from syncer.demo.platform.answers import Answer, invalid, missing, no_content, ok, refuse
from syncer.demo.platform.projects import COUNTERS, SETTINGS, data_key, describe
from syncer.demo.platform.render import plain_task
from syncer.demo.platform.site import Call, Site
from syncer.demo.platform.views import find_project

_SHORTEST_TITLE = 3


def create_project(site: Site, call: Call) -> Answer:
    """Answer `POST /api/projects/`: counters are null in this one answer."""
    raw = _object(call)
    title = str(raw.get("title", ""))
    if len(title) < _SHORTEST_TITLE:
        raise invalid({"title": [f"Ensure this field has at least {_SHORTEST_TITLE} characters."]})
    settings = {key: value for key, value in raw.items() if key in SETTINGS and key not in {"title", "label_config"}}
    project = site.store.create_project(title, raw.get("label_config", "<View></View>"), **settings)
    return ok(describe(project, dict.fromkeys(COUNTERS)), 201)


def patch_project(site: Site, call: Call) -> Answer:
    """Answer `PATCH /api/projects/{id}/`."""
    project = find_project(site, call.ids[0])
    site.store.patch_project(project, _object(call))
    return ok(describe(project, site.store.counts(project.id)))


def delete_project(site: Site, call: Call) -> Answer:
    """Answer `DELETE /api/projects/{id}/`."""
    site.store.delete_project(find_project(site, call.ids[0]).id)
    return no_content()


def import_tasks(site: Site, call: Call) -> Answer:
    """Answer `POST /api/projects/{id}/import`."""
    project = find_project(site, call.ids[0])
    raw = call.json()
    items = [_item(place, item, data_key(project.settings["label_config"])) for place, item in enumerate(_many(raw))]
    if not items:
        raise invalid({"non_field_errors": ["load_tasks: No tasks added"]})
    ids = site.store.import_tasks(project, items)
    body: dict[str, Any] = {
        "task_count": len(ids),
        "annotation_count": sum(len(item.get("annotations", ())) for item in items),
        "prediction_count": sum(len(item.get("predictions", ())) for item in items),
        "duration": 0.01,
        "file_upload_ids": [],
        "could_be_tasks_list": False,
        "found_formats": [],
        "data_columns": [],
    }
    if call.params.get("return_task_ids") == "true":
        body["task_ids"] = ids
    return ok(body, 201)


def create_task(site: Site, call: Call) -> Answer:
    """Answer `POST /api/tasks/`."""
    raw = _object(call)
    project = find_project(site, int(raw.get("project", 0)))
    task = site.store.create_task(project, raw.get("data", {}), raw.get("meta"))
    return Answer(plain_task(task, renderer=site.renderer()), 201)


def patch_task(site: Site, call: Call) -> Answer:
    """Answer `PATCH /api/tasks/{id}/`."""
    task = site.store.patch_task(site.task(call.ids[0]).id, _object(call))
    return Answer(plain_task(task, nested=True, renderer=site.renderer()))


def delete_task(site: Site, call: Call) -> Answer:
    """Answer `DELETE /api/tasks/{id}/`."""
    site.store.delete_tasks([site.task(call.ids[0]).id])
    return no_content()


def annotate(site: Site, call: Call) -> Answer:
    """Answer `POST /api/tasks/{id}/annotations/`."""
    task, raw = site.task(call.ids[0]), _checked(_object(call))
    more = {key: raw[key] for key in ("ground_truth", "lead_time", "last_action") if key in raw}
    made = site.store.annotate(task.id, raw.get("result", []), was_cancelled=bool(raw.get("was_cancelled")), **more)
    return Answer(site.renderer().annotation(made), 201)


def patch_annotation(site: Site, call: Call) -> Answer:
    """Answer `PATCH /api/annotations/{id}/`; `{"was_cancelled": true}` is how skipping looks."""
    _, found = site.annotation(call.ids[0])
    return Answer(site.renderer().annotation(site.store.patch_annotation(found.id, _checked(_object(call)))))


def delete_annotation(site: Site, call: Call) -> Answer:
    """Answer `DELETE /api/annotations/{id}/`."""
    _, found = site.annotation(call.ids[0])
    site.store.delete_annotation(found.id)
    return no_content()


def to_draft(site: Site, call: Call) -> Answer:
    """Answer `POST /api/annotations/{id}/convert-to-draft`."""
    _, found = site.annotation(call.ids[0])
    return Answer(site.renderer().draft(site.store.to_draft(found.id)), 201)


def add_draft(site: Site, call: Call) -> Answer:
    """Answer `POST /api/tasks/{id}/drafts`."""
    task = site.task(call.ids[0])
    return Answer(site.renderer().draft(site.store.add_draft(task.id, _object(call).get("result", []))), 201)


def act(site: Site, call: Call) -> Answer:
    """Answer `POST /api/dm/actions`: delete tasks, or all their annotations, in bulk."""
    project = find_project(site, int(call.params.get("project", "0")))
    selected = _object(call).get("selectedItems", {"all": True, "excluded": []})
    ids = site.store.tasks.ids(project.id)
    chosen = (
        set(selected.get("included", ())) if not selected.get("all") else set(ids) - {*selected.get("excluded", ())}
    )
    tasks = [task for task in ids if task in chosen]
    match call.params.get("id"):
        case "delete_tasks":
            count = site.store.delete_tasks(tasks)
            return ok({"processed_items": count, "reload": False, "detail": f"Deleted {count} tasks"})
        case "delete_tasks_annotations":
            count = site.store.delete_annotations(tasks)
            return ok({"processed_items": count, "detail": f"Deleted {count} annotations"})
        case other:
            raise refuse(500, f"Can't find '{other}' in registered actions")


def create_view(site: Site, call: Call) -> Answer:
    """Answer `POST /api/dm/views/`."""
    raw = _object(call)
    project = find_project(site, int(raw.get("project", 0)))
    number = max(site.store.views, default=0) + 1
    view = {"id": number, "data": raw.get("data", {}), "order": 0, "user": 1, "project": project.id}
    site.store.views[number] = view
    return ok(view, 201)


def delete_view(site: Site, call: Call) -> Answer:
    """Answer `DELETE /api/dm/views/{id}/`."""
    if site.store.views.pop(call.ids[0], None) is None:
        raise missing("View")
    return no_content()


def _object(call: Call) -> dict[str, Any]:
    raw = call.json()
    if not isinstance(raw, dict):
        raise invalid({"non_field_errors": [f"Invalid data. Expected a dictionary, but got {type(raw).__name__}."]})
    return raw


def _many(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else [raw]


def _item(place: int, raw: Any, key: str | None) -> dict[str, Any]:
    item = raw if isinstance(raw, dict) and "data" in raw else {"data": raw}
    if key is not None and key not in item["data"]:
        message = f'Error at item {place}: "{key}" key is expected in task data'
        raise invalid({"non_field_errors": [message]})
    if any("result" not in annotation for annotation in item.get("annotations", ())):
        raise invalid({"non_field_errors": [f'Error at item {place}: Annotation must have "result" fields']})
    return item


def _checked(raw: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(raw.get("result", []), list):
        raise invalid({"result": ['annotation "result" field in annotation must be list']})
    if not isinstance(raw.get("lead_time", 0), int | float | None):
        raise invalid({"lead_time": ["A valid number is required."]})
    return raw
