"""Routes about everything around annotations: projects, batches, types, inputs, scenes, requests."""

from typing import Any

from tests.emulators.kognic import rows
from tests.emulators.kognic.answers import Answer, Call, answer, refusal
from tests.emulators.kognic.site import Site
from tests.emulators.kognic.world import Input

#: Rows of a page of request inputs, unless told otherwise, and the most.
_INPUTS, _MOST_INPUTS = 1000, 5000


def workspaces(site: Site, call: Call) -> Answer:
    """Return the one workspace."""
    home = {"id": "workspace-1", "externalId": "w1", "name": "Workspace", "created": "2024-01-02T03:04:05.000000Z"}
    return site.whole([{**home, "organization": {"name": "Organisation"}}])


def projects(site: Site, call: Call) -> Answer:
    """Return all projects."""
    return site.whole([rows.project(each) for each in site.world.projects.values()])


def batches(site: Site, call: Call) -> Answer:
    """Return the batches of a project."""
    return site.whole([rows.batch(each) for each in site.project(call.names["project"]).batches.values()])


def types(site: Site, call: Call) -> Answer:
    """Return the annotation types of a project or batch: none where they were phased out."""
    project, batch = site.project(call.names["project"]), call.names.get("batch")
    if (batch is not None and batch not in project.batches) or project.typed == "missing":
        raise refusal(404, "Not Found")
    return site.whole(site.world.types(project.name, batch) if project.typed == "yes" else [])


def query_inputs(site: Site, call: Call) -> Answer:
    """Return a page of inputs; those of invalidated scenes are not among them."""
    asked = call.json()
    found = [row for row in _home(site, asked) if not row.scene.status.startswith("invalidated")]
    scenes, external = asked.get("sceneUuids"), asked.get("externalIds")
    if scenes:
        found = [row for row in found if row.scene.uuid in scenes]
    if external:
        found = [row for row in found if row.scene.external_id in external]
    return _paged(site, call, found, rows.input_row)


def fetch_inputs(site: Site, call: Call) -> Answer:
    """Return a page of entries with their status; `includeInvalidated` returns the invalidated ones, and only those."""
    asked = call.json()
    invalidated, external = asked.get("includeInvalidated", False), asked.get("externalIds")
    found = [row for row in _first(_home(site, asked)) if row.scene.status.startswith("invalidated") == invalidated]
    if external:
        found = [row for row in found if row.scene.external_id in external]
    return _paged(site, call, found, lambda row: entry(site, row))


def inputs_by_uuid(site: Site, call: Call) -> Answer:
    """Return entries by UUID of their scenes."""
    found = (_first(site.world.of_scene(uuid)) for uuid in call.json().get("uuids", ()))
    return site.whole([entry(site, row) for inputs in found for row in inputs])


def query_scenes(site: Site, call: Call) -> Answer:
    """Return scenes; 404 if any is unknown."""
    asked = call.json()
    by_name = {each.external_id: each.uuid for each in site.world.scenes.values()} if "externalIds" in asked else {}
    wanted = asked.get("sceneUuids") or [by_name.get(each, "") for each in asked.get("externalIds", ())]
    if not all(uuid in site.world.scenes for uuid in wanted):
        raise refusal(404, "Not Found")
    return site.whole([rows.scene(site.world.scenes[uuid]) for uuid in wanted])


def scene(site: Site, call: Call) -> Answer:
    """Return what is known of a scene."""
    found = site.world.scenes.get(call.names["scene"])
    hidden = call.params.get("includeInvalidated", "False").lower() != "true"
    if found is None or (hidden and found.status.startswith("invalidated")):
        raise refusal(404, "Not Found")
    return site.whole(rows.summary(found))


def requests(site: Site, call: Call) -> Answer:
    """Return the requests of a project, which is named by its UUID."""
    counts = call.params.get("includeInputProgressCounts") == "true"
    found = [each for each in site.world.requests.values() if each.batch.project.id == call.params.get("projectId")]
    for each in found:
        site.project(each.batch.project.name)
    inputs: dict[str, list[Input]] = {each.id: [] for each in found}
    for row in site.world.inputs.values():
        if row.request.id in inputs:
            inputs[row.request.id].append(row)
    return site.whole([rows.request(each, inputs[each.id], counts=counts) for each in found])


def request_inputs(site: Site, call: Call) -> Answer:
    """Return a page of the inputs of a request."""
    wanted = site.world.requests.get(call.params.get("requestId", ""))
    if wanted is None:
        raise refusal(404, "Not Found")
    if not wanted.flexible:
        raise refusal(400, "Only requests of flexible workflows have request inputs")
    scene_id = call.params.get("sceneId")
    found = [row for row in site.world.inputs.values() if row.request is wanted and scene_id in {None, row.scene.uuid}]
    size = min(int(call.params.get("limit", _INPUTS)), _MOST_INPUTS)
    return _paged(site, call, found, rows.request_input, size)


def request_input(site: Site, call: Call) -> Answer:
    """Return one input of a request."""
    found = site.world.inputs.get(call.names["input"])
    if found is None:
        raise refusal(404, "Not Found")
    return answer(rows.request_input(found))


def entry(site: Site, row: Input) -> dict[str, Any]:
    """Return an entry with the types that its scene is annotated with."""
    return rows.entry(row, sorted({each.request.type for each in site.world.of_scene(row.scene.uuid)}))


def _home(site: Site, asked: dict[str, Any]) -> list[Input]:
    project, batch = asked.get("project"), asked.get("batch")
    if project is not None:
        site.project(project)
    return list(site.world.of_project(project, batch))


def _first(inputs: list[Input]) -> list[Input]:
    """Leave one input of each scene and batch: entries are about scenes."""
    seen: dict[tuple[str, str], Input] = {}
    for row in inputs:
        seen.setdefault((row.scene.uuid, row.request.batch.name), row)
    return list(seen.values())


def _paged(site: Site, call: Call, found: list[Input], show: Any, size: int = 0) -> Answer:
    return site.page(call, found, lambda row: row.number, show, size)
