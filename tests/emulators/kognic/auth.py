"""The token endpoint, and what tokens are good for."""

import base64
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.emulators.kognic.answers import Answer, Call, Refused, answer

CLIENT_ID = "client-of-the-tests"
CLIENT_SECRET = "secret-of-the-tests"


@dataclass(slots=True)
class Auth:
    """Grants and tokens. Change its fields at any time."""

    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    #: Seconds that access tokens live.
    lifetime: float = 3600.0
    #: Tell how long they live.
    announce: bool = True
    #: Give refresh tokens.
    refreshable: bool = True
    #: Take refresh tokens.
    refreshing: bool = True
    #: Grants by type, refused ones under "refused".
    grants: Counter[str] = field(default_factory=Counter)
    #: Token requests being answered now, and the most there ever were.
    inflight: int = 0
    peak: int = 0
    _access: dict[str, float] = field(default_factory=dict)
    _refresh: set[str] = field(default_factory=set)
    _count: int = 0

    def credentials(self, **more: object) -> str:
        """Return the JSON of a credentials file; `more` replaces or (None) leaves out keys."""
        keys: dict[str, object] = {
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "email": "robot@example.com",
            "userId": 123,
            "issuer": "auth.app.kognic.com",
            "name": "API Credentials",
            "created": "2026-01-02T03:04:05.123456789Z",
            "expires": "2099-01-02T03:04:05Z",
            **more,
        }
        return json.dumps({name: value for name, value in keys.items() if value is not None})

    def expire(self) -> None:
        """End all access tokens given so far."""
        self._access.clear()

    def token(self, call: Call) -> Answer:
        """Answer on the token endpoint.

        Raises:
            Refused: wrong credentials, or a grant that is not given.
        """
        form = dict(parse_qsl(call.body.decode()))
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            raise self._refusal(401, "invalid_client", "client authentication failed")
        grant = form.get("grant_type", "")
        if grant == "refresh_token":
            given = form.get("refresh_token", "")
            if not self.refreshing or given not in self._refresh:
                raise self._refusal(401, "invalid_token", "the refresh token is not valid")
            self._refresh.discard(given)
        elif grant != "client_credentials":
            raise self._refusal(400, "unsupported_grant_type", grant)
        self.grants[grant] += 1
        self._count += 1
        access = _jwt(self._count)
        self._access[access] = time.monotonic() + self.lifetime
        given_out: dict[str, object] = {"access_token": access, "token_type": "Bearer"}
        if self.announce:
            given_out["expires_in"] = int(self.lifetime)
        if self.refreshable:
            refresh = f"refresh-{self._count}"
            self._refresh.add(refresh)
            given_out["refresh_token"] = refresh
        return answer(given_out)

    def check(self, headers: Mapping[str, str]) -> None:
        """Check the credential of a request to the API.

        Raises:
            Refused: 401.
        """
        kind, _, access = headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or self._access.get(access, 0.0) < time.monotonic():
            raise Refused(answer({"error": "invalid_token", "message": "The access token is not valid"}, 401))

    def _refusal(self, status: int, error: str, description: str) -> Refused:
        self.grants["refused"] += 1
        return Refused(answer({"error": error, "error_description": description}, status))


def _jwt(number: int) -> str:
    parts = (b'{"alg":"RS256","typ":"JWT"}', json.dumps({"sub": "123", "jti": number}).encode(), b"signature")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
