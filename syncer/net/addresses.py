"""Which IP addresses may be connected to, decided on the address that the connection will use."""

import ipaddress
import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

from syncer.model.errors import Unsafe

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Decides on (host name, port, address).
Allowed = Callable[[str, int, Address], bool]

#: Never a platform and never content, whoever asks: link-local, instance metadata, multicast, unspecified,
#: and forms that hide one address inside another (RFC 4291 §2.5.5, RFC 6052, RFC 8215, RFC 3056, RFC 4380).
_NEVER = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "100.100.100.200/32",  # Alibaba Cloud metadata
        "168.63.129.16/32",  # Azure platform resources
        "192.0.0.192/32",  # Oracle Cloud metadata
        "fd00:ec2::254/128",  # EC2 metadata
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
    )
)
#: `::` and the IPv4-compatible form; `::1` lies in it and is loopback.
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def parse(host: str) -> Address | None:
    """Return the address that a URL's host is, None if it is a name. Brackets and zones are taken off."""
    text = host.strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def never(address: Address) -> bool:
    """Tell whether an address is refused always, also for hosts that the configuration names."""
    if isinstance(address, ipaddress.IPv6Address) and address in _COMPATIBLE:
        return not address.is_loopback
    return any(address in block for block in _NEVER)


def public(address: Address) -> bool:
    """Tell whether an address lies in the public internet."""
    return address.is_global and not address.is_multicast and not never(address)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or literal means this machine (RFC 6761 §6.3 for `localhost`)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = parse(name)
    return address is not None and address.is_loopback


class GuardedResolver(AbstractResolver):
    """A resolver whose answers are the addresses that get connected to, less those that must not be.

    What it returns is what is used: a second look-up never happens, so a name can't change its mind in between.
    """

    def __init__(self, inner: AbstractResolver, allowed: Allowed) -> None:
        """Wrap a resolver."""
        self._inner = inner
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the allowed addresses of a name.

        Raises:
            Unsafe: it has addresses, and none of them is allowed.
        """
        found = await self._inner.resolve(host, port, family)
        kept = [answer for answer in found if self._fine(host, port, answer["host"])]
        if found and not kept:
            raise refused(host)
        return kept

    async def close(self) -> None:
        """Close the wrapped resolver."""
        await self._inner.close()

    def _fine(self, host: str, port: int, literal: str) -> bool:
        address = parse(literal)
        return address is not None and self._allowed(host.rstrip(".").lower(), port, address)


def refused(host: str) -> Unsafe:
    """Return the error for a host whose address may not be used."""
    return Unsafe(
        f"{host} is an address that is never opened, or a private one that the platform's data may not point to",
        hint=f"if {host} is meant, add it to content_hosts; link-local and metadata addresses stay closed",
    )
