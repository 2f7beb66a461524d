"""Tokens of one account: one for the whole process, renewed before it expires and once after a 401, single flight."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
import msgspec

from syncer.model.errors import BadBody, Forbidden, PermissionRefused, Rejected, Unauthorized
from syncer.net.guard import origin_of
from syncer.net.redact import remember
from syncer.ports import Clock, Http, Request, Response
from syncer.sources.kognic.credentials import Credentials, Lookup

#: Below the address of the token service.
PATH = "/v1/auth/oauth/token"
#: A token is renewed when less than this many seconds, or this share of its life, is left.
MARGIN = 60.0
SHARE = 0.25


class Token(msgspec.Struct, frozen=True):
    """A token as it is sent, and until when (monotonic seconds; None: it does not say)."""

    header: str
    until: float | None
    refresh: str | None


@dataclass(eq=False)
class Purse:
    """The token of one account, shared by all jobs of the process that use the account."""

    token: Token | None = None
    renewing: anyio.Lock = field(default_factory=anyio.Lock)


_purses: WeakValueDictionary[tuple[str, str], Purse] = WeakValueDictionary()


class TokenAuth:
    """`ports.Authenticator` for one account. Id and secret go to the token service alone, tokens to the API alone."""

    def __init__(self, lookup: Lookup, http: Http, clock: Clock) -> None:
        """Take where credentials are found, and the way to the services; nothing is sent yet."""
        options = lookup.options
        self.origins = frozenset(origin_of(url) for url in (options.url, *options.api_urls()))
        self._lookup = lookup
        self._url = options.auth_address
        self._http = http
        self._clock = clock
        self._purse: Purse | None = None
        self._reading = anyio.Lock()
        #: Who the tokens are given to, once known.
        self.credentials: Credentials | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the header that is valid now.

        Raises:
            SettingsError: there are no credentials that could be used.
            PermissionRefused: they have expired, or the service does not take them.
        """
        purse = self._purse or await self._open()
        if not self._fresh(purse):
            async with purse.renewing:
                if not self._fresh(purse):
                    purse.token = await self._obtain(purse.token)
        return {"Authorization": purse.token.header} if purse.token else {}

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a 401: read the credentials again and get another token, once for all who wait."""
        before = rejected.get("Authorization")
        held = self._purse
        purse = await self._open(again=held)
        async with purse.renewing:
            if purse.token is None or purse.token.header == before:
                # A refresh token may have been revoked with the token that it belongs to.
                purse.token = await self._grant()
            return purse.token.header != before

    async def _open(self, again: Purse | None = None) -> Purse:
        async with self._reading:
            if self._purse is None or self._purse is again:
                self.credentials = await anyio.to_thread.run_sync(self._lookup.read)
                key = (self._url, self.credentials.mark)
                purse = _purses.get(key)
                self._purse = purse if purse is not None else _purses.setdefault(key, Purse())
            return self._purse

    def _fresh(self, purse: Purse) -> bool:
        token = purse.token
        return token is not None and (token.until is None or self._clock.monotonic() < token.until)

    async def _obtain(self, before: Token | None) -> Token:
        if before is not None and before.refresh is not None:
            with suppress(Unauthorized, Forbidden, Rejected):
                return self._token(await self._post("refresh_token", ("refresh_token", before.refresh)))
        return await self._grant()

    async def _grant(self) -> Token:
        try:
            return self._token(await self._post("client_credentials"))
        except (Unauthorized, Forbidden, Rejected) as error:
            source = self.credentials.source if self.credentials else "the configuration"
            message = f"{self._url} refuses the credentials from {source}{_detail(error.body)}"
            raise PermissionRefused(
                message, hint="are they still valid, and of this installation? Make new ones if not"
            ) from error

    async def _post(self, grant: str, *more: tuple[str, str]) -> Response:
        held = self.credentials
        assert held is not None  # noqa: S101  # a purse is opened with credentials only
        scope = [("scope", " ".join(held.scopes))] if held.scopes else []
        form = [("grant_type", grant), *more, *scope, ("client_id", held.client_id), ("client_secret", held.secret)]
        return await self._http.fetch(
            Request(f"{self._url}{PATH}", method="POST", form=form, expect="application/json")
        )

    def _token(self, response: Response) -> Token:
        try:
            answer = json.loads(response.body)
            access, kind = str(answer["access_token"]), str(answer.get("token_type", "bearer"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            message = f"the answer of {self._url} holds no access token"
            raise BadBody(message, hint="is auth_url really that of the token service?") from error
        if kind.casefold() != "bearer":
            message = f"{self._url} gives tokens of type {kind[:40]!r}, which are not understood"
            raise BadBody(message)
        refresh = answer.get("refresh_token")
        remember(access)
        if isinstance(refresh, str):
            remember(refresh)
        life = _life(answer, response.date or self._clock.now())
        until = None if life is None else self._clock.monotonic() + life - min(MARGIN, life * SHARE)
        return Token(f"Bearer {access}", until, refresh if isinstance(refresh, str) else None)


def _life(answer: Mapping[str, object], now: datetime) -> float | None:
    """Return seconds until a token expires, by the service's own clock: ours may be wrong."""
    for name, start in (("expires_in", 0.0), ("expires_at", now.timestamp())):
        value = answer.get(name)
        if isinstance(value, int | float | str):
            with suppress(ValueError, OverflowError):
                return max(0.0, float(value) - start)
    return None


def _detail(body: bytes) -> str:
    with suppress(ValueError, RecursionError):
        answer = json.loads(body)
        if isinstance(answer, dict):
            words = [str(answer[key])[:200] for key in ("error", "error_description", "message") if answer.get(key)]
            return f" ({': '.join(words)})" if words else ""
    return ""
