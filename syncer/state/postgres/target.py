"""Which database a URL means. Pure; the password is never part of what is shown."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from syncer.model.errors import SettingsError

#: Name of the schema that holds the tables.
SCHEMA = "syncer"

#: Seconds after which others may take over what a silent process was working on.
LEASE_SECONDS = 30.0

#: How the connection is made where the URL does not say: a dead network is noticed within half a minute.
DEFAULTS: Mapping[str, str] = {
    "application_name": "syncer",
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_NAME = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
_SECRETS = frozenset({"password", "sslpassword", "passfile"})
_HINT = "write postgresql://USER@HOST:PORT/DATABASE, or env:NAME where that variable holds it"


@dataclass(frozen=True, slots=True)
class Target:
    """A schema of a database, and how to reach it."""

    #: For libpq, without our own parameters; may hold a password.
    url: str = field(repr=False)
    #: For people, without a password.
    shown: str
    schema: str = SCHEMA
    lease_seconds: float = LEASE_SECONDS
    #: Passwords that the URL holds: they are cut out of every message.
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def clean(self, text: str) -> str:
        """Return a message of the client library without passwords, in one line."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())


def parse(url: str) -> Target:
    """Read a `postgresql://` URL; besides what libpq knows it may say `schema=NAME` and `lease=SECONDS`.

    Raises:
        SettingsError: it can't be read; the message never repeats it.
    """
    try:
        parts = urlsplit(url.strip())
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise SettingsError("the URL of the state can't be read", hint=_HINT) from error
    if parts.scheme not in {"postgresql", "postgres"} or not url.partition(":")[2].startswith("//"):
        raise SettingsError("the URL of the state does not begin with postgresql://", hint=_HINT)
    login, at, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    schema = _last(query, "schema") or SCHEMA
    if not _NAME.match(schema):
        raise SettingsError(
            "schema: a name of lower-case letters, digits and _ is expected", hint="for example ?schema=syncer"
        )
    theirs = [(name, value) for name, value in query if name not in {"schema", "lease"}]
    given = {name for name, _ in theirs}
    full = [*theirs, *((name, value) for name, value in DEFAULTS.items() if name not in given)]
    shown = [(name, value) for name, value in query if name not in _SECRETS]
    secrets = [unquote(password), *(value for name, value in theirs if name in _SECRETS)]
    return Target(
        url=_text(parts.netloc, parts.path, full),
        shown=_text(f"{user}{at}{host}", parts.path, shown),
        schema=schema,
        lease_seconds=_seconds(_last(query, "lease")),
        secrets=tuple(each for each in (password, *secrets) if each),
    )


def shown(url: str) -> str:
    """Return a URL of a state without its password; one that can't be read shows its scheme only."""
    try:
        return parse(url).shown
    except SettingsError:
        return f"{url.partition(':')[0]}:…"


def _text(netloc: str, path: str, query: Sequence[tuple[str, str]]) -> str:
    # By hand: urlunsplit leaves out the slashes of a URL without a host.
    return f"postgresql://{netloc}{path}{'?' if query else ''}{urlencode(query, safe='/', quote_via=quote)}"


def _last(query: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for key, value in reversed(query) if key == name), "")


def _seconds(text: str) -> float:
    if not text:
        return LEASE_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:  # noqa: PLR2004  # from the shortest that a busy machine keeps up, to an hour
        raise SettingsError("lease: seconds between 1 and 3600 are expected", hint="for example ?lease=30")
    return seconds
