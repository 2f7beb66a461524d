"""Puts a text to a monitor of the user's own, such as a Pushgateway. Nothing on the way to a platform comes here.

Requests to platforms only read, so they have no body of this kind and no such method; this is the one exception, and
it shares with them what keeps connections and credentials safe: certificates, proxies, addresses, redaction.
"""

from collections.abc import Mapping

import aiohttp

from syncer.model.errors import Unavailable
from syncer.net.classify import NETWORK_ERRORS, Label, exception_failure
from syncer.net.decode import first_bytes
from syncer.net.guard import Guard, parse_url
from syncer.net.network import Network
from syncer.net.redact import redact_text
from syncer.net.transport import open_transport

_METHOD = "PUT"
_SUCCESS = range(200, 300)
_SERVER = range(500, 600)


async def put(network: Network, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Put a text, with as many attempts as the network allows; no redirect is followed.

    Raises:
        Unsafe: the URL may not be opened.
        HttpError: there was no good answer; the message has no credential in it.
    """
    guard = Guard(network)
    target = parse_url(url)
    guard.check(target, own=True)
    label = Label(_METHOD, url)
    async with open_transport(network, guard) as transport:
        failure = ""
        for _ in range(network.attempts):
            try:
                async with transport.own.request(
                    _METHOD, target, data=body, headers=headers, allow_redirects=False,
                    proxy=transport.proxy_for(target), timeout=aiohttp.ClientTimeout(total=network.timeout),
                ) as response:  # fmt: skip
                    if response.status in _SUCCESS:
                        return
                    words = (await first_bytes(response, network.read_timeout)).decode(errors="replace").strip()
                    failure = f"{label} answered {response.status}" + (f": {words[:300]}" if words else "")
                    if response.status not in _SERVER:
                        break
            except NETWORK_ERRORS as error:
                failure = str(exception_failure(label, error))
    raise Unavailable(redact_text(failure))
