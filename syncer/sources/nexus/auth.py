"""The secret key of a workspace, in a header of every request."""

from collections.abc import Mapping

import anyio.to_thread

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.guard import origin_of

HINT = "copy the secret key again (Nexus > project > API management)"


class KeyAuth:
    """`ports.Authenticator` for one secret key; read again when the platform refuses it."""

    def __init__(self, token: Secret, url: str) -> None:
        """Take the key by reference, and where it may be sent."""
        self.origins = frozenset({origin_of(url)})
        self._token = token
        self._header: Mapping[str, str] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the header of a request.

        Raises:
            SettingsError: the key is empty, or no text that a header can carry.
        """
        if self._header is None:
            self._header = await self._read()
        return self._header

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a 401: read the key again. False if it is still the same."""
        if self._header is None or dict(self._header) == dict(rejected):
            self._header = await self._read()
        return dict(self._header) != dict(rejected)

    async def _read(self) -> Mapping[str, str]:
        key = (await anyio.to_thread.run_sync(self._token.reveal)).strip()
        if not key or not key.isascii() or not key.isprintable():
            message = f"the secret key from {self._token.source} can't be sent: it is empty or has odd characters"
            raise SettingsError(message, hint=HINT)
        return {"Secret-Key": key}
