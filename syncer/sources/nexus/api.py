"""Requests to one workspace: GET only, JSON only, and errors in words that say what to do."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

import msgspec

from syncer.model.errors import (
    Forbidden,
    HttpError,
    NotFound,
    PartitionGone,
    PermissionRefused,
    SettingsError,
    Unauthorized,
    Unavailable,
)
from syncer.net.pages import PageTokens
from syncer.net.rows import in_turns
from syncer.net.slices import RawPage, read_page
from syncer.ports import Authenticator, Http, Request, Response
from syncer.sources.nexus.auth import HINT

#: Ids as the platform gives them: `proj_…`, `asset_…`, `annot_…`.
ID = re.compile(r"[A-Za-z0-9_-]{1,255}")

Params = Sequence[tuple[str, str]]


class Api(msgspec.Struct, frozen=True):
    """The way to one workspace, with its credential."""

    http: Http
    auth: Authenticator
    #: Address of the API, without a slash at the end.
    url: str

    async def get(self, path: str, params: Params = ()) -> Response:
        """Return the answer to a GET.

        Raises:
            PermissionRefused: the key is not accepted.
            HttpError: anything else.
        """
        request = Request(f"{self.url}{path}", params=params, auth=self.auth, expect="application/json")
        try:
            return await self.http.fetch(request)
        except (Unauthorized, Forbidden) as error:
            detail = detail_of(error)
            message = f"{self.url} does not accept the secret key{f' ({detail})' if detail else ''}"
            raise PermissionRefused(message, hint=HINT) from error

    async def pages(self, path: str, params: Params, token: str | None = None) -> AsyncGenerator[RawPage]:
        """Yield the pages of a listing from a token on."""
        tokens = PageTokens(f"{self.url}{path}")
        while True:
            asked = params if token is None else [*params, ("page", token)]
            page = await in_turns(read_page((await self.get(path, asked)).body, rows="data"))
            yield page
            if not page.next:
                return
            token = tokens.follow(page.next)


def project_path(project: str) -> str:
    """Return the path of a project.

    Raises:
        SettingsError: the platform gives no such ids.
    """
    if not ID.fullmatch(project):
        message = f"{project[:80]!r} is not the id of a Nexus project: letters, digits, _ and - are"
        raise SettingsError(message)
    return f"/projects/{project}"


def detail_of(error: HttpError) -> str:
    """Return the platform's own words in an error; empty if they are not its own."""
    with suppress(ValueError, RecursionError):
        value = msgspec.json.decode(error.body)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            return str(value["message"])[:200]
    return ""


def missing_project(project: str, error: NotFound) -> PartitionGone | Unavailable:
    """Return what a 404 on a project means: it is gone, if the platform itself says so."""
    detail = detail_of(error)
    if detail:
        return PartitionGone(f"project {project} does not exist any more, or this key may not see it ({detail})")
    message = f"{error}, but not in the platform's own words (a proxy or another server?)"
    return Unavailable(message, status=error.status, hint="check the url; nothing is concluded from such an answer")
