"""Which path is whose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from tests.emulators.kognic import annotations, catalogue
from tests.emulators.kognic.site import Handler

_LISTING = "/v1/annotations/projects/{project}/annotation-type/{type}"
_BATCH_LISTING = "/v1/annotations/projects/{project}/batch/{batch}/annotation-type/{type}"


@dataclass(frozen=True, slots=True)
class Route:
    """One route."""

    method: str
    template: str
    name: str
    handler: Handler

    def names(self, segments: list[str]) -> dict[str, str] | None:
        """Return the variables of a path, None if it is another's."""
        parts = self.template.split("/")
        if len(parts) != len(segments):
            return None
        found = {}
        for part, segment in zip(parts, segments, strict=True):
            if part.startswith("{"):
                found[part[1:-1]] = unquote(segment)
            elif part != segment:
                return None
        return found


#: Routes of the first API of Annotell that Kognic still has, and of what came with OpenLABEL.
COMMON: tuple[Route, ...] = (
    Route("GET", "/v1/projects", "projects", catalogue.projects),
    Route("GET", "/v1/projects/{project}/batches", "batches", catalogue.batches),
    Route("GET", "/v1/projects/{project}/annotation-types", "types", catalogue.types),
    Route("GET", "/v1/projects/{project}/batches/{batch}/annotation-types", "types", catalogue.types),
    Route("POST", "/v1/inputs/query", "inputs-by-uuid", catalogue.inputs_by_uuid),
)

TOKEN = Route("POST", "/v1/auth/oauth/token", "token", lambda site, call: site.auth.token(call))

SINGLE = Route("GET", "/v1/annotations/inputs/{scene}/annotation-type/{type}", "single", annotations.single)

UNPAGED: tuple[Route, ...] = (
    Route("GET", _LISTING, "unpaged", annotations.unpaged),
    Route("GET", _BATCH_LISTING, "unpaged", annotations.unpaged),
)

PAGED: tuple[Route, ...] = (
    Route("GET", f"{_LISTING}/search", "search", annotations.search),
    Route("GET", f"{_BATCH_LISTING}/search", "search", annotations.search),
)

KOGNIC: tuple[Route, ...] = (
    *COMMON,
    *PAGED,
    *UNPAGED,
    SINGLE,
    Route("GET", "/v1/workspaces", "workspaces", catalogue.workspaces),
    Route("GET", "/v2/scenes/{scene}/annotations", "scene-annotations", annotations.of_scene),
    Route("GET", "/v2/inputs/{input}/annotation", "input-annotation", annotations.of_input),
    Route("GET", "/v1/annotations/{id}", "annotation", annotations.by_id),
    Route("POST", "/v2/inputs/query", "query-inputs", catalogue.query_inputs),
    Route("POST", "/v1/inputs/fetch", "fetch-inputs", catalogue.fetch_inputs),
    Route("POST", "/v2/scenes/query", "query-scenes", catalogue.query_scenes),
    Route("GET", "/v2/scenes/{scene}", "scene", catalogue.scene),
    Route("GET", "/v2/requests", "requests", catalogue.requests),
    Route("GET", "/v2/request-inputs", "request-inputs", catalogue.request_inputs),
    Route("GET", "/v2/request-inputs/{input}", "request-input", catalogue.request_input),
    TOKEN,
)


@dataclass(frozen=True, slots=True)
class Table:
    """The routes of one server."""

    routes: tuple[Route, ...]

    def find(self, method: str, raw_path: str) -> tuple[Route | None, Mapping[str, str]]:
        """Return the route of a request, with its variables."""
        return next(self._found(method, raw_path.split("/")), (None, {}))

    def _found(self, method: str, segments: list[str]) -> Iterator[tuple[Route, dict[str, str]]]:
        for route in self.routes:
            if route.method == method and (names := route.names(segments)) is not None:
                yield route, names
