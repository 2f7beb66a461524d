"""The server's own exports: the synchronous file, and snapshots that are made, listed, downloaded and deleted."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from syncer.demo.platform.answers import Answer, Refused, no_content, ok, page, refuse, to_json
from syncer.demo.platform.render import when
from syncer.demo.platform.rows import USER, Annotation, Snapshot, Task
from syncer.demo.platform.site import Call, Site
from syncer.demo.platform.views import find_project

_ANNOTATION: tuple[tuple[bytes, Callable[[Annotation], bytes]], ...] = (
    (b"id", lambda a: b"%d" % a.id),
    (b"completed_by", lambda a: b"%d" % a.completed_by),
    (b"result", lambda a: a.result),
    (b"was_cancelled", lambda a: to_json(a.was_cancelled)),
    (b"ground_truth", lambda a: to_json(a.ground_truth)),
    (b"created_at", lambda a: when(a.created_at)),
    (b"updated_at", lambda a: when(a.updated_at)),
    (b"draft_created_at", lambda _: b"null"),
    (b"lead_time", lambda a: to_json(a.lead_time)),
    (b"prediction", lambda _: b"{}"),
    (b"result_count", lambda _: b"0"),
    (b"unique_id", lambda a: to_json(a.unique_id)),
    (b"import_id", lambda a: to_json(a.import_id)),
    (b"last_action", lambda a: to_json(a.last_action)),
    (b"bulk_created", lambda _: b"false"),
    (b"task", lambda a: b"%d" % a.task),
    (b"project", lambda a: b"%d" % a.project),
    (b"updated_by", lambda a: to_json(a.updated_by)),
    (b"parent_prediction", lambda _: b"null"),
    (b"parent_annotation", lambda _: b"null"),
    (b"last_created_by", lambda _: b"null"),
)

_TASK: tuple[tuple[bytes, Callable[[Task], bytes]], ...] = (
    (b"id", lambda t: b"%d" % t.id),
    (b"annotations", lambda t: _listed(_object(_ANNOTATION, a) for a in t.annotations)),
    (b"drafts", lambda t: to_json([draft.id for draft in t.drafts])),
    (b"predictions", lambda t: to_json([prediction.id for prediction in t.predictions])),
    (b"data", lambda t: t.data),
    (b"meta", lambda t: t.meta),
    (b"created_at", lambda t: when(t.created_at)),
    (b"updated_at", lambda t: when(t.updated_at)),
    (b"allow_skip", lambda _: b"true"),
    (b"inner_id", lambda t: b"%d" % t.inner_id),
    (b"total_annotations", lambda t: b"%d" % t.total_annotations),
    (b"cancelled_annotations", lambda t: b"%d" % t.cancelled_annotations),
    (b"total_predictions", lambda t: b"%d" % t.total_predictions),
    (b"comment_count", lambda _: b"0"),
    (b"unresolved_comment_count", lambda _: b"0"),
    (b"last_comment_updated_at", lambda _: b"null"),
    (b"project", lambda t: b"%d" % t.project),
    (b"updated_by", lambda t: to_json(t.updated_by)),
    (b"comment_authors", lambda _: b"[]"),
)


def export(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/{id}/export`: the whole project in one body, skipped-only tasks too."""
    project = call.ids[0]
    if project not in site.store.projects:
        raise Refused(page(404))
    _only_json(call.params.get("exportType", call.params.get("export_type", "JSON")))
    everything = call.params.get("download_all_tasks", "false").lower() == "true"
    body = _listed(_object(_TASK, t) for t in site.store.tasks.all_of(project) if everything or t.annotations)
    name = f"project-{project}-at-{site.store.stamp()[:16].replace('T', '-').replace(':', '-')}.json"
    return Answer(body, media="application/.json", headers=_attachment(name))


def create_snapshot(site: Site, call: Call) -> Answer:
    """Answer `POST /api/projects/{id}/exports/`: made before it answers, as without a queue."""
    project = find_project(site, call.ids[0])
    started = site.store.stamp()
    body = _listed(_object(_TASK, task) for task in site.store.tasks.all_of(project.id))
    number = max(site.store.snapshots, default=0) + 1
    described = {
        "title": str((call.json() or {}).get("title") or f"{project.title}-at-{started[:16]}"),
        "id": number,
        "created_by": {key: USER[key] for key in ("id", "first_name", "last_name", "email", "avatar")},
        "created_at": started,
        "finished_at": site.store.stamp(),
        "status": "completed",
        "md5": hashlib.md5(body, usedforsecurity=False).hexdigest(),
        "counters": {"task_number": len(site.store.tasks.ids(project.id))},
        "converted_formats": [],
    }
    site.store.snapshots[number] = Snapshot(number, project.id, described, body)
    options = dict.fromkeys(("task_filter_options", "annotation_filter_options", "serialization_options"))
    return ok({**described, **options}, 201)


def snapshots(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/{id}/exports/`."""
    project = find_project(site, call.ids[0]).id
    found = [snapshot.described for snapshot in site.store.snapshots.values() if snapshot.project == project]
    return ok(found[::-1])


def snapshot(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/{id}/exports/{pk}`."""
    return ok(_found(site, call).described)


def download(site: Site, call: Call) -> Answer:
    """Answer `GET …/exports/{pk}/download`: no length, connection closed after it."""
    found = _found(site, call)
    _only_json(call.params.get("exportType", "JSON"))
    return Answer(
        found.body, headers=_attachment(f"project-{found.project}-{found.described['md5'][:8]}.json"), streamed=True
    )


def delete_snapshot(site: Site, call: Call) -> Answer:
    """Answer `DELETE …/exports/{pk}`."""
    del site.store.snapshots[_found(site, call).id]
    return no_content()


def formats(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/{id}/export/formats`; the emulator converts nothing."""
    find_project(site, call.ids[0])
    return ok([{"title": "JSON", "description": "List of items in raw JSON format.", "link": "", "name": "JSON"}])


def _found(site: Site, call: Call) -> Snapshot:
    project, number = call.ids
    found = site.store.snapshots.get(number)
    if found is None or found.project != project:
        raise Refused(page(404))
    return found


def _only_json(kind: str) -> None:
    if kind != "JSON":
        raise refuse(500, "")


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "filename": name}


def _object(fields: Iterable[tuple[bytes, Callable[[Any], bytes]]], row: object) -> bytes:
    return b"{%b}" % b",".join([b'"%b":%b' % (name, write(row)) for name, write in fields])


def _listed(rows: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(rows)
