"""Takes credentials out of texts for people: URLs, headers, tokens, and values that were registered as secret."""

import re
from urllib.parse import urlsplit, urlunsplit

MASK = "***"

#: Shorter values would mask ordinary words.
_SHORTEST = 6
#: Renewed tokens come and go; the oldest are forgotten first.
_REMEMBERED = 512

_secrets: dict[str, None] = {}
_known: re.Pattern[str] | None = None

_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s'\"<>\\)\]}]+")
_PATTERNS = (
    # Header lines and their JSON or Python spelling: everything up to the end of the value.
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|cookie|set-cookie|x-api-key|x-auth-token|api-key)(['\"]?\s*[:=]\s*['\"]?)"
            r"(?:(?:bearer|basic|token|key|apikey)\s+)?[^\s'\",;}\]]+"
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic|token|key)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
    # A JSON Web Token anywhere (RFC 7519: base64url of `{"` starts with eyJ).
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,4}"), MASK),
    (
        re.compile(
            r"(?i)\b([a-z0-9_-]*(?:token|secret|password|passwd|api_?key|access_?key|signature|credential)[a-z0-9_-]*)"
            r"(['\"]?\s*[:=]\s*['\"]?)[^\s'\",;&}\]]+"
        ),
        rf"\1\2{MASK}",
    ),
)


def remember(value: str) -> None:
    """Mask this value wherever it appears from now on. Very short values are not worth it and are ignored."""
    global _known  # noqa: PLW0603  # one process, one set of secrets: a text does not say whose it shows
    if len(value) < _SHORTEST or value in _secrets:
        return
    _secrets[value] = None
    while len(_secrets) > _REMEMBERED:
        del _secrets[next(iter(_secrets))]
    _known = re.compile("|".join(re.escape(secret) for secret in sorted(_secrets, key=len, reverse=True)))


def forget(value: str) -> None:
    """Show this value again: it turned out to be no secret, but the path of one."""
    global _known  # noqa: PLW0603  # as above
    if _secrets.pop(value, "") is None:
        pattern = "|".join(re.escape(secret) for secret in sorted(_secrets, key=len, reverse=True))
        _known = re.compile(pattern) if pattern else None


def redact_url(url: str) -> str:
    """Return a URL without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable URL)"
    host = parts.netloc.rpartition("@")[2]
    return _mask_known(urlunsplit((parts.scheme, host, parts.path, "", "")))


def redact_known(text: str) -> str:
    """Return a text with remembered values masked, all else as it stands: for words of our own."""
    return _mask_known(text)


def redact_text(text: str) -> str:
    """Return a text with credentials masked; URLs in it lose what `redact_url` drops."""
    text = _mask_known(text)
    text = _URL.sub(lambda found: redact_url(found.group()), text)
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    return text


def _mask_known(text: str) -> str:
    return _known.sub(MASK, text) if _known is not None else text
