"""Under which names the listener answers, and which pages may make a browser send something that changes anything."""

from collections.abc import Sequence
from ipaddress import ip_address

from aiohttp import web
from yarl import URL

#: Methods that change nothing.
READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = {"http": 80, "https": 443}


class Origins:
    """Host and Origin of requests: the guard against pages of others, also of those that rebind a name to us."""

    def __init__(self, hosts: Sequence[str], *, loopback: bool) -> None:
        """Take the names under which the page is visited, and whether only this machine reaches us."""
        self._hosts = frozenset(host.rstrip(".").lower() for host in hosts)
        self._loopback = loopback

    def answers(self, request: web.Request) -> bool:
        """Tell whether a request was meant for us.

        A page of another can point its own name at our address, never an address: literal ones are safe.
        """
        where = _authority(request.host)
        if where is None:
            return False
        host = where[0]
        if host == "localhost" or host in self._hosts:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or not self._loopback

    def own(self, request: web.Request) -> bool:
        """Tell whether a request comes from a page of ours. Without an origin it does not: it can't be known."""
        origin = request.headers.get("Origin", "")
        scheme, separator, authority = origin.partition("://")
        if not separator or scheme not in _PORTS:
            return False
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return False
        # The scheme is the browser's: in front of us a proxy may end TLS.
        here, there = _authority(request.host, scheme), _authority(authority, scheme)
        return here is not None and here == there


def behind_https(request: web.Request) -> bool:
    """Tell whether the browser speaks https, to us or to a proxy in front of us. Only ever makes a cookie stricter."""
    told = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return request.secure or told == "https" or request.headers.get("Origin", "").startswith("https://")


def _authority(text: str, scheme: str = "http") -> tuple[str, int] | None:
    """Return host and port of `host[:port]`; None if it is none."""
    try:
        url = URL(f"{scheme}://{text}")
        if url.raw_authority != text.lower() or url.raw_user is not None or not url.raw_host:
            return None
        return url.raw_host.rstrip(".").lower(), url.port or _PORTS[scheme]
    except ValueError:
        return None
