"""The vendor's own file of credentials: JSON with `secret_key` and `organization_id`, for what nothing else gives."""

from pathlib import Path

import msgspec

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.redact import remember

#: Where the vendor's client looks before it reads the file.
VARIABLE = "DATATURE_VI_SECRET_KEY"
#: Bytes; longer than any such file.
_LONGEST = 64 << 10


class _Config(msgspec.Struct):
    secret_key: str = ""
    organization_id: str = ""


def organization_in(path: Path) -> str:
    """Return the id of the organization in a file. Blocks.

    Raises:
        SettingsError: it is missing, no such JSON, or names none.
    """
    found = _read(path).organization_id
    if not found:
        message = f"{path} names no organization_id"
        raise SettingsError(message)
    return found


def key_of(given: Secret | None, path: Path) -> Secret:
    """Return the secret key in a file, read when it is used; one that is given goes before it."""
    if given is not None and given.source != f"env:{VARIABLE}":
        return given

    def read() -> str:
        if given is not None:
            try:
                return given.reveal()
            except SettingsError:
                # The variable is not set: only looked for because the vendor's client does so.
                pass
        key = _read(path).secret_key
        if not key:
            message = f"{path} holds no secret_key"
            raise SettingsError(message)
        remember(key)
        return key

    return Secret(read, f"file:{path}")


def _read(path: Path) -> _Config:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LONGEST), type=_Config)
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}"
        raise SettingsError(message) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Nothing of the text is repeated: it may be the key.
        message = f"{path} is not the JSON of a Datature Vi configuration"
        raise SettingsError(message, hint='it looks like {"secret_key": "dtvi_…", "organization_id": "…"}') from error
