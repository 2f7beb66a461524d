"""References to credentials: `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`, or the value itself.

A reference is checked for its form at once and read when it is used, so commands that need no
credential work without one. Reading blocks (files, keyring daemons): call `reveal` from a thread.
"""

import importlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.redact import remember

#: Told of each value that is read, so that it can be masked wherever it might show up.
Seen = Callable[[str], None]

#: Bytes; longer than any token or key file.
MAX_SECRET = 256 * 1024


def resolve(
    text: str,
    base: Path,
    *,
    where: str = "",
    environ: Mapping[str, str] | None = None,
    seen: Seen = remember,
) -> Secret:
    """Return the secret that a text refers to; anything without a known scheme is the credential itself.

    Args:
        text: The reference.
        base: Folder that a relative `file:` path counts from.
        where: Dotted path of the option, put before every message.
        environ: Where `env:` looks; by default the process's own variables, at the time of reading.
        seen: Called with every value that is read, so that logs and errors can mask it.

    Raises:
        SettingsError: a reference that names nothing.
    """
    scheme, colon, rest = text.partition(":")
    at = f"{where}: " if where else ""
    if not colon or scheme not in {"env", "file", "keyring"}:
        value = _usable(text, f"{at}the credential", None)
        return Secret(lambda: _told(value, seen), "a literal in the configuration")
    if not rest.strip():
        message = f"{at}'{scheme}:' names nothing"
        raise SettingsError(message, hint="write env:NAME, file:PATH or keyring:SERVICE/USER")
    if scheme == "env":
        return Secret(lambda: _told(_from_environment(rest, at, environ), seen), f"env:{rest}")
    if scheme == "file":
        reader = _File(file_of(rest, base), at)
        return Secret(lambda: _told(reader(), seen), f"file:{rest}")
    service, slash, user = rest.rpartition("/")
    if not slash or not service or not user:
        message = f"{at}'keyring:{rest}' is not of the form keyring:SERVICE/USER"
        raise SettingsError(message)
    return Secret(lambda: _told(_from_keyring(service, user, at), seen), f"keyring:{rest}")


def first_of(references: Sequence[str], base: Path, *, where: str, environ: Mapping[str, str] | None = None,
             seen: Seen = remember) -> Secret:  # fmt: skip
    """Return the secret behind the first reference that is there when it is read.

    Raises:
        SettingsError: on reading, none is there; the message names all of them.
    """
    secrets = [resolve(reference, base, where=where, environ=environ, seen=seen) for reference in references]

    def read() -> str:
        for reference, secret in zip(references, secrets, strict=True):
            if available(reference, base, environ):
                return secret.reveal()
        if len(secrets) == 1:
            return secrets[0].reveal()
        message = f"{where}: not given, and none of {', '.join(references)} is there"
        raise SettingsError(message, hint=_advice(where))

    return Secret(read, " or ".join(references))


def available(reference: str, base: Path, environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether a reference can be read now, without reading it; a keyring is not asked."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        return bool((os.environ if environ is None else environ).get(rest, "").strip())
    if scheme == "file":
        return file_of(rest, base).is_file()
    return scheme != "keyring"


def exposed(reference: str, base: Path) -> str | None:
    """Return a warning if other users can read the file of a reference, and we are the one who can change that."""
    scheme, _, rest = reference.partition(":")
    if scheme != "file":
        return None
    path = file_of(rest, base)
    try:
        status = path.stat()
        fixed = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:  # absent or unreadable: said when it is read
        return None
    others = stat.S_IMODE(status.st_mode) & (stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH)
    if not others or fixed or status.st_uid != os.geteuid():
        return None
    return f"{path} holds a credential and other users can read it; chmod 600 it"


def file_of(text: str, base: Path) -> Path:
    """Return the path of a `file:` reference: `~` is the home folder, relative ones count from `base`."""
    return base / Path(text.removeprefix("//") if text.startswith("///") else text).expanduser()


class _File:
    """A file that is read again whenever it was changed or replaced."""

    def __init__(self, path: Path, at: str) -> None:
        self._path = path
        self._at = at
        self._stamp: tuple[int, int, int] | None = None
        self._value = ""

    def __call__(self) -> str:
        what = f"{self._at}{self._path}"
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                with self._path.open("rb") as stream:
                    data = stream.read(MAX_SECRET + 1)
                if len(data) > MAX_SECRET:
                    message = f"{what} is too large for a credential"
                    raise SettingsError(message)
                self._value = _usable(data.decode(), what, "the file is empty")
                self._stamp = stamp
        except OSError as error:
            message = f"{self._at}can't read {self._path}: {error.strerror}"
            raise SettingsError(message, hint="put the credential there, or point the option elsewhere") from error
        except UnicodeDecodeError as error:
            message = f"{what} is not text"
            raise SettingsError(message) from error
        return self._value


def _from_environment(name: str, at: str, environ: Mapping[str, str] | None) -> str:
    value = (os.environ if environ is None else environ).get(name)
    if value is None:
        message = f"{at}environment variable {name} is not set"
        raise SettingsError(message, hint=_advice(at.removesuffix(": "), name))
    return _usable(value, f"{at}environment variable {name}", "it is set, and empty")


def _from_keyring(service: str, user: str, at: str) -> str:
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError as error:
        message = f"{at}a keyring: reference needs the optional package 'keyring'"
        raise SettingsError(message, hint="pip install 'annotation-syncer[keyring]'") from error
    try:
        value = keyring.get_password(service, user)
    except errors.KeyringError as error:
        message = f"{at}the keyring did not answer: {type(error).__name__}"
        raise SettingsError(message, hint="unlock it, or use env: or file: where nobody is logged in") from error
    if value is None:
        message = f"{at}the keyring holds nothing for user {user!r} of {service!r}"
        raise SettingsError(message, hint=f"keyring set {service} {user}")
    return _usable(value, f"{at}the keyring entry {service}/{user}", "it is empty")


def _usable(value: str, what: str, reason: str | None) -> str:
    # A line end at the end of a file, or a blank from copying, is never part of a credential.
    if stripped := value.strip():
        return stripped
    message = f"{what} is empty" if reason is None else f"{what}: {reason}"
    raise SettingsError(message)


def _told(value: str, seen: Seen) -> str:
    seen(value)
    return value


def _advice(where: str, name: str = "NAME") -> str:
    option = where or "the option"
    return f"set {name}, or give {option} as env:NAME, file:PATH or keyring:SERVICE/USER"
