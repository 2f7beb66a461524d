"""Decides where a request may go: origins, schemes, hosts and redirects.

Two classes of origins. *Own*: named by the configuration (the platform's URL, its token service, an authenticator's
origins); they may be private and may see credentials. *Content*: everything else, such as signed storage links in the
platform's data; public https only, except the platform's own host, which may be private, and `content_hosts`. Through a
proxy the names are looked up by the proxy, so there only literal addresses are checked here.
"""

from collections.abc import Iterable

from yarl import URL

from syncer.model.errors import Unsafe
from syncer.net import addresses
from syncer.net.addresses import Address
from syncer.net.network import Network
from syncer.net.redact import redact_url

#: Redirects followed in one request.
MAX_HOPS = 5

_PORTS = {"http": 80, "https": 443}


def read_url(text: str) -> URL:
    """Return a link as a URL. What is already encoded stays as it is: a signature covers every byte.

    Raises:
        Unsafe: it is none.
    """
    encoded = text.isascii() and text.isprintable()
    if not encoded and any(ord(character) < ord(" ") or character == "\x7f" for character in text):
        message = "a link with control characters in it is not opened"
        raise Unsafe(message)
    try:
        return URL(text, encoded=encoded and " " not in text)
    except ValueError as error:
        message = "a link that is not a URL is not opened"
        raise Unsafe(message) from error


def parse_url(text: str) -> URL:
    """Return an absolute http(s) URL.

    Raises:
        Unsafe: it is none, or carries a user or password.
    """
    url = read_url(text)
    try:
        sound = url.scheme in _PORTS and url.raw_host and url.port and "\\" not in url.raw_authority
    except ValueError:
        sound = False
    if not sound:
        message = f"{redact_url(text)[:200]!r} is not an http(s) URL"
        raise Unsafe(message, hint="other kinds of links are not opened")
    if url.raw_user is not None or url.raw_password is not None:
        message = f"{redact_url(text)}: a link with a user or password in it is not opened"
        raise Unsafe(message)
    return url


def origin_of(url: str | URL) -> str:
    """Return `scheme://host[:port]` in lower case, without a default port (RFC 6454 §6.2).

    Raises:
        Unsafe: it is no absolute http(s) URL.
    """
    parsed = parse_url(url) if isinstance(url, str) else url
    host = host_of(parsed)
    host = f"[{host}]" if ":" in host else host
    port = "" if parsed.port == _PORTS[parsed.scheme] else f":{parsed.port}"
    return f"{parsed.scheme}://{host}{port}"


def normalized(origins: Iterable[str]) -> frozenset[str]:
    """Return origins in the form of `origin_of`."""
    return frozenset(origin_of(origin) for origin in origins)


def host_of(url: URL) -> str:
    """Return the host of a URL for comparison: lower case, no trailing dot, no brackets."""
    return (url.raw_host or "").rstrip(".").lower()


class Guard:
    """The rules for one platform."""

    def __init__(self, network: Network) -> None:
        """Take the platform's own addresses and the exceptions from its configuration."""
        urls = [parse_url(url) for url in (network.url, *network.own_urls)]
        self._allow_http = network.allow_http
        self._own = frozenset(origin_of(url) for url in urls)
        self._own_hosts = frozenset(host_of(url) for url in urls)
        self._loopback = any(addresses.is_loopback(host) for host in self._own_hosts)
        self._listed = tuple(_Listed(entry) for entry in network.content_hosts)
        #: Hosts of proxies: where they are is the user's business.
        self.proxy_hosts: frozenset[str] = frozenset()

    def is_own(self, origin: str) -> bool:
        """Tell whether an origin is one that the configuration names."""
        return origin in self._own

    def check(self, url: URL, *, own: bool) -> None:
        """Return if a URL may be opened. `own`: its origin is the platform's or an authenticator's.

        A name is settled again on its addresses when the connection is made.

        Raises:
            Unsafe: it may not; the message says why.
        """
        host = host_of(url)
        literal = addresses.parse(host)
        known = own or self._known(host, url.port or 0)
        if literal is not None:
            if not _usable(literal, known=known):
                raise addresses.refused(host)
        elif not known and addresses.is_loopback(host):
            raise addresses.refused(host)
        if url.scheme == "http" and not self._plain(host, url.port or 0):
            message = f"plain http to {host} is not accepted"
            raise Unsafe(
                message, hint="use https, or set allow_http: true (for content: list http://HOST in content_hosts)"
            )

    def allow_own(self, host: str, _port: int, address: Address) -> bool:
        """Tell whether one of the platform's own names may be connected to at this address."""
        return host in self.proxy_hosts or _usable(address, known=True)

    def allow_content(self, host: str, port: int, address: Address) -> bool:
        """Tell whether the name of a content link may be connected to at this address."""
        return host in self.proxy_hosts or _usable(address, known=self._known(host, port))

    def redirect(self, method: str, status: int, url: URL, location: str) -> tuple[str, str]:
        """Return method and URL of the next hop.

        Raises:
            Unsafe: from https to http, or a POST that would lose its body or leave its origin.
        """
        target = parse_url(str(url.join(read_url(location))))
        before, after = origin_of(url), origin_of(target)
        if url.scheme == "https" and target.scheme == "http":
            message = f"{redact_url(str(url))} redirects from https to plain http ({after})"
            raise Unsafe(message, hint="the answer would travel unprotected; ask the platform's operator")
        if method == "POST":
            if after != before:
                message = f"{redact_url(str(url))} redirects a POST to another origin ({after})"
                raise Unsafe(message, hint=f"if the platform moved, set its url to {after}")
            if status in {301, 302}:
                message = f"{redact_url(str(url))} redirects a POST in a way that loses its body ({status})"
                raise Unsafe(
                    message, hint=f"set the platform's url so that it leads to {redact_url(str(target))} directly"
                )
            if status == 303:  # noqa: PLR2004  # RFC 9110 §15.4.4: "see other", with GET
                method = "GET"
        return method, str(target)

    def _known(self, host: str, port: int) -> bool:
        if host in self._own_hosts or (self._loopback and addresses.is_loopback(host)):
            return True
        return any(entry.matches(host, port) for entry in self._listed)

    def _plain(self, host: str, port: int) -> bool:
        if self._allow_http or addresses.is_loopback(host):
            return True
        return any(entry.plain and entry.matches(host, port) for entry in self._listed)


class _Listed:
    """One entry of `content_hosts`: `host`, `host:port`, `*.domain`, or `http://host[:port]`."""

    __slots__ = ("_host", "_port", "plain")

    def __init__(self, entry: str) -> None:
        url = parse_url(entry if "://" in entry else f"https://{entry}")
        #: The entry itself asks for plain http.
        self.plain = url.scheme == "http"
        self._host = host_of(url)
        self._port = url.explicit_port or (url.port if "://" in entry else None)

    def matches(self, host: str, port: int) -> bool:
        if self._port is not None and port != self._port:
            return False
        return host.endswith(self._host[1:]) if self._host.startswith("*.") else host == self._host


def _usable(address: Address, *, known: bool) -> bool:
    return not addresses.never(address) if known else addresses.public(address)
