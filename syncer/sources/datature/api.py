"""Requests to one organization: GET only, JSON only, and errors in words that say what to do."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from urllib.parse import quote

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
from syncer.sources.datature.auth import hint_for

JSON = "application/json"

#: Ids as the platform gives them; nothing else is ever put into a path.
ID = re.compile(r"[A-Za-z0-9_-]{1,255}")

Params = Sequence[tuple[str, str]]


class Api(msgspec.Struct, frozen=True):
    """The way to one organization, with its credential."""

    http: Http
    auth: Authenticator
    #: Address of the API, without a slash at the end.
    url: str
    organization: str

    @property
    def workspace(self) -> str:
        """Path of the organization."""
        return f"/workspaces/{quote(self.organization, safe='')}"

    def dataset(self, dataset: str) -> str:
        """Return the path of a dataset: on the wire its id stands behind that of the organization."""
        return f"{self.workspace}/datasets/{quote(self.organization, safe='')}_{checked(dataset, 'dataset')}"

    def asset(self, dataset: str, asset: str) -> str:
        """Return the path of an asset."""
        return f"{self.dataset(dataset)}/assets/{checked(asset, 'asset')}"

    def short(self, composite: str) -> str:
        """Return the id of a dataset as people speak of it: exactly the organization is taken away."""
        return composite.removeprefix(f"{self.organization}_")

    async def get(self, path: str, params: Params = ()) -> Response:
        """Return the answer to a GET.

        Raises:
            PermissionRefused: the key is not accepted, or is one of another organization.
            HttpError: anything else.
        """
        return await self.send(Request(f"{self.url}{path}", params=params, auth=self.auth, expect=JSON))

    async def send(self, request: Request) -> Response:
        """Return the answer to a request; raises as `get` does."""
        try:
            return await self.http.fetch(request)
        except (Unauthorized, Forbidden) as error:
            detail = detail_of(error)
            message = f"{self.url} does not accept the secret key{f' ({detail})' if detail else ''}"
            raise PermissionRefused(message, hint=hint_for(error.status, self.organization)) from error

    async def pages(self, path: str, params: Params = (), token: str | None = None) -> AsyncGenerator[RawPage]:
        """Yield the pages of a listing from a token on: the same question each time, and the token of the page."""
        tokens = PageTokens(f"{self.url}{path}")
        while True:
            asked = params if token is None else [*params, ("p", token)]
            response = await self.get(path, asked)
            page = await in_turns(read_page(response.body))
            page.date = response.date
            yield page
            if not page.next:
                return
            token = tokens.follow(page.next)


def checked(name: str, what: str) -> str:
    """Return an id that may stand in a path.

    Raises:
        SettingsError: the platform gives no such ids.
    """
    if not ID.fullmatch(name):
        message = f"{name[:80]!r} is not the id of a Datature {what}, which has only letters, digits, _ and -"
        raise SettingsError(message, hint="DATASET/ASSET, a space, ANNOTATION" if "/" in name else None)
    return name


def detail_of(error: HttpError) -> str:
    """Return the platform's own words in an error; empty if they are not its own."""
    with suppress(ValueError, RecursionError):
        value = msgspec.json.decode(error.body)
        if isinstance(value, dict):
            words = value.get("message") or value.get("error")
            return words[:200] if isinstance(words, str) else ""
    return ""


def missing_dataset(dataset: str, error: NotFound) -> PartitionGone | Unavailable:
    """Return what a 404 on a dataset means: it is gone, if the platform itself says so."""
    detail = detail_of(error)
    if detail:
        return PartitionGone(f"dataset {dataset} does not exist any more, or this key may not see it ({detail})")
    message = f"{error}, but not in the platform's own words (a proxy or another server?)"
    return Unavailable(message, status=error.status, hint="check the url; nothing is concluded from such an answer")
