"""Requests to Clarifai: GET and one search, JSON only; its own codes decide before the HTTP status."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from syncer.model.errors import HttpError, PartitionGone, PermissionRefused, Unauthorized, Unavailable
from syncer.ports import Authenticator, Http, Request, Response
from syncer.sources.clarifai.codes import judge, status_of

JSON = "application/json"

#: Query parameters in order; lists are repeated keys, never joined.
Params = Sequence[tuple[str, str]]


class Api(msgspec.Struct, frozen=True):
    """The way to the apps of one user, with the credential."""

    http: Http
    auth: Authenticator
    #: Address of the API, without a slash at the end.
    url: str
    #: Owner of the apps; `me` is whom the key belongs to.
    user: str

    def path(self, app: str | None = None) -> str:
        """Return the path of an app, or that of all apps."""
        apps = f"/v2/users/{quote(self.user, safe='')}/apps"
        return apps if app is None else f"{apps}/{quote(app, safe='')}"

    async def get(self, path: str, params: Params = ()) -> Response:
        """Return the answer to a GET of a path below the address.

        Raises:
            PermissionRefused: the key is not accepted; the hint says what to do about it.
            HttpError: anything else.
        """
        return await self._send(Request(f"{self.url}{path}", params=params, auth=self.auth, expect=JSON, judge=judge))

    async def search(self, app: str, body: Mapping[str, object]) -> Response:
        """Return the answer to an annotation search: a POST that only reads.

        Raises:
            PermissionRefused, HttpError: as `get`.
        """
        url = f"{self.url}{self.path(app)}/annotations/searches"
        return await self._send(Request(url, method="POST", json=body, auth=self.auth, expect=JSON, judge=judge))

    async def _send(self, request: Request) -> Response:
        try:
            return await self.http.fetch(request)
        except Unauthorized as error:
            raise PermissionRefused(f"{self.url} does not accept the key: {error}", hint=error.hint) from error


def is_own_word(error: HttpError) -> bool:
    """Tell whether an error was said by Clarifai itself, not by something on the way to it."""
    return status_of(error.body) is not None


def missing(what: str, error: HttpError) -> PartitionGone | Unavailable:
    """Return what a 404 on a listing means.

    In Clarifai's own words: it was deleted, or is not ours to see. Anything else comes from a proxy and says nothing.
    """
    if is_own_word(error):
        return PartitionGone(f"{what} does not exist any more, or this key may not see it ({error})")
    message = f"{error}, but not in Clarifai's own words (a proxy or another server?)"
    return Unavailable(message, status=error.status, hint="check the url; nothing is concluded from such an answer")
