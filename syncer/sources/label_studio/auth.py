"""Credentials of a Label Studio server: legacy tokens, and personal access tokens with their five-minute access tokens.

A personal access token is a *refresh* JWT: no header takes it, it buys access tokens at `/api/token/refresh/`.
https://labelstud.io/guide/access_tokens
"""

import base64
import binascii
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import anyio
import anyio.to_thread
import msgspec

from syncer.model.errors import BadBody, PermissionRefused, Rejected, Unauthorized
from syncer.model.secret import Secret
from syncer.net.guard import origin_of
from syncer.net.redact import remember
from syncer.ports import Clock, Http, Request

#: An access token is renewed when less than this many seconds, or this share of its life, is left.
MARGIN = 60.0
SHARE = 0.25
#: Life of an access token that does not say when it expires, in seconds; measured.
USUAL_LIFE = 300.0

_WHERE = "Account & Settings > Personal Access Token"

#: Words of a 401 answer, and what to do about each.
_HINTS = (
    ("legacy", f"this server accepts no legacy tokens: make a personal access token ({_WHERE}), or allow legacy ones"),
    ("blacklisted", f"the personal access token was revoked: make a new one ({_WHERE})"),
    ("wrong type", f"this is a short-lived access token: give the personal access token itself ({_WHERE})"),
    ("expired", f"the personal access token has expired: make a new one ({_WHERE})"),
    ("token is invalid", f"the personal access token is not of this server, or is mutilated: copy it again ({_WHERE})"),
    ("invalid token", "no user of this server has this legacy token: copy it again (Account & Settings)"),
)


def hint_for(detail: str) -> str:
    """Return what to do about a 401 with these words."""
    words = detail.casefold()
    found = (hint for word, hint in _HINTS if word in words)
    return next(found, f"check the token and that its user is still active ({_WHERE})")


class _Access(msgspec.Struct, frozen=True):
    """A credential as it is sent, and until when (monotonic seconds; None: no end)."""

    header: str
    until: float | None = None


class TokenAuth:
    """`ports.Authenticator` for one token; which of the two kinds it is, its form says."""

    def __init__(self, token: Secret, url: str, http: Http, clock: Clock) -> None:
        """Take the token by reference, the server's address, and the way to it."""
        self.origins = frozenset({origin_of(url)})
        self._token = token
        self._refresh_url = f"{url}/api/token/refresh/"
        self._http = http
        self._clock = clock
        self._access: _Access | None = None
        self._renewing = anyio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """Return the header that is valid now; renews before expiry, single flight.

        Raises:
            PermissionRefused: the server does not take the token; the hint says what to do.
        """
        if not self._fresh():
            async with self._renewing:
                if not self._fresh():
                    self._access = await self._obtain()
        return {"Authorization": self._access.header} if self._access else {}

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a 401: get another credential, once for all who wait. False if there is none other to try."""
        before = rejected.get("Authorization")
        async with self._renewing:
            if self._access is None or self._access.header == before:
                self._access = await self._obtain()
            return self._access.header != before

    def _fresh(self) -> bool:
        access = self._access
        return access is not None and (access.until is None or self._clock.monotonic() < access.until)

    async def _obtain(self) -> _Access:
        token = (await anyio.to_thread.run_sync(self._token.reveal)).strip()
        if token.count(".") != 2:  # noqa: PLR2004  # header, payload and signature of a JWT (RFC 7519)
            return _Access(f"Token {token}")
        try:
            response = await self._http.fetch(
                Request(self._refresh_url, method="POST", json={"refresh": token}, expect="application/json")
            )
        except (Unauthorized, Rejected) as error:
            message = f"the server refuses the token from {self._token.source}"
            raise PermissionRefused(message, hint=hint_for(detail_of(error.body))) from error
        access = _access_of(response.body)
        remember(access)
        life = _life(access, response.date)
        return _Access(f"Bearer {access}", self._clock.monotonic() + life - min(MARGIN, life * SHARE))


def detail_of(body: bytes) -> str:
    """Return the words of a JSON error; empty for anything else."""
    with suppress(ValueError, RecursionError):
        value = json.loads(body)
        if isinstance(value, dict) and isinstance(value.get("detail"), str):
            return str(value["detail"])
    return ""


def _access_of(body: bytes) -> str:
    with suppress(ValueError, RecursionError):
        value = json.loads(body)
        if isinstance(value, dict) and isinstance(value.get("access"), str):
            return str(value["access"])
    message = "the answer to a token refresh holds no access token"
    raise BadBody(message, hint="is the url really that of a Label Studio server?")


def _life(access: str, now: datetime | None) -> float:
    """Return seconds until an access token expires, by the server's clock alone: ours may be wrong."""
    try:
        payload = access.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issued = claims.get("iat") if now is None else now.timestamp()
        return max(0.0, float(claims["exp"]) - float(issued))
    except (IndexError, KeyError, TypeError, AttributeError, ValueError, OverflowError, binascii.Error):
        return USUAL_LIFE
