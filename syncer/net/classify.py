"""What a status or an exception means: whether it is tried again, how often, and which `HttpError` it becomes.

The whole table stands here; nothing else in the project looks at a status to decide about a retry.
"""

import math
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import aiohttp
import msgspec
from msgspec.structs import replace

from syncer.model.errors import (
    AttemptFailed,
    BadBody,
    Forbidden,
    HttpError,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsafe,
)
from syncer.net.redact import redact_text, redact_url
from syncer.ports import Judgement, Meaning

OUT_OF_RANGE = 416
#: Bytes of an error's body that are kept for the source to look at.
KEPT_BODY = 2048


class Rule(msgspec.Struct, frozen=True):
    """What one kind of failure means."""

    error: type[HttpError]
    #: Attempts in all that this failure alone may use up; None: as many as the client makes.
    attempts: int | None = None
    #: The server asked us to slow down: bounded by the time budget instead of by attempts.
    throttled: bool = False
    #: Too many requests in flight may be the cause.
    congested: bool = False
    hint: str | None = None

    @property
    def retried(self) -> bool:
        """True if another attempt may heal it."""
        return self.attempts != 1


_CLIENT = Rule(Rejected, attempts=1)
_SERVER = Rule(Unavailable)
#: Some servers answer 500 to the same request for ever.
_BROKEN = Rule(Unavailable, attempts=3)
_TABLE: Mapping[int, Rule] = {
    401: Rule(Unauthorized, attempts=1, hint="check the credential: is it valid, not expired, and for this platform?"),
    403: Rule(Forbidden, attempts=1, hint="the credential is valid but may not read this; check its role or scopes"),
    404: Rule(NotFound, attempts=1),
    407: Rule(
        Unavailable, attempts=1, hint="the proxy wants a user and password: proxy: http://USER:PASSWORD@HOST:PORT"
    ),
    408: Rule(Unavailable, congested=True),
    410: Rule(NotFound, attempts=1),
    # Only a resumed download asks for a range: what is there now is shorter, so it starts over.
    OUT_OF_RANGE: Rule(BadBody, attempts=3),
    425: _SERVER,
    429: Rule(Unavailable, throttled=True, hint="the platform refuses our rate; lower limits.requests_per_second"),
    500: _BROKEN,
    502: _SERVER,
    503: Rule(Unavailable, congested=True),
    504: Rule(Unavailable, congested=True),
}
#: What a platform's own codes come down to.
_MEANINGS: Mapping[Meaning, Rule] = {
    Meaning.THROTTLED: _TABLE[429],
    Meaning.AWAY: _SERVER,
    Meaning.FAILED: _BROKEN,
    Meaning.SPENT: Rule(Unavailable, attempts=1),
    Meaning.UNAUTHORIZED: _TABLE[401],
    Meaning.FORBIDDEN: _TABLE[403],
    Meaning.MISSING: _TABLE[404],
    Meaning.REJECTED: _CLIENT,
}
#: 2xx whose body is not what was asked for (a proxy's page, a cut answer).
BAD_BODY = Rule(BadBody)

_SLOW = "raise limits.timeout or limits.read_timeout if the server is only slow"
_TLS = "set ca_file to the authority that signed the server's certificate, or repair the certificate"
_TIMEOUT = Rule(Unavailable, congested=True, hint=_SLOW)
_UNTRUSTED = Rule(Unsafe, attempts=1, hint=_TLS)
_HANDSHAKE = Rule(Unavailable, attempts=2, hint=_TLS)
_NO_NAME = Rule(Unavailable, hint="is the host name right, and DNS reachable?")
_NO_PROXY = Rule(Unavailable, hint="is the proxy's address right, and is it running?")
_NO_SERVER = Rule(Unavailable, hint="is the server running, and the port right?")
#: First match wins.
_EXCEPTIONS: tuple[tuple[type[Exception], Rule, str], ...] = (
    (aiohttp.ClientConnectorCertificateError, _UNTRUSTED, "the server's certificate is not trusted"),
    (aiohttp.ClientConnectorSSLError, _HANDSHAKE, "the TLS handshake failed"),
    (aiohttp.ConnectionTimeoutError, _TIMEOUT, "no connection within limits.connect_timeout"),
    (TimeoutError, _TIMEOUT, "no answer in time"),
    (aiohttp.ClientConnectorDNSError, _NO_NAME, "the host name does not resolve"),
    (aiohttp.ClientProxyConnectionError, _NO_PROXY, "the proxy can't be reached"),
    (aiohttp.ClientConnectorError, _NO_SERVER, "no connection"),
    (aiohttp.ClientPayloadError, BAD_BODY, "the body was cut short or is damaged"),
    (aiohttp.ServerDisconnectedError, _SERVER, "the server closed the connection"),
    (aiohttp.InvalidURL, Rule(Unsafe, attempts=1), "the URL is not valid"),
    (aiohttp.ClientOSError, _SERVER, "the connection broke"),
    (aiohttp.ClientResponseError, BAD_BODY, "the answer is not HTTP"),
    (aiohttp.ClientError, _SERVER, "the connection failed"),
)
#: What can leave the HTTP library while a request is sent or an answer is read.
NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError)


class Label:
    """The name of a request for messages, written only when one is needed: method and URL without its query."""

    __slots__ = ("_method", "_url")

    def __init__(self, method: str, url: str) -> None:
        """Take them as they are."""
        self._method = method
        self._url = url

    def __str__(self) -> str:
        """Return the name."""
        return f"{self._method} {redact_url(self._url)}"


class Retryable(AttemptFailed):
    """One attempt failed in a way that another may heal; knows what it becomes when there is none."""

    def __init__(self, message: str, rule: Rule, *, status: int | None = None, retry_after: float | None = None,
                 body: bytes = b"") -> None:  # fmt: skip
        """Keep everything that the final error will say."""
        super().__init__(message, status=status, retry_after=retry_after, throttled=rule.throttled)
        self.rule = rule
        self.body = body
        #: Bytes of a body arrived and are kept: the next attempt goes on from there.
        self.progress = False

    def final(self, attempts: int, hint: str | None = None) -> HttpError:
        """Return the error for when there is no further attempt."""
        tried = "" if attempts == 1 else f" ({attempts} attempts)"
        return self.rule.error(f"{self}{tried}", status=self.status, body=self.body, hint=hint or self.rule.hint)


def rule_of(status: int) -> Rule:
    """Return what a status outside 2xx means."""
    rule = _TABLE.get(status)
    if rule is not None:
        return rule
    return _BROKEN if status >= 500 else _CLIENT  # noqa: PLR2004  # RFC 9110 §15.6: 5xx


def status_failure(
    label: Label, status: int, headers: Mapping[str, str], body: bytes, now: datetime
) -> Retryable | HttpError:
    """Return the failure that an answer means. `label` names method and URL; `body` is what is kept of it."""
    rule = rule_of(status)
    kept = redact_text(body[:KEPT_BODY].decode("utf-8", "replace")).encode()[:KEPT_BODY]
    message = f"{label} answered {status}"
    if not rule.retried:
        return rule.error(message, status=status, body=kept, hint=rule.hint)
    return Retryable(message, rule, status=status, retry_after=retry_after(headers, now), body=kept)


def judged_failure(
    label: Label, status: int, headers: Mapping[str, str], body: bytes, judgement: Judgement, now: datetime
) -> Retryable | HttpError:
    """Return the failure that a platform reports in the body of an answer."""
    rule = _MEANINGS[judgement.meaning]
    rule = replace(rule, hint=judgement.hint or rule.hint)
    kept = redact_text(body[:KEPT_BODY].decode("utf-8", "replace")).encode()[:KEPT_BODY]
    message = f"{label} answered {status}, {redact_text(judgement.reason)}"
    if not rule.retried:
        return rule.error(message, status=status, body=kept, hint=rule.hint)
    return Retryable(message, rule, status=status, retry_after=retry_after(headers, now), body=kept)


def exception_failure(label: Label, error: Exception) -> Retryable | HttpError:
    """Return the failure that an exception of the HTTP library means. Of its text only the system's reason is kept."""
    status = None
    if isinstance(error, aiohttp.ClientHttpProxyError):
        rule, reason, status = rule_of(error.status), f"the proxy answered {error.status}", error.status
    else:
        rule, reason = next(
            ((rule, text) for kind, rule, text in _EXCEPTIONS if isinstance(error, kind)), (_SERVER, "failed")
        )
    detail = _detail(error)
    message = f"{label}: {reason}{f' ({detail})' if detail else ''}"
    if not rule.retried:
        return rule.error(message, status=status, hint=rule.hint)
    return Retryable(message, rule, status=status)


def bad_body(label: Label, reason: str, *, status: int | None = None, body: bytes = b"") -> Retryable:
    """Return the failure of an answer that is not what it should be."""
    kept = redact_text(body[:KEPT_BODY].decode("utf-8", "replace")).encode()[:KEPT_BODY]
    return Retryable(f"{label}: {reason}", BAD_BODY, status=status, body=kept)


@lru_cache(maxsize=256)
def media_matches(content_type: str | None, expected: str) -> bool:
    """Tell whether an answer's media type is the expected one; without a type it is believed.

    JSON is also `+json`, `text/json` and `application/.json`, which is what Label Studio's export says.
    """
    if not content_type:
        return True
    media = content_type.partition(";")[0].strip().lower()
    if media == expected:
        return True
    return expected == "application/json" and (media.endswith("+json") or media in {"text/json", "application/.json"})


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the pause that `Retry-After` asks for, in seconds (RFC 9110 §10.2.3: seconds or an HTTP date)."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        then = http_date(value)
        # The server's own clock, where it says so: ours may be wrong by more than the pause.
        seconds = (then - (http_date(headers.get("Date", "")) or now)).total_seconds() if then else 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else None


@lru_cache(maxsize=64)
def http_date(value: str) -> datetime | None:
    """Return an HTTP date (RFC 9110 §5.6.7) as UTC, None if it is none."""
    try:
        date = parsedate_to_datetime(value)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):  # a date that no calendar has
        return None


def _detail(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        return cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else ""
    if isinstance(error, OSError) and error.strerror:
        return redact_text(error.strerror)
    return ""
