"""What the emulated server answers to readers of tasks and annotations."""

from syncer.demo.platform.answers import Answer, Refused, invalid, missing, ok, refuse, to_json
from syncer.demo.platform.filters import Query, parse, read
from syncer.demo.platform.render import plain_task
from syncer.demo.platform.site import Call, Site
from syncer.demo.platform.views import find_project, page_start, positive

#: Rows of a page where none are asked for. There is no maximum.
PAGE = 100


def tasks(site: Site, call: Call) -> Answer:
    """Answer `GET /api/tasks`: filtered, ordered, cut into pages by number, so that deletions make it drift."""
    number, query = _scope(site, call)
    selected = site.selector.select(number, query)
    size = positive(call.params.get("page_size"), PAGE)
    _, start = page_start(call.params.get("page", "1"), size, len(selected.ids))
    ids = tuple(selected.ids[start : start + size])
    full = call.params.get("fields") == "all"
    rows = site.rows(ids, call.include, full=full)
    for place, task in enumerate(ids) if len(site.faults) else ():
        rows[place] = _spoiled(site, task, rows[place])
    body = b'{"total_annotations":%d,"total_predictions":%d,"total":%d,"tasks":[%b]}' % (
        selected.total_annotations,
        selected.total_predictions,
        len(selected.ids),
        b",".join(rows),
    )
    return Answer(body, tasks=ids)


def task(site: Site, call: Call) -> Answer:
    """Answer `GET /api/tasks/{id}/`: authors are objects here, and nested keys are not filtered."""
    found = site.task(call.ids[0])
    row = site.renderer(call.include, single=True).task(found)
    return Answer(_spoiled(site, found.id, row), tasks=(found.id,))


def task_annotations(site: Site, call: Call) -> Answer:
    """Answer `GET /api/tasks/{id}/annotations/`: a bare list, without skipped ones."""
    found = site.task(call.ids[0])
    rows = [site.renderer().annotation(a) for a in found.annotations if not a.was_cancelled]
    return Answer(b"[%b]" % b",".join(rows), tasks=(found.id,))


def annotation(site: Site, call: Call) -> Answer:
    """Answer `GET /api/annotations/{id}/`."""
    owner, found = site.annotation(call.ids[0])
    return Answer(site.renderer().annotation(found), tasks=(owner.id,))


def project_tasks(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/{id}/tasks/`: a bare list, newest first, without totals."""
    project = find_project(site, call.ids[0])
    ids = site.store.tasks.ids(project.id)[::-1]
    size, number = positive(call.params.get("page_size"), PAGE), positive(call.params.get("page"), 1)
    chosen = tuple(ids[(number - 1) * size : number * size])
    if not chosen and number > 1:
        raise refuse(404, "Not found.")
    rows = [plain_task(site.task(task), nested=True, renderer=site.renderer()) for task in chosen]
    return Answer(b"[%b]" % b",".join(rows), tasks=chosen)


def views(site: Site, call: Call) -> Answer:
    """Answer `GET /api/dm/views/`, of one project or of all."""
    number = call.params.get("project")
    if number is not None and (not number.isdigit() or int(number) not in site.store.projects):
        raise invalid({"project": ["Select a valid choice. That choice is not one of the available choices."]})
    return ok([view for view in site.store.views.values() if number is None or view["project"] == int(number)])


def view(site: Site, call: Call) -> Answer:
    """Answer `GET /api/dm/views/{id}/`."""
    if call.ids[0] not in site.store.views:
        raise missing("View")
    return ok(site.store.views[call.ids[0]])


def _scope(site: Site, call: Call) -> tuple[int, Query]:
    for name in ("project", "view"):
        value = call.params.get(name, "0")
        if not value.isdigit():
            raise invalid({name: f'Incorrect value in key "{name}" = "{value}". It should be digit string.'})
    number, saved = int(call.params.get("project", 0)), int(call.params.get("view", 0))
    if saved:
        if saved not in site.store.views:
            raise missing("View")
        found = site.store.views[saved]
        return int(found["project"]), read(found["data"])
    if not number:
        raise Refused(Answer(to_json({"detail": "Neither project nor view id specified"}), 404))
    return find_project(site, number).id, parse(call.params.get("query"))


def _spoiled(site: Site, task: int, row: bytes) -> bytes:
    addition = site.faults.corruption(task)
    return row if addition is None else b"%b,%b}" % (row[:-1], addition)
