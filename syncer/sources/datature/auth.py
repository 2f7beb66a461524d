"""Credentials of an organization: the secret key and the organization's id, both in headers of every request."""

from collections.abc import Mapping

import anyio.to_thread

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.guard import origin_of

#: What a secret key begins with, and how long it is; the vendor's own client refuses anything else, too.
PREFIX, LENGTH = "dtvi_", 103

_WHERE = "Datature Vi > Organization > Secret keys"


class KeyAuth:
    """`ports.Authenticator` for one secret key of one organization; read again when the platform refuses it."""

    def __init__(self, token: Secret, organization: str, url: str) -> None:
        """Take the key by reference, and where it may be sent."""
        self.origins = frozenset({origin_of(url)})
        self._token = token
        self._organization = organization
        self._headers: Mapping[str, str] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the headers of a request.

        Raises:
            SettingsError: it can't be a secret key; nothing is sent then.
        """
        if self._headers is None:
            self._headers = await self._read()
        return self._headers

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a 401: read the key again. False if it is still the same."""
        if self._headers is None or dict(self._headers) == dict(rejected):
            self._headers = await self._read()
        return dict(self._headers) != dict(rejected)

    async def _read(self) -> Mapping[str, str]:
        key = (await anyio.to_thread.run_sync(self._token.reveal)).strip()
        if not key.startswith(PREFIX) or len(key) != LENGTH:
            message = f"the secret key from {self._token.source} is none of Datature Vi"
            hint = f"it begins with {PREFIX} and has {LENGTH} characters, not {len(key)}: copy it again ({_WHERE})"
            raise SettingsError(message, hint=hint)
        return {"Authorization": f"Bearer {key}", "Organization-Id": self._organization}


def hint_for(status: int | None, organization: str) -> str:
    """Return what to do about a key that is not accepted."""
    if status == 403:  # noqa: PLR2004  # RFC 9110 §15.5.4
        return f"is the key one of organization {organization}, and may its owner see this? ({_WHERE})"
    return f"the key is unknown, expired or revoked: make a new one ({_WHERE})"
