"""The secret key of a workspace, in a header of every request."""

from collections.abc import Mapping

import anyio.to_thread

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.guard import origin_of

HINT = "copy the secret key again (Nexus > project > API management)"


class KeyAuth:
    """`ports.Authenticator` for one secret key."""

    def __init__(self, token: Secret, url: str) -> None:
        """Take the key by reference, and where it may be sent."""
        self.origins = frozenset({origin_of(url)})
        self._token = token

    async def headers(self) -> Mapping[str, str]:
        """Return the header of a request.

        Raises:
            SettingsError: the key is empty, or no text that a header can carry.
        """
        key = (await anyio.to_thread.run_sync(self._token.reveal)).strip()
        if not key or not key.isascii() or not key.isprintable():
            message = f"the secret key from {self._token.source} can't be sent: it is empty or has odd characters"
            raise SettingsError(message, hint=HINT)
        return {"Secret-Key": key}

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a 401: tell whether the reference leads to another key by now."""
        return dict(await self.headers()) != dict(rejected)
