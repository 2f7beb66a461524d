"""Who may ask: legacy tokens, and personal ones (refresh JWTs) that are exchanged for short-lived access tokens."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from syncer.demo.platform.answers import Answer, Refused, invalid, ok, problem

#: Seconds that an access token lives on the real server.
ACCESS_LIFETIME = 300.0
_REFRESH_LIFETIME = 200 * 365 * 86_400.0

#: The claim that tells an access token from the refresh token that it came from.
_ACCESS = "access"

_NOT_PROVIDED = "Authentication credentials were not provided."
_LEGACY_OFF = (
    "Authentication token no longer valid: legacy token authentication has been disabled for this organization"
)


class Auth:
    """Tokens of one server. Both kinds are on; `legacy` can be switched off as it is in a stock installation."""

    def __init__(self, *, token: str | None = None, lifetime: float = ACCESS_LIFETIME) -> None:
        self._key = secrets.token_bytes(32)
        #: The legacy token: 40 hex digits.
        self.token = token or secrets.token_hex(20)
        self.legacy = True
        #: Seconds that access tokens given from now on will live.
        self.lifetime = lifetime
        self._pats: set[str] = set()
        self._revoked: set[str] = set()
        self._generation = 0
        #: How many access tokens were given.
        self.refreshes = 0

    def create_pat(self, now: datetime) -> str:
        """Give a personal access token."""
        pat = self._sign("refresh", now.timestamp(), _REFRESH_LIFETIME)
        self._pats.add(pat)
        return pat

    def live(self) -> list[str]:
        """Return the personal access tokens that are valid, without their signatures."""
        return [pat.rpartition(".")[0] for pat in sorted(self._pats - self._revoked)]

    def revoke(self, pat: str) -> None:
        """Take a personal access token back (its signature may be missing); its access tokens live on till they end."""
        self._revoked |= {known for known in self._pats if known.startswith(pat)}

    def expire_access(self) -> None:
        """Make every access token that was given so far invalid."""
        self._generation += 1

    def roll(self, token: str | None = None) -> str:
        """Replace the legacy token; the old one is invalid from now on."""
        self.token = token or secrets.token_hex(20)
        return self.token

    def refresh(self, body: object, now: datetime) -> Answer:
        """Answer `POST /api/token/refresh/`."""
        if not isinstance(body, dict) or "refresh" not in body:
            raise invalid({"refresh": ["This field is required."]})
        pat = body["refresh"]
        if pat in self._revoked:
            raise _unauthorized("Token is blacklisted", 'Bearer realm="api"')
        if self._valid(pat, now.timestamp()):
            raise _unauthorized("Token has wrong type", 'Bearer realm="api"')
        if pat not in self._pats:
            raise _unauthorized("Token is invalid", 'Bearer realm="api"')
        self.refreshes += 1
        return ok({"access": self._sign(_ACCESS, now.timestamp(), self.lifetime)})

    def check(self, headers: Mapping[str, str], now: datetime) -> None:
        """Let a request pass.

        Raises:
            Refused: 401, with the words of the real server.
        """
        key = headers.get("X-Api-Key")
        scheme, _, credential = (
            ("Token", "", key) if key is not None else headers.get("Authorization", "").partition(" ")
        )
        if scheme.lower() == "token":
            self._check_legacy(credential)
        elif scheme.lower() != "bearer" or not self._valid(credential, now.timestamp()):
            raise _unauthorized(_NOT_PROVIDED)

    def _check_legacy(self, credential: str) -> None:
        if not credential:
            raise _unauthorized("Invalid token header. No credentials provided.")
        if " " in credential:
            raise _unauthorized("Invalid token header. Token string should not contain spaces.")
        if not hmac.compare_digest(credential.encode(), self.token.encode()):
            raise _unauthorized("Invalid token.")
        if not self.legacy:
            raise _unauthorized(_LEGACY_OFF)

    def _sign(self, kind: str, now: float, lifetime: float) -> str:
        claims = {
            "token_type": kind,
            "exp": int(now + lifetime) if lifetime >= 1 else now + lifetime,
            "iat": int(now),
            "jti": f"{secrets.token_hex(14)}{self._generation:04x}",
            "user_id": "1",
        }
        head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
        signed = f"{head}.{_encode(json.dumps(claims, separators=(',', ':')).encode())}"
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _encode(hmac.digest(self._key, signed.encode(), hashlib.sha256))

    def _valid(self, token: str, now: float) -> bool:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return False
        payload = signed.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return (
            claims["token_type"] == _ACCESS
            and now < float(claims["exp"])
            and int(claims["jti"][-4:], 16) >= self._generation
        )


def _unauthorized(detail: str, challenge: str = "Token") -> Refused:
    answer = problem(401, detail)
    answer.headers["WWW-Authenticate"] = challenge
    return Refused(answer)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
