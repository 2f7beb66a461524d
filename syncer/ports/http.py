"""The way out to a platform: requests, answers, credentials."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from syncer.model.entries import SpooledFile


class Authenticator(Protocol):
    """Credentials of one account. Headers are only ever attached to requests to `origins`."""

    #: Origins (`scheme://host:port`) that may see the credential.
    origins: frozenset[str]

    async def headers(self) -> Mapping[str, str]:
        """Return headers that are valid now; renews before expiry, single flight."""

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a 401 on `rejected`: get a new credential. False if there is none newer to try."""


class Meaning(StrEnum):
    """What a failure that a platform reports in the body of an answer comes down to, whatever the HTTP status."""

    #: Too many requests: slow down, try again.
    THROTTLED = "throttled"
    #: The platform, or a part of it, is away: try again.
    AWAY = "away"
    #: The request failed for no reason that it would name: try again a few times.
    FAILED = "failed"
    #: The account's quota or plan does not allow more: stop.
    SPENT = "spent"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    #: The request itself is wrong: never try again.
    REJECTED = "rejected"


class Judgement(msgspec.Struct, frozen=True):
    """A failure in a platform's own words."""

    meaning: Meaning
    #: The platform's code and words, for messages.
    reason: str
    hint: str | None = None


class Judge(Protocol):
    """Reads a platform's own failures out of its answers. Pure."""

    def __call__(self, status: int, body: bytes, /) -> Judgement | None:
        """Return what the body reports, of an answer that is no success its first bytes; None: the status decides."""


class Request(msgspec.Struct, frozen=True):
    """One read. `auth` is attached only if the URL's origin is one of the authenticator's."""

    url: str
    method: str = "GET"
    #: Query parameters, appended to the URL in this order; values are percent-encoded.
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    #: JSON body of a listed read-only POST (token refresh, search).
    json: object | None = None
    #: Form fields of a listed read-only POST (a token grant, RFC 6749 §4.4.2), in place of `json`.
    form: Sequence[tuple[str, str]] | None = None
    #: The very bytes of a POST of ours (a notice, whose signature covers each of them), in place of `json`.
    body: bytes | None = None
    auth: Authenticator | None = None
    #: Content links (signed storage, media) live under stricter address rules and never see a credential.
    content: bool = False
    #: A download may arrive compressed: less to carry, but a broken one starts over instead of going on by Range.
    compressed: bool = False
    #: Gives the link to use in place of `url`, asked when the request is about to be sent: a signed link would run out
    #: while it waits for its turn. It leads to the same origin; what it raises ends the request.
    link: Callable[[], Awaitable[str]] | None = None
    #: Refuse an answer whose media type is not this ("application/json"); None accepts any.
    expect: str | None = None
    #: Decompressed bytes; None: the client's limit.
    max_bytes: int | None = None
    #: Seconds for one attempt; None: the client's.
    timeout: float | None = None
    #: Attempts in all; None: the client's. 1: no retry.
    attempts: int | None = None
    #: For platforms that report failures in the body: what it says comes before the HTTP status (`fetch` only).
    judge: Judge | None = None


class Response(msgspec.Struct, frozen=True):
    """A complete answer of 2xx (or of a status the caller listed as fine)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    #: The server's own clock when it answered (`Date`), if it said so.
    date: datetime | None = None


class Http(Protocol):
    """The way out to one platform: limits, retries, address rules and redaction included.

    Raises the `HttpError` family of `model.errors`, never an exception of the HTTP library.
    """

    async def fetch(self, request: Request) -> Response:
        """Return the whole answer."""

    async def download(self, request: Request, key: str) -> bytes | SpooledFile:
        """Return a content body: in memory when small, else spooled under `key`; broken ones are resumed by Range."""

    async def download_parts(
        self, request: Request, key: str, renew: Callable[[], Awaitable[str]],
        check: Callable[[Path], str | None] | None = None,
    ) -> bytes | SpooledFile:  # fmt: skip
        """Return a large content body, fetched in parallel ranges; a process that dies leaves what came to the next.

        `renew` gives another link where one has lapsed. `check` looks at the complete file, in a thread: what it says
        against it ends in `BadBody`, and nothing is kept. Where the server has no ranges, it is like `download`.
        """
