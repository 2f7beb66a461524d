"""Sends a notice to somebody of the user's own: signed as Standard Webhooks says (standardwebhooks.com, version 1).

Headers: `webhook-id`, the same for every attempt of one notice; `webhook-timestamp`, seconds of the Unix clock when the
attempt was made; `webhook-signature`, `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`. The key is what
follows `whsec_` in the secret, base64 decoded; a secret of another form is the key as it stands, in UTF-8.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
import msgspec

from syncer.model.errors import SettingsError
from syncer.model.secret import Secret
from syncer.net.client import open_http
from syncer.net.guard import origin_of, parse_url
from syncer.net.network import MIB, Network
from syncer.net.redact import remember
from syncer.ports import Clock, Http, Request, Spool

#: What a secret of Standard Webhooks begins with.
PREFIX = "whsec_"
#: Attempts of one delivery, and seconds from its first failure: a signature is good for five minutes.
ATTEMPTS, PATIENCE = 6, 120.0
#: Seconds for a connection, and for an attempt.
_CONNECT, _ATTEMPT = 10.0, 15.0


class Notice(msgspec.Struct, frozen=True):
    """Something to be told."""

    #: Unique; who gets it twice knows by this.
    id: str
    body: bytes


class Recipient(msgspec.Struct, frozen=True):
    """Somebody to be told, with an open way there."""

    http: Http
    clock: Clock
    url: str
    secret: Secret | None

    @property
    def origin(self) -> str:
        """Where notices go, for messages: without the path, which is a secret."""
        return origin_of(self.url)

    async def send(self, notice: Notice) -> None:
        """Deliver a notice, several attempts included.

        Raises:
            HttpError: it could not be delivered.
            SettingsError: there is no secret where its reference leads.
        """
        stamp = int(self.clock.now().timestamp())
        headers = {"Content-Type": "application/json", "webhook-id": notice.id, "webhook-timestamp": str(stamp)}
        if self.secret is not None:
            key = await anyio.to_thread.run_sync(self.secret.reveal)
            headers["webhook-signature"] = signature(key, notice, stamp)
        await self.http.fetch(Request(self.url, "POST", headers=headers, body=notice.body, attempts=ATTEMPTS))


@asynccontextmanager
async def open_recipient(
    url: Secret, secret: Secret | None, clock: Clock, spool: Spool, *, allow_http: bool = False
) -> AsyncIterator[Recipient]:
    """Open the way to a recipient: where the URL points is the user's word, elsewhere nothing is ever sent.

    Raises:
        SettingsError: there is nothing where a reference leads.
        Unsafe: it is no URL that may be opened.
    """
    text = (await anyio.to_thread.run_sync(url.reveal)).strip()
    # Whoever knows the path may post there: no message shows it.
    remember(text)
    remember(parse_url(text).raw_path_qs.strip("/"))
    network = Network(
        url=origin_of(text), allow_http=allow_http, concurrency=1, attempts=ATTEMPTS, retry_budget=PATIENCE,
        connect_timeout=_CONNECT, read_timeout=_ATTEMPT, timeout=_ATTEMPT, max_body=MIB,
    )  # fmt: skip
    async with open_http(network, clock, lambda _event: None, spool) as http:
        yield Recipient(http, clock, text, secret)


def signature(secret: str, notice: Notice, stamp: int) -> str:
    """Return the value of `webhook-signature`.

    Raises:
        SettingsError: a secret that begins like one of Standard Webhooks is not base64.
    """
    signed = b"%b.%d.%b" % (notice.id.encode(), stamp, notice.body)
    digest = hmac.digest(_key(secret), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        message = f"notify: a secret that begins with {PREFIX} goes on in base64"
        raise SettingsError(message, hint="take it over as a whole, or use a text of another form") from error
