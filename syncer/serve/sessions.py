"""Who has shown the token: programs with every request, people once, and then with a cookie."""

import hmac
import secrets
from collections import OrderedDict
from hashlib import sha256

import anyio.to_thread
from aiohttp import web

from syncer.model.secret import Secret
from syncer.ports import Clock

#: Seconds that a session lasts, and sessions that are kept; the oldest end first.
LONGEST, SESSIONS = 12 * 3600.0, 1000


async def shown(secret: Secret, said: str) -> bool:
    """Tell whether somebody said the secret, in a time that tells nothing. A file is read again when it changed.

    Raises:
        SettingsError: there is nothing where the reference leads.
    """
    expected = await anyio.to_thread.run_sync(secret.reveal)
    # Digests have one length, whatever was said.
    return hmac.compare_digest(_digest(expected), _digest(said))


def bearer(request: web.Request) -> str | None:
    """Return what a request shows as `Authorization: Bearer`; None if it shows nothing (RFC 6750 §2.1)."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


class Sessions:
    """Sessions of people. They live in memory: a restart of the daemon ends them."""

    def __init__(self, clock: Clock) -> None:
        """Begin without any."""
        self._clock = clock
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def open(self) -> str:
        """Begin a session; return its secret name."""
        name = secrets.token_urlsafe(32)
        self._ends[_digest(name)] = self._clock.monotonic() + LONGEST
        if len(self._ends) > SESSIONS:
            self._ends.popitem(last=False)
        return name

    def holds(self, name: str | None) -> bool:
        """Tell whether a session goes on. Names are looked up by their digest, so that time tells nothing of them."""
        return name is not None and self._ends.get(_digest(name), 0.0) > self._clock.monotonic()

    def end(self, name: str | None) -> None:
        """End a session, if there is one."""
        if name is not None:
            self._ends.pop(_digest(name), None)


def cookie_name(port: int) -> str:
    """Return the name of the cookie: browsers don't keep those of two ports apart."""
    return f"syncer-{port}"


def give_cookie(response: web.StreamResponse, name: str, value: str, *, secure: bool) -> None:
    """Hand a session to a browser: no script reads it, no other site makes it travel."""
    response.set_cookie(name, value, max_age=int(LONGEST), httponly=True, samesite="Strict", secure=secure, path="/")


def take_cookie(response: web.StreamResponse, name: str) -> None:
    """Take it back."""
    response.del_cookie(name, path="/", httponly=True, samesite="Strict")


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
