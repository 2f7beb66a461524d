"""The `Http` door on aiohttp."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio.to_thread

from syncer.model.entries import SpooledFile
from syncer.model.errors import BadBody
from syncer.model.events import Emit
from syncer.net.answer import Answer
from syncer.net.classify import Label, Retryable, http_date
from syncer.net.decode import read_body
from syncer.net.guard import Guard
from syncer.net.network import Network
from syncer.net.pace import Bandwidth
from syncer.net.parts import NoRanges, Parts
from syncer.net.policy import Policy
from syncer.net.reply import Reply
from syncer.net.resume import Download, GrowingBody
from syncer.net.transport import open_transport
from syncer.ports import Clock, Quotas, Request, Response, Share, Spool, whole


@asynccontextmanager
async def open_http(
    network: Network, clock: Clock, emit: Emit, spool: Spool, share: Share = whole, quotas: Quotas | None = None
) -> AsyncIterator["Client"]:
    """Open the way to one platform; its connections are closed when the block is left.

    `share` says which part of the limits may be used; with `quotas` they are shared with other processes.

    Raises:
        SettingsError: a certificate, key, authority or proxy can't be used.
        Unsafe: a configured URL is not one that may be opened.
    """
    guard = Guard(network)
    async with open_transport(network, guard) as transport:
        policy = Policy(network, guard, transport, clock, emit, share, quotas)
        try:
            yield Client(network, policy, clock, spool)
        finally:
            policy.close()


class Client:
    """See `ports.Http`."""

    def __init__(self, network: Network, policy: Policy, clock: Clock, spool: Spool) -> None:
        """Take the stack that every request goes through."""
        self._policy = policy
        self._clock = clock
        self._spool = spool
        self._take(network)

    def relimit(self, network: Network) -> None:
        """Take other limits of the same platform; requests under way go on by the old ones."""
        self._policy.relimit(network)
        self._take(network)

    def _take(self, network: Network) -> None:
        self._network = network
        self._bandwidth = Bandwidth(self._clock, network.bandwidth) if network.bandwidth is not None else None
        self._timeout = _timeout(network, network.timeout)
        self._content_timeout = _timeout(network, None)

    async def fetch(self, request: Request) -> Response:
        """Return the whole answer; raises the `HttpError` family."""
        timeout = self._timeout if request.timeout is None else _timeout(self._network, request.timeout)
        limit = self._network.max_body if request.max_bytes is None else request.max_bytes
        return await self._policy.run(request, _Whole(limit, timeout, self._network.read_timeout, self._bandwidth))

    async def download(self, request: Request, key: str) -> bytes | SpooledFile:
        """Return a body in memory, or spooled under `key` if it is large; raises the `HttpError` family."""
        network = self._network
        timeout = self._content_timeout if request.timeout is None else _timeout(network, request.timeout)
        limit = network.max_item if request.max_bytes is None else request.max_bytes
        async with GrowingBody(self._spool, key) as body:
            receiver = Download(
                body,
                limit,
                timeout,
                silence=network.read_timeout,
                patience=network.timeout,
                clock=self._clock,
                bandwidth=self._bandwidth,
                compressed=request.compressed,
            )
            while not await self._policy.run(request, receiver):
                pass
            return await body.finish()

    async def download_parts(
        self, request: Request, key: str, renew: Callable[[], Awaitable[str]],
        check: Callable[[Path], str | None] | None = None,
    ) -> bytes | SpooledFile:  # fmt: skip
        """Return a body fetched in parallel ranges, or in one piece where there are none; see the door."""
        network = self._network
        limit = network.max_item if request.max_bytes is None else request.max_bytes
        async with self._spool.keep(key) as file:
            parts = Parts(
                self._policy, file, request, renew, limit, self._content_timeout, network.read_timeout, self._bandwidth
            )  # fmt: skip
            try:
                return await parts.fetch(check)
            except NoRanges:
                await file.drop()
                await self._spool.discard(SpooledFile(file.path, 0, ""))
                body = await self.download(parts.request, key)
        path = body.path if isinstance(body, SpooledFile) else None
        reason = await anyio.to_thread.run_sync(check, path) if check is not None and path is not None else None
        if reason is not None:
            raise BadBody(reason)
        return body


class _Whole:
    """Receives an API answer in one piece; nothing of a broken one is kept."""

    __slots__ = ("_bandwidth", "_limit", "_silence", "size", "timeout")

    def __init__(self, limit: int, timeout: aiohttp.ClientTimeout, silence: float, bandwidth: Bandwidth | None) -> None:
        self.size = 0
        self.timeout = timeout
        self._limit = limit
        self._silence = silence
        self._bandwidth = bandwidth

    def headers(self) -> Mapping[str, str] | None:
        return None

    def whole(self, response: Reply) -> Response | None:  # noqa: ARG002  # its head is wanted, too
        return None

    async def receive(self, response: Answer, url: str, label: Label) -> Response:
        headers = response.headers
        body = await read_body(response, self._limit, label, silence=self._silence, bandwidth=self._bandwidth)
        self.size = len(body)
        date = headers.get("Date")
        return Response(response.status, headers, body, url, http_date(date) if date is not None else None)

    def failed(self, failure: Retryable) -> None:
        """Nothing is kept."""


def _timeout(network: Network, total: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, connect=network.connect_timeout, sock_read=network.read_timeout)
