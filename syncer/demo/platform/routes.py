"""Which handler answers what. Names of routes are those of the request counters and of faults."""

import re
from collections.abc import Mapping

import msgspec

from syncer.demo.platform import edits, exports, files, listing, views
from syncer.demo.platform.site import Handler

#: Routes that need no credential.
OPEN = {"version", "refresh"}


class Route(msgspec.Struct, frozen=True):
    """One resource and its methods."""

    name: str
    pattern: re.Pattern[str]
    methods: Mapping[str, Handler]


def _route(name: str, path: str, slash: str = "/?", **methods: Handler) -> Route:
    # Most routes of the real server answer with and without the last slash; a few only in one form (`slash`).
    pattern = re.escape(path).replace(re.escape("<n>"), r"(\d+)").replace(re.escape("<name>"), "[^/]+")
    return Route(
        name, re.compile(f"^{pattern}{slash}$"), {method.upper(): handler for method, handler in methods.items()}
    )


ROUTES: tuple[Route, ...] = (
    _route("tasks", "/api/tasks", get=listing.tasks, post=edits.create_task),
    _route(
        "annotation",
        "/api/annotations/<n>",
        get=listing.annotation,
        patch=edits.patch_annotation,
        delete=edits.delete_annotation,
    ),
    _route("task", "/api/tasks/<n>", get=listing.task, patch=edits.patch_task, delete=edits.delete_task),
    _route("task_annotations", "/api/tasks/<n>/annotations", get=listing.task_annotations, post=edits.annotate),
    _route("drafts", "/api/tasks/<n>/drafts", post=edits.add_draft),
    _route("to_draft", "/api/annotations/<n>/convert-to-draft", post=edits.to_draft),
    _route("projects", "/api/projects", get=views.projects, post=edits.create_project),
    _route("counts", "/api/projects/counts", get=views.project_counts),
    _route("project", "/api/projects/<n>", get=views.project, patch=edits.patch_project, delete=edits.delete_project),
    _route("project_tasks", "/api/projects/<n>/tasks", get=listing.project_tasks),
    _route("import", "/api/projects/<n>/import", post=edits.import_tasks),
    _route("export", "/api/projects/<n>/export", "", get=exports.export),
    _route("formats", "/api/projects/<n>/export/formats", "", get=exports.formats),
    _route("snapshots", "/api/projects/<n>/exports", get=exports.snapshots, post=exports.create_snapshot),
    _route("snapshot", "/api/projects/<n>/exports/<n>", "", get=exports.snapshot, delete=exports.delete_snapshot),
    _route("download", "/api/projects/<n>/exports/<n>/download", "", get=exports.download),
    _route("views", "/api/dm/views", get=listing.views, post=edits.create_view),
    _route("view", "/api/dm/views/<n>", get=listing.view, delete=edits.delete_view),
    _route("actions", "/api/dm/actions", post=edits.act),
    _route("users", "/api/users", get=views.users),
    _route("user", "/api/users/<n>", get=views.users),
    _route("whoami", "/api/current-user/whoami", "", get=views.whoami),
    _route("token", "/api/token", get=views.tokens, post=views.create_token),
    _route("blacklist", "/api/token/blacklist", post=views.blacklist),
    _route("jwt_settings", "/api/jwt/settings", get=views.jwt_settings, post=views.jwt_settings),
    _route("refresh", "/api/token/refresh", post=views.refresh),
    _route("upload", "/data/upload/<n>/<name>", "", get=files.upload),
    _route("resolve", "/tasks/<n>/resolve", get=files.resolve),
    _route("version", "/api/version", get=views.version, post=views.version, put=views.version, delete=views.version),
)


def find(path: str) -> tuple[Route, tuple[int, ...]] | None:
    """Return the route of a path and the numbers in it."""
    for route in ROUTES:
        match = route.pattern.match(path)
        if match:
            return route, tuple(int(part) for part in match.groups())
    return None
