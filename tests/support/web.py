"""A client of the net room for tests: fast retries on virtual time, events kept, in-memory spool."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from syncer.model.events import Event
from syncer.net.client import open_http
from syncer.net.network import Network
from syncer.ports import Clock, Http
from tests.support.clock import InstantClock
from tests.support.scratch import MemorySpool

E = TypeVar("E")


@dataclass
class Opened:
    """An open client with everything around it."""

    http: Http
    clock: InstantClock
    spool: MemorySpool
    events: list[Event] = field(default_factory=list)

    def heard(self, kind: type[E]) -> list[E]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def opened(
    network: Network, *, spool: MemorySpool | None = None, clock: Clock | None = None
) -> AsyncIterator[Opened]:
    """Open a client on an instant clock (or the given one)."""
    events: list[Event] = []
    instant = InstantClock()
    spool = spool or MemorySpool()
    async with open_http(network, clock or instant, events.append, spool) as http:
        yield Opened(http, instant, spool, events)


class Token:
    """An authenticator with a list of tokens: each renewal moves to the next."""

    def __init__(self, *origins: str, tokens: tuple[str, ...] = ("first-token",)) -> None:
        """Take the origins that may see the token."""
        self.origins = frozenset(origins)
        self.renewals = 0
        self._tokens = list(tokens)

    async def headers(self) -> Mapping[str, str]:
        """Return the present token."""
        return {"Authorization": f"Token {self._tokens[0]}"}

    async def renew(self, rejected: Mapping[str, str]) -> bool:
        """Move on, if there is a next one."""
        self.renewals += 1
        if rejected["Authorization"] != f"Token {self._tokens[0]}":
            return True
        if len(self._tokens) == 1:
            return False
        del self._tokens[0]
        return True
