"""Credentials of a Clarifai account: a personal access token, or the key of one app."""

from collections.abc import Mapping

import anyio.to_thread

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.guard import origin_of


class KeyAuth:
    """`ports.Authenticator` for one key. It is read again when the platform refuses it: files and keyrings change."""

    def __init__(self, token: Secret, *urls: str) -> None:
        """Take the key by reference, and the addresses that alone may see it."""
        self.origins = frozenset(origin_of(url) for url in urls)
        self._token = token
        self._header: Mapping[str, str] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the header that the platform wants.

        Raises:
            SettingsError: the key is missing, or nothing that can be sent.
        """
        if self._header is None:
            self._header = {"Authorization": f"Key {await self._read()}"}
        return self._header

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """After a refusal: read the key again. False if it is still the same."""
        if self._header is None or self._header["Authorization"] == rejected.get("Authorization"):
            self._header = {"Authorization": f"Key {await self._read()}"}
        return self._header["Authorization"] != rejected.get("Authorization")

    async def _read(self) -> str:
        token = (await anyio.to_thread.run_sync(self._token.reveal)).strip()
        token = token.removeprefix("Key ").strip()
        if not token.isascii() or not token.isprintable() or not token or " " in token:
            message = f"the key from {self._token.source} is no Clarifai key"
            raise SettingsError(message, hint="it is one word of letters and digits")
        return token
