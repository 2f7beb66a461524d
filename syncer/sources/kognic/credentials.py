"""Credentials of an API client, looked for in the order of the vendor's own client: file, environment, keyring."""

import hashlib
import importlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from syncer.model.errors import PermissionRefused, SettingsError
from syncer.model.secret import Secret
from syncer.net.redact import forget, remember
from syncer.ports import Clock
from syncer.sources.kognic.options import AccountOptions

#: Keys without which the vendor's client refuses a file.
REQUIRED = ("clientId", "clientSecret", "email", "userId", "issuer")
#: Where the vendor's client keeps credentials in a system keyring, and under which name.
KEYRING, PROFILE = "kognic-credentials", "default"


class Credentials(msgspec.Struct, frozen=True):
    """A client id with its secret, as it stands now."""

    client_id: str
    secret: str
    #: Of the person or machine that the credentials were made for; empty where only id and secret are given.
    email: str = ""
    scopes: tuple[str, ...] = ()
    #: Harmless name of where it comes from.
    source: str = ""

    @property
    def mark(self) -> str:
        """A digest: whoever holds the same credentials shares their token."""
        text = "\0".join((self.client_id, self.secret, *self.scopes))
        return hashlib.sha256(text.encode()).hexdigest()

    def __repr__(self) -> str:
        """Show where they come from, never what they are."""
        return f"Credentials({self.source})"


class Lookup(msgspec.Struct, frozen=True):
    """Finds the credentials of one account."""

    options: AccountOptions
    clock: Clock
    #: Prefix of the environment variables.
    prefix: str = "KOGNIC"
    #: Whether a system keyring is asked last.
    keyring: bool = True

    def read(self) -> Credentials:
        """Return the present credentials. Blocks: it may read a file, or ask a keyring.

        Raises:
            SettingsError: there are none, or they are not complete.
            PermissionRefused: they have expired.
        """
        document, secret = self.options.credentials, self.options.client_secret
        # What was given for this platform goes before what merely lies in the environment.
        named = secret is not None and secret.source != f"env:{self.prefix}_CLIENT_SECRET"
        found_around = document is not None and document.source == f"env:{self.prefix}_CREDENTIALS"
        if document is not None and not (named and found_around):
            return self._document(document.reveal(), document.source)
        if secret is not None:
            return self._pair(secret)
        text = _from_keyring() if self.keyring else None
        if text is not None:
            return self._document(text, f"keyring:{KEYRING}/{PROFILE}")
        message = f"no credentials: give `credentials`, or set {self.prefix}_CREDENTIALS to the path of their file"
        hint = f"or set {self.prefix}_CLIENT_ID and {self.prefix}_CLIENT_SECRET"
        raise SettingsError(message, hint=hint)

    def _pair(self, secret: Secret) -> Credentials:
        if not self.options.client_id:
            message = f"a client secret without a client id ({self.prefix}_CLIENT_ID, or the option client_id)"
            raise SettingsError(message)
        return Credentials(self.options.client_id, secret.reveal(), source=secret.source)

    def _document(self, text: str, source: str) -> Credentials:
        if not text.lstrip().startswith("{"):
            # A path came in place of a secret, and messages have to name it.
            forget(text)
            text, source = _file(text), f"{text} ({source})"
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            message = f"{source} is not the JSON of API credentials"
            raise SettingsError(message, hint="download it again where API credentials are made, and give its path")
        missing = [key for key in REQUIRED if not isinstance(document.get(key), str | int) or document[key] == ""]
        if missing:
            message = f"{source} lacks {', '.join(missing)}"
            raise SettingsError(message, hint=f"API credentials have the keys {', '.join(REQUIRED)}")
        self._check_life(document.get("expires"), source)
        secret = str(document["clientSecret"])
        remember(secret)
        scopes = document.get("scopes")
        wanted = tuple(map(str, scopes)) if isinstance(scopes, Sequence) and not isinstance(scopes, str) else ()
        return Credentials(str(document["clientId"]), secret, str(document["email"]), wanted, source)

    def _check_life(self, expires: object, source: str) -> None:
        if expires is None:
            return
        try:
            end = datetime.fromisoformat(str(expires))
        except ValueError as error:
            message = f"{source}: `expires` is not a time"
            raise SettingsError(message) from error
        end = end if end.tzinfo is not None else end.replace(tzinfo=UTC)
        if end <= self.clock.now():
            message = f"the credentials of {source} expired on {end:%Y-%m-%d}"
            raise PermissionRefused(message, hint="make new API credentials, and put them in the same place")


def _file(text: str) -> str:
    path = Path(text.strip()).expanduser()
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        message = f"can't read the credentials file {path}: {reason}"
        raise SettingsError(message, hint="give the path of the JSON file, or its text") from error


def _from_keyring() -> str | None:
    """Return what the vendor's tools have put into the system's keyring; None where there is no keyring."""
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError:
        return None
    try:
        text = keyring.get_password(KEYRING, PROFILE)
    except errors.KeyringError:
        return None
    return None if text is None else str(text)
