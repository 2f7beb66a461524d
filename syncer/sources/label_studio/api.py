"""Requests to one Label Studio server: GET only, JSON only, and errors in words that say what to do."""

from collections.abc import Sequence

import msgspec

from syncer.model.errors import NotFound, PartitionGone, PermissionRefused, Unauthorized, Unavailable
from syncer.ports import Authenticator, Http, Request, Response
from syncer.sources.label_studio.auth import detail_of, hint_for

JSON = "application/json"

#: What the server says to a page number behind the last one; every other 404 means something is missing.
_NO_SUCH_PAGE = "invalid page."


class Api(msgspec.Struct, frozen=True):
    """The way to one server, with its credential."""

    http: Http
    auth: Authenticator
    #: Address of the server, without a slash at the end.
    url: str

    async def get(self, path: str, params: Sequence[tuple[str, str]] = (), *, attempts: int | None = None) -> Response:
        """Return the answer to a GET below the server's address.

        Raises:
            PermissionRefused: the token is not accepted; the hint says what to do about it.
            HttpError: anything else.
        """
        request = Request(f"{self.url}{path}", params=params, auth=self.auth, expect=JSON, attempts=attempts)
        try:
            return await self.http.fetch(request)
        except Unauthorized as error:
            raise PermissionRefused(
                f"{self.url} does not accept the token", hint=hint_for(detail_of(error.body))
            ) from error


def is_past_the_end(error: NotFound) -> bool:
    """Tell whether a 404 says that a listing has no such page."""
    return detail_of(error.body).casefold() == _NO_SUCH_PAGE


def missing_project(project: str, error: NotFound) -> PartitionGone | Unavailable:
    """Return what a 404 on a listing of a project means.

    The server's own JSON error: the project is deleted, or not ours to see. Anything else comes from a proxy, and
    says nothing about the project.
    """
    detail = detail_of(error.body)
    if detail:
        return PartitionGone(f"project {project} does not exist any more, or this user may not see it ({detail})")
    message = f"{error}, but not in Label Studio's own words (a proxy or another server?)"
    return Unavailable(message, status=error.status, hint="check the url; nothing is concluded from such an answer")
