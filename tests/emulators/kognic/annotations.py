"""Routes that list annotations, and that return one."""

from typing import Any

import msgspec

from tests.emulators.kognic.answers import Answer, Call, answer, refusal, stamp
from tests.emulators.kognic.documents import openlabel
from tests.emulators.kognic.site import Site
from tests.emulators.kognic.world import Annotation


def search(site: Site, call: Call) -> Answer:
    """Return a page of the annotations of a project or batch, and a type."""
    rows = _listed(site, call)
    return site.page(call, rows, lambda row: row.number, lambda row: _partial(site, call, row))


def unpaged(site: Site, call: Call) -> Answer:
    """Return them all at once: the route before there were pages."""
    return site.whole([_partial(site, call, row) for row in _listed(site, call)])


def single(site: Site, call: Call) -> Answer:
    """Return the newest annotation of a scene and a type, its document within."""
    if call.names["scene"] not in site.world.scenes:
        raise refusal(404, "Not Found")
    inputs = site.world.of_scene(call.names["scene"])
    found = [each.annotation for each in inputs if each.annotation and each.request.type == call.names["type"]]
    if not found or not all(_typed(each) for each in found):
        raise refusal(404, "Not Found")
    row = max(found, key=lambda each: each.created)
    shown = {
        "inputUuid": row.input.scene.uuid,
        "annotationType": row.input.request.type,
        "created": stamp(row.created),
        "content": msgspec.Raw(openlabel(row, site.habits.size, iso=_iso(call))),
    }
    return answer({"data": shown})


def of_scene(site: Site, call: Call) -> Answer:
    """Return the annotations of a scene, of all requests."""
    if call.names["scene"] not in site.world.scenes:
        raise refusal(404, "Not Found")
    inputs = site.world.of_scene(call.names["scene"])
    return site.whole([_partial_v2(site, call, each.annotation) for each in inputs if each.annotation])


def of_input(site: Site, call: Call) -> Answer:
    """Return the annotation of an input."""
    found = site.world.inputs.get(call.names["input"])
    if found is None or found.annotation is None:
        raise refusal(404, "Not Found")
    return site.whole(_partial_v2(site, call, found.annotation))


def by_id(site: Site, call: Call) -> Answer:
    """Return an annotation or a judgement by its id."""
    row = site.world.known.get(call.names["id"])
    if row is None:
        raise refusal(404, "Not Found")
    url, ends = site.link(row, iso=call.params.get("isoBoxes") == "true")
    return site.whole(
        {
            "id": row.uuid,
            "sceneId": row.input.scene.uuid,
            "requestId": row.input.request.id,
            "requestInputId": row.input.uuid,
            "requestUid": row.input.request.uid,
            "isPreliminary": row.preliminary,
            "signedUrl": url,
            "expiresAt": stamp(ends),
            "created": stamp(row.created),
        }
    )


def _listed(site: Site, call: Call) -> list[Annotation]:
    project, batch, kind = site.project(call.names["project"]), call.names.get("batch"), call.names["type"]
    if batch is not None and batch not in project.batches:
        raise refusal(404, f"Batch {batch} does not exist")
    if project.typed == "empty":
        return []
    known = kind in site.world.types(project.name)
    if project.typed == "missing" or (not known and site.habits.unknown_type == 404):
        raise refusal(404, f"Annotation type {kind} does not exist")
    return site.world.listed(project.name, batch, kind)


def _typed(row: Annotation) -> bool:
    return row.input.request.batch.project.typed == "yes"


def _iso(call: Call) -> bool:
    return call.params.get("useDefaultCartesian") == "true"


def _partial(site: Site, call: Call, row: Annotation) -> dict[str, Any]:
    return {
        "inputUuid": row.input.scene.uuid,
        "annotationType": row.input.request.type,
        "created": stamp(row.created),
        "uri": site.link(row, iso=_iso(call))[0],
    }


def _partial_v2(site: Site, call: Call, row: Annotation) -> dict[str, Any]:
    return {
        "inputUuid": row.input.uuid,
        "sceneUuid": row.input.scene.uuid,
        "requestUid": row.input.request.uid,
        "created": stamp(row.created),
        "uri": site.link(row, iso=_iso(call))[0],
    }
