"""Opens the two sessions of a client: the platform's own origins, and content links; TLS and proxies with them."""

import functools
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.request import getproxies_environment

import aiohttp
import anyio.to_thread
import msgspec
from aiohttp.resolver import ThreadedResolver
from yarl import URL

import syncer
from syncer.model.errors import SettingsError
from syncer.net import addresses, redact
from syncer.net.decode import ACCEPTED
from syncer.net.direct import Direct
from syncer.net.guard import Guard, host_of
from syncer.net.network import Network
from syncer.net.tls import late_context

#: Seconds that an idle connection, and the addresses of a name, are kept.
_KEEP_ALIVE, _DNS_TTL = 30.0, 30


def _head(accept: str, coding: str) -> Mapping[str, str]:
    return {"User-Agent": f"annotation-syncer/{syncer.__version__}", "Accept": accept, "Accept-Encoding": coding}


#: Content arrives as it is stored, so that a broken body can be resumed by range.
_CONTENT_HEAD = _head("*/*", "identity")


class Transport(msgspec.Struct, frozen=True):
    """The open sessions of one platform's client."""

    own: aiohttp.ClientSession
    content: aiohttp.ClientSession
    _proxies: "Proxies"
    #: Opens the shorter way to the origin of a URL.
    _open: Callable[[URL], Direct]
    _direct: dict[str, Direct] = msgspec.field(default_factory=dict)

    def proxy_for(self, url: URL) -> URL | None:
        """Return the proxy that leads to a URL's host, None for the direct way."""
        return self._proxies.choose(url)

    def direct(self, origin: str, url: URL) -> Direct:
        """Return the shorter way to an origin, for plain GETs of content that no proxy leads to."""
        found = self._direct.get(origin)
        if found is None:
            found = self._direct[origin] = self._open(url)
        return found

    async def close(self) -> None:
        """Close what was opened the shorter way."""
        for direct in self._direct.values():
            await direct.close()


class Proxies:
    """One configured proxy for everything, or what the environment says, without its exceptions (`NO_PROXY`)."""

    def __init__(self, network: Network) -> None:
        """Read the environment once; loopback hosts are reached directly unless a proxy is configured.

        Raises:
            SettingsError: a proxy's URL is no URL of an HTTP proxy.
        """
        self._fixed = _proxy(network.proxy.reveal(), "proxy") if network.proxy is not None else None
        environment = getproxies_environment() if self._fixed is None else {}
        self._urls = {
            scheme: _proxy(value, f"{scheme.upper()}_PROXY")
            for scheme, value in environment.items()
            if scheme in {"http", "https"}
        }
        self._direct = [entry.strip().lower() for entry in environment.get("no", "").split(",") if entry.strip()]

    @property
    def hosts(self) -> frozenset[str]:
        """The proxies' own hosts."""
        return frozenset(host_of(url) for url in (self._fixed, *self._urls.values()) if url is not None)

    def choose(self, url: URL) -> URL | None:
        """Return the proxy for a URL."""
        if self._fixed is not None:
            return self._fixed
        host = host_of(url)
        proxy = self._urls.get(url.scheme)
        if proxy is None or addresses.is_loopback(host):
            return None
        return None if any(_covers(entry, host, url.port) for entry in self._direct) else proxy


@asynccontextmanager
async def open_transport(network: Network, guard: Guard) -> AsyncIterator[Transport]:
    """Open both sessions, and close them and their connections at the end.

    Raises:
        SettingsError: a certificate, key, authority or proxy can't be used.
    """
    proxies = Proxies(network)
    guard.proxy_hosts = proxies.hosts
    own_tls = await anyio.to_thread.run_sync(functools.partial(_tls, network, client=True))
    # A client certificate is a credential: content hosts do not get to see it.
    # Without one, both are the same.
    content_tls = own_tls
    if network.client_cert is not None:
        content_tls = await anyio.to_thread.run_sync(functools.partial(_tls, network, client=False))
    async with (
        _session(own_tls, guard.allow_own, _head("application/json, */*;q=0.5", ACCEPTED)) as own,
        _session(content_tls, guard.allow_content, _CONTENT_HEAD) as content,
    ):
        resolver = addresses.GuardedResolver(ThreadedResolver(), guard.allow_content)

        def direct(url: URL) -> Direct:
            tls = content_tls if url.scheme == "https" else None
            return Direct(url, tls, resolver, _CONTENT_HEAD, connect_timeout=network.connect_timeout, keep=_KEEP_ALIVE)

        transport = Transport(own, content, proxies, direct)
        try:
            yield transport
        finally:
            await transport.close()


def _covers(entry: str, host: str, port: int | None) -> bool:
    """Tell whether an entry of `NO_PROXY` means a host: `*`, a domain, `host:port`, or a network (CIDR)."""
    if entry in {"*", f"{host}:{port}"}:
        return True
    address = addresses.parse(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False
    domain = entry.removeprefix("*").removeprefix(".")
    return host == domain or host.endswith(f".{domain}")


def _session(tls: ssl.SSLContext, allowed: addresses.Allowed, head: Mapping[str, str]) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        ssl=tls,
        resolver=addresses.GuardedResolver(ThreadedResolver(), allowed),
        ttl_dns_cache=_DNS_TTL,
        keepalive_timeout=_KEEP_ALIVE,
        # The slots of each origin are what bounds requests in flight.
        limit=0,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=head,
        auto_decompress=False,
        # Proxy variables are read once, above; the library would read them, and ~/.netrc, for every request.
        trust_env=False,
        max_field_size=64 * 1024,
    )


def _tls(network: Network, *, client: bool) -> ssl.SSLContext:
    context = late_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        if network.ca_file is not None:
            context.load_verify_locations(os.fspath(network.ca_file))
        if client and network.client_cert is not None:
            # Without a password OpenSSL would ask the terminal for one.
            context.load_cert_chain(network.client_cert, network.client_key, password=_no_password)
        if network.url.startswith("https:"):
            context.load()  # here, in a thread; where a plain platform links to https, with the first such connection
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{network.url}: ca_file, client_cert or client_key can't be used: {redact.redact_text(reason)}"
        raise SettingsError(
            message, hint="PEM files are needed, readable by this user, and the key without a password"
        ) from None
    return context


def _no_password() -> str:
    message = "the key is protected by a password"
    raise ValueError(message)


def _proxy(value: str, name: str) -> URL:
    try:
        url = URL(value if "://" in value else f"http://{value}")
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.raw_host:
        message = f"{name} is not the URL of an HTTP proxy"
        raise SettingsError(message, hint="http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT")
    if url.password:
        redact.remember(url.password)
    return url
