"""What the emulated server answers to readers: versions, tokens, users and projects."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from syncer.demo.platform.answers import Answer, missing, no_content, ok, refuse
from syncer.demo.platform.projects import COUNTERS, Project, describe
from syncer.demo.platform.rows import USER
from syncer.demo.platform.site import VERSION, Call, Site

_PROJECTS_PAGE, _PROJECTS_MAX = 30, 100
_ORDERS = {"id", "title", "created_at"}


def version(_: Site, __: Call) -> Answer:
    """Answer `GET /api/version/`; needs no token."""
    return ok(VERSION)


def whoami(_: Site, __: Call) -> Answer:
    """Answer `GET /api/current-user/whoami`."""
    return ok({**USER, "permissions": ["projects.view", "tasks.view", "annotations.view"]})


def users(_: Site, call: Call) -> Answer:
    """Answer `GET /api/users` and `/api/users/{id}/`."""
    if not call.ids:
        return ok([USER])
    if call.ids[0] != USER["id"]:
        raise missing("User")
    return ok(USER)


def tokens(site: Site, _: Call) -> Answer:
    """Answer `GET /api/token/`: the personal access tokens, cut short."""
    return ok([{"token": token} for token in site.auth.live()])


def create_token(site: Site, _: Call) -> Answer:
    """Answer `POST /api/token/`: one personal access token at a time."""
    if site.auth.live():
        raise refuse(409, "You already have a valid token. Please revoke it before creating a new one.")
    return ok({"token": site.auth.create_pat(site.store.now())}, 201)


def blacklist(site: Site, call: Call) -> Answer:
    """Answer `POST /api/token/blacklist/`."""
    site.auth.revoke(str(call.json().get("refresh", "-")))
    return no_content()


def jwt_settings(site: Site, call: Call) -> Answer:
    """Answer `GET` and `POST /api/jwt/settings`: which kinds of token are on."""
    if call.method == "POST":
        site.auth.legacy = bool(call.json().get("legacy_api_tokens_enabled"))
    return ok({"api_tokens_enabled": True, "legacy_api_tokens_enabled": site.auth.legacy})


def refresh(site: Site, call: Call) -> Answer:
    """Answer `POST /api/token/refresh/`; needs no token."""
    return site.auth.refresh(call.json(), site.store.now())


# ------------------------------------------------------------------------------------------- projects


def projects(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/`: newest first unless ordered."""
    return _project_page(site, call, counts_only=False)


def project_counts(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/counts/`."""
    return _project_page(site, call, counts_only=True)


def project(site: Site, call: Call) -> Answer:
    """Answer `GET /api/projects/{id}/`."""
    return ok(_chosen(describe(found := find_project(site, call.ids[0]), site.store.counts(found.id)), call))


def find_project(site: Site, number: int) -> Project:
    """Return a project.

    Raises:
        Refused: 404.
    """
    if number not in site.store.projects:
        raise missing("Project")
    return site.store.projects[number]


def _project_page(site: Site, call: Call, *, counts_only: bool) -> Answer:
    found = _listed(site, call)
    size = min(positive(call.params.get("page_size"), _PROJECTS_PAGE), _PROJECTS_MAX)
    number, start = page_start(call.params.get("page", "1"), size, len(found))
    rows = []
    for item in found[start : start + size]:
        # Counting is what a listing costs; without a counter in `include` the server does not do it.
        wanted = call.include is None or bool(call.include & {*COUNTERS, "queue_total", "queue_done"})
        counts: dict[str, Any] = dict(site.store.counts(item.id)) if wanted else dict.fromkeys(COUNTERS)
        rows.append(_chosen({"id": item.id, **counts} if counts_only else describe(item, counts), call))
    last = start + size >= len(found)
    return ok(
        {
            "count": len(found),
            "next": None if last else _link(call, number + 1),
            "previous": None if number == 1 else _link(call, number - 1),
            "results": rows,
        }
    )


def _listed(site: Site, call: Call) -> list[Project]:
    found = list(site.store.projects.values())
    ids, title = call.params.get("ids"), call.params.get("title")
    if ids:
        odd = next((part for part in ids.split(",") if not part.isdigit()), None)
        if odd is not None:
            raise refuse(500, f"Field 'id' expected a number but got '{odd}'.")
        found = [item for item in found if str(item.id) in ids.split(",")]
    if title:
        found = [item for item in found if title.casefold() in item.title.casefold()]
    order = call.params.get("ordering", "")
    column = order.lstrip("-")
    if column not in _ORDERS:
        return sorted(found, key=lambda item: -item.id)
    keys = {"id": lambda p: p.id, "title": lambda p: p.title, "created_at": lambda p: p.created_at}
    return sorted(found, key=keys[column], reverse=order.startswith("-"))


def _chosen(whole: dict[str, Any], call: Call) -> dict[str, Any]:
    return whole if call.include is None else {key: value for key, value in whole.items() if key in call.include}


def _link(call: Call, number: int) -> str:
    pairs = {**dict(parse_qsl(call.query, keep_blank_values=True)), "page": str(number)}
    if number == 1:
        del pairs["page"]
    query = urlencode(sorted(pairs.items()))
    return f"{call.base}{call.path}{'?' * bool(query)}{query}"


def positive(text: str | None, default: int) -> int:
    """Return a page size; anything that is no positive number is the default, as on the real server."""
    return int(text) if text and text.isdigit() and int(text) else default


def page_start(text: str, size: int, count: int) -> tuple[int, int]:
    """Return page number and first row of a page; page 1 of nothing exists, any other does not.

    Raises:
        Refused: 404 "Invalid page."
    """
    last = max(1, -(-count // size))
    number = last if text == "last" else int(text) if text.isdigit() else 0
    if not 1 <= number <= last:
        raise refuse(404, "Invalid page.")
    return number, (number - 1) * size
