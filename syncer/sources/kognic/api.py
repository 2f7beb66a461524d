"""Requests to the platform's services: the envelope around answers, its errors, and endpoints that will go away."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, HttpError, PermissionRefused, Unauthorized
from syncer.model.events import Emit, Warned
from syncer.net.redact import redact_text
from syncer.ports import Authenticator, Http, Request, Response

JSON = "application/json"

T = TypeVar("T")

#: Where a page goes on; None: nowhere.
Next = str | None


class _Metadata(msgspec.Struct, rename="camel"):
    next_cursor_id: int | str | None = None


class _Envelope(msgspec.Struct):
    data: Raw = Raw(b"null")
    metadata: _Metadata | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_NULL = b"null"
#: Parts of paths that are no ids.
_WORDS = frozenset({
    "v1", "v2", "projects", "batches", "batch", "annotation-types", "annotation-type", "annotations", "annotation",
    "search", "inputs", "scenes", "query", "fetch", "requests",
})  # fmt: skip


class Answer(msgspec.Struct, frozen=True):
    """An answer without its envelope."""

    data: bytes | Raw
    next: Next
    response: Response

    def read(self, kind: type[T]) -> T:
        """Return the data as a value.

        Raises:
            BadBody: it is something else.
        """
        try:
            return msgspec.json.decode(self.data, type=kind)
        except (ValueError, RecursionError) as error:
            raise unreadable(self.response, error) from error


class Api(msgspec.Struct, frozen=True):
    """The way to the services of one account."""

    http: Http
    auth: Authenticator
    #: Address of the input API.
    url: str
    emit: Emit
    organization: int | None = None
    #: Endpoints whose end was announced, and told.
    _told: set[str] = msgspec.field(default_factory=set)

    async def get(self, path: str, params: Sequence[tuple[str, str]] = (), *, base: str | None = None) -> Answer:
        """Return the answer to a GET below the input API, or below another service.

        Raises:
            PermissionRefused: the token is not accepted.
            HttpError: anything else.
        """
        request = Request(
            f"{base or self.url}{path}", params=params, auth=self.auth, expect=JSON, headers=self._headers()
        )
        return await self._send(request)

    async def ask(self, path: str, question: object, after: Next = None) -> Answer:
        """Return the answer to a query that is sent as a POST and changes nothing.

        Raises:
            PermissionRefused, HttpError: as `get`.
        """
        params = [("cursorId", after)] if after is not None else []
        request = Request(
            f"{self.url}{path}", method="POST", params=params, json=question, auth=self.auth, expect=JSON,
            headers=self._headers(),
        )  # fmt: skip
        return await self._send(request)

    def _headers(self) -> dict[str, str]:
        return {} if self.organization is None else {"X-Organization-Id": str(self.organization)}

    async def _send(self, request: Request) -> Answer:
        try:
            return await self._once(request)
        except BadBody:
            # Garbage of the moment: what is asked here can be asked again.
            return await self._once(request)

    async def _once(self, request: Request) -> Answer:
        try:
            response = await self.http.fetch(request)
        except Unauthorized as error:
            message = f"{self.url} does not accept the token"
            raise PermissionRefused(message, hint="are the credentials of this installation?") from error
        except HttpError as error:
            words = words_of(error)
            if words:
                error.hint = f"the platform says: {words}" + (f"; {error.hint}" if error.hint else "")
            raise
        self._warn_of_sunset(request, response)
        return _unwrapped(response)

    def _warn_of_sunset(self, request: Request, response: Response) -> None:
        date = response.headers.get("sunset-date")
        if date is None:
            return
        # The shape of the path, not its ids: once is enough.
        path = "/".join(part if part in _WORDS else "…" for part in request.url.split("/")[3:])
        if path not in self._told:
            self._told.add(path)
            self.emit(Warned(f"the platform will remove /{path} on {date[:10]}; look for a newer version of syncer"))


def segment(text: str) -> str:
    """Return an id as one segment of a path."""
    return quote(text, safe="")


def words_of(error: HttpError) -> str:
    """Return the platform's own words in an error; empty where a proxy or nobody speaks."""
    with suppress(ValueError, RecursionError):
        value = json.loads(error.body)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            return redact_text(value["message"][:300])
    return ""


def unreadable(response: Response, error: Exception) -> BadBody:
    """Return the error for an answer that can't be read."""
    words = "it nests too deeply" if isinstance(error, RecursionError) else str(error)[:200]
    path = response.url.partition("?")[0]
    return BadBody(f"the answer of {path} can't be read: {words}", hint="is the url really that of the input API?")


def _unwrapped(response: Response) -> Answer:
    """Return what an answer carries: itself if it is a list, else its `data`, else itself."""
    body = response.body
    if body[:64].lstrip()[:1] != b"{":
        return Answer(body, None, response)
    try:
        envelope = _ENVELOPE.decode(body)
    except (ValueError, RecursionError) as error:
        raise unreadable(response, error) from error
    after = envelope.metadata.next_cursor_id if envelope.metadata is not None else None
    data = envelope.data
    if bytes(data) == _NULL:
        data = Raw(b"[]") if envelope.metadata is not None else Raw(body)
    return Answer(data, None if after is None else str(after), response)
