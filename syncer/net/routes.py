"""What is decided once for an origin and a class of requests: session, limits, proxy, sight of credentials."""

import re

import aiohttp
from msgspec.structs import replace
from yarl import URL

from syncer.model.events import Emit, Purpose
from syncer.net.direct import Direct
from syncer.net.guard import Guard, normalized, origin_of, parse_url, read_url
from syncer.net.limits import OriginLimits
from syncer.net.network import Network
from syncer.net.shared import SharedLimits
from syncer.net.transport import Transport
from syncer.ports import Clock, Quotas, Request, Share, whole

#: Path and query of a URL that nothing has to be done to: no fragment, nothing to encode, no empty query.
_PLAIN = re.compile(r"/[!-\"$->@-~]*(?:\?[!-\"$-~]+)?")
_QUERY = frozenset("?#")

#: Decisions remembered; more than a platform and its stores ever need.
_MOST = 1024


class Route:
    """The way to one origin for one class of requests."""

    __slots__ = ("direct", "limits", "origin", "own", "proxy", "purpose", "session")

    def __init__(
        self, origin: str, session: aiohttp.ClientSession, limits: OriginLimits, proxy: URL | None,
        direct: Direct | None, purpose: Purpose, *, own: bool,
    ) -> None:  # fmt: skip
        """Take what was decided."""
        self.origin = origin
        self.session = session
        self.limits = limits
        self.proxy = proxy
        #: The shorter way for plain GETs, where there is one.
        self.direct = direct
        self.purpose = purpose
        #: The origin may see the request's credential.
        self.own = own


class Routes:
    """All routes of one client. Requests to one origin share its limits, whatever their class."""

    def __init__(
        self, network: Network, guard: Guard, transport: Transport, clock: Clock, emit: Emit, share: Share = whole,
        quotas: Quotas | None = None,
    ) -> None:  # fmt: skip
        """Take the parts that decisions are made of."""
        self._share = share
        self._quotas = quotas
        self._network = network
        self._guard = guard
        self._transport = transport
        self._clock = clock
        self._emit = emit
        self._routes: dict[tuple[str, bool, frozenset[str] | None], tuple[Route, bool]] = {}
        self._limits: dict[str, OriginLimits] = {}
        self._trusted: dict[frozenset[str], frozenset[str]] = {}

    def find(self, text: str, request: Request) -> tuple[Route, str]:
        """Return the route for a URL, and its path and query as they are sent.

        Raises:
            Unsafe: it may not be opened.
        """
        # Everything up to the slash after the host decides; deciding once keeps it out of the hot path.
        end = text.find("/", 8)
        trusted = request.auth.origins if request.auth is not None else None
        key = (text if end < 0 else text[:end], request.content, trusted)
        found = self._routes.get(key)
        if found is not None:
            route, clean = found
            if clean and _PLAIN.fullmatch(text, end) is not None:
                # Already as it is sent: no need for a URL.
                return route, text[end:]
            return route, read_url(text).raw_path_qs
        url = parse_url(text)
        route = self._decide(url, trusted, content=request.content)
        if len(self._routes) >= _MOST:
            self._routes.clear()
        self._routes[key] = route, end > 0 and url.scheme in {"http", "https"} and not _QUERY & set(text[:end])
        return route, url.raw_path_qs

    def relimit(self, network: Network) -> None:
        """Take other limits, for origins that are known and those to come."""
        self._network = network
        for origin, limits in self._limits.items():
            limits.relimit(self._bounds(origin))

    def close(self) -> None:
        """Leave limits that are shared to others."""
        for limits in self._limits.values():
            limits.close()

    def _decide(self, url: URL, trusted: frozenset[str] | None, *, content: bool) -> Route:
        origin = origin_of(url)
        allowed = trusted is not None and origin in self._normalized(trusted)
        known = not content and (allowed or self._guard.is_own(origin))
        self._guard.check(url, own=known)
        limits = self._limits.get(origin)
        if limits is None:
            limits = self._limits[origin] = self._new_limits(origin)
        session = self._transport.own if known else self._transport.content
        proxy = self._transport.proxy_for(url)
        direct = self._transport.direct(origin, url) if content and proxy is None else None
        # What is asked of a platform without a credential is a credential.
        purpose: Purpose = "content" if content else "auth" if trusted is None else "api"
        return Route(origin, session, limits, proxy, direct, purpose, own=allowed and not content)

    def _new_limits(self, origin: str) -> OriginLimits:
        network, clock, emit, share = self._bounds(origin), self._clock, self._emit, self._share
        if self._quotas is None:
            return OriginLimits(origin, network, clock, emit, share)
        return SharedLimits(origin, network, clock, emit, self._quotas, share)

    def _bounds(self, origin: str) -> Network:
        """Return the limits that hold for an origin: a store that links point to may be asked more at once."""
        network = self._network
        if self._guard.is_own(origin):
            return network
        return replace(network, concurrency=network.store_concurrency)

    def _normalized(self, trusted: frozenset[str]) -> frozenset[str]:
        origins = self._trusted.get(trusted)
        if origins is None:
            origins = self._trusted[trusted] = normalized(trusted)
        return origins
