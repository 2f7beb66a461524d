"""Where the state lies: written out, or as a reference, because the URL of a database holds a password."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from syncer.model.secret import Secret
from syncer.net.redact import redact_url
from syncer.settings.interpolate import interpolate
from syncer.settings.schema import DEFAULT_STATE
from syncer.settings.secrets import Seen, resolve

_REFERENCES = frozenset({"env", "file", "keyring"})
_SERVERS = frozenset({"postgresql", "postgres"})


def state_of(text: str, base: Path, environ: Mapping[str, str], seen: Seen) -> tuple[str, Secret]:
    """Return the state as it may be shown, and its URL; the password in that is masked wherever it might show up.

    Raises:
        SettingsError: a reference that names nothing.
    """
    if text == DEFAULT_STATE:
        text = interpolate(text, environ)
    scheme = text.partition(":")[0]
    if scheme in _REFERENCES:
        # The URL as a whole is nobody's secret, its password is.
        reference = resolve(text, base, where="state", environ=environ, seen=lambda _: None)
        return text, Secret(_read(reference.reveal, base, seen), reference.source)
    if scheme in _SERVERS:
        url = text
        return redact_url(url), Secret(_read(lambda: url, base, seen), "a literal in the configuration")
    located = _located(text, base)
    return located, Secret.literal(located)


def _read(reveal: Callable[[], str], base: Path, seen: Seen) -> Callable[[], str]:
    def read() -> str:
        url = reveal()
        for password in _passwords(url):
            seen(password)
        return _located(url, base)

    return read


def _located(text: str, base: Path) -> str:
    scheme, _, path = text.partition(":")
    return text if scheme != "sqlite" else f"sqlite:{base / Path(path).expanduser()}"


def _passwords(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    login = parts.netloc.rpartition("@")[0]
    found = {login.partition(":")[2], unquote(login.partition(":")[2])}
    found.update(value for name, value in parse_qsl(parts.query) if name.endswith("password"))
    return {each for each in found if each}
