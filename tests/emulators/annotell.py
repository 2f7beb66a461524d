"""Annotell for tests: the APIs that Kognic had before October 2022, on the emulated Kognic's world and storage.

`api` says which release of the API answers: "1.0" has contents within, by UUIDs of inputs; "1.1" lists OpenLABEL
without pages; "1.2" with pages, as Kognic does.
"""

from typing import Any, Literal

from tests.emulators.kognic import KognicPlatform
from tests.emulators.kognic.answers import Answer, Call
from tests.emulators.kognic.catalogue import entry
from tests.emulators.kognic.documents import shapes
from tests.emulators.kognic.routes import COMMON, PAGED, SINGLE, TOKEN, UNPAGED, Route
from tests.emulators.kognic.site import Site
from tests.emulators.kognic.world import Input

Api = Literal["1.0", "1.1", "1.2"]


def inputs(site: Site, call: Call) -> Answer:
    """Return the inputs of a project, all at once; `invalidated=True`: those that were invalidated, and no others."""
    project, batch = site.project(call.params.get("project", "")), call.params.get("batch")
    invalidated = call.params.get("invalidated", "False") == "True"
    external = call.params.get("externalIds")
    wanted = None if external is None else set(external.split(","))
    found = [
        row
        for row in _scenes(site, project.name, batch)
        if row.scene.status.startswith("invalidated") == invalidated
        and (wanted is None or row.scene.external_id in wanted)
    ]
    return site.whole([entry(site, row) for row in found])


def contents(site: Site, call: Call) -> Answer:
    """Return the annotations of inputs by UUID, contents within; an input without one is left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for uuid in filter(None, call.params.get("inputs", "").split(",")):
        for row in site.world.of_scene(uuid):
            if row.annotation is not None:
                content = shapes(row.annotation, site.habits.size)
                shown = {"annotationId": row.annotation.number, "exportContent": content}
                found.setdefault(uuid, []).append(shown)
    # This answer always had its envelope: without one its keys would be those of any object.
    return site.enveloped(found)


_FIRST: tuple[Route, ...] = (
    *COMMON,
    TOKEN,
    Route("GET", "/v1/inputs", "inputs", inputs),
    Route("GET", "/v1/annotations", "contents", contents),
)

ROUTES: dict[Api, tuple[Route, ...]] = {
    "1.0": _FIRST,
    "1.1": (*_FIRST, SINGLE, *UNPAGED),
    "1.2": (*_FIRST, SINGLE, *UNPAGED, *PAGED),
}


class AnnotellPlatform(KognicPlatform):
    """The platform under its old name; see `KognicPlatform`. Its inputs are what Kognic calls scenes."""

    def __init__(self, annotations: int = 0, *, api: Api = "1.2", lifetime: float = 3600.0, **habits: Any) -> None:
        """Take how many annotations one batch has, the release of the API, and fields of `Habits`."""
        super().__init__(annotations, lifetime=lifetime, **habits)
        self.routes = ROUTES[api]

    def contents(self) -> dict[str, list[Any]]:
        """Return the contents of every input of the first API, by its UUID, in order of the annotations' numbers."""
        found: dict[str, list[Any]] = {}
        for row in self.world.delivered.values():
            found.setdefault(row.input.scene.uuid, []).append(shapes(row, self.habits.size))
        return found


def _scenes(site: Site, project: str, batch: str | None) -> list[Input]:
    """Return one input for each scene."""
    seen: dict[str, Input] = {}
    for row in site.world.of_project(project, batch):
        seen.setdefault(row.scene.uuid, row)
    return list(seen.values())
