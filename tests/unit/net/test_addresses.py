"""Which addresses may be connected to."""

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from syncer.model.errors import Unsafe
from syncer.net import addresses

NEVER = [
    "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "fe80::1", "fe80::1%eth0",
    "224.0.0.1", "ff02::1", "0.0.0.0", "::",  # noqa: S104  # refused, not bound to
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1",
    "::127.0.0.1", "2002:7f00:1::", "2001:0:7f00:1::", "255.255.255.255", "fec0::1",
]  # fmt: skip
PRIVATE = ["127.0.0.1", "127.8.9.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "::1", "fd12::1", "100.64.0.1"]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"]


class Answers(AbstractResolver):
    """A resolver that answers from a list, a new list each time."""

    def __init__(self, *answers: list[str]) -> None:
        """Take the answers in order."""
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the next list."""
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("literal", NEVER)
def test_rule_23_special_addresses_are_refused_always(literal: str) -> None:
    """Link-local, metadata, multicast, unspecified and hidden forms are not even used for the platform itself."""
    address = addresses.parse(literal)
    assert address is not None
    assert addresses.never(address)
    assert not addresses.public(address)


@pytest.mark.parametrize("literal", PRIVATE)
def test_rule_23_private_addresses_are_not_public(literal: str) -> None:
    """Private and loopback addresses may be a platform's, never a content link's."""
    address = ipaddress.ip_address(literal)
    assert not addresses.public(address)
    assert not addresses.never(address)


@pytest.mark.parametrize("literal", PUBLIC)
def test_public_addresses_are_public(literal: str) -> None:
    """Ordinary addresses pass."""
    assert addresses.public(ipaddress.ip_address(literal))


@pytest.mark.parametrize(("host", "expected"), [
    ("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("127.0.0.1", True), ("[::1]", True),
    ("localhost.example.com", False), ("10.0.0.1", False), ("example.com", False),
])  # fmt: skip
def test_loopback_names(host: str, expected: bool) -> None:
    """Loopback is told by name and by literal."""
    assert addresses.is_loopback(host) is expected


async def test_rule_23_the_resolver_returns_only_what_may_be_connected_to() -> None:
    """Of a name with good and bad addresses only the good ones are left for the connection."""
    resolver = addresses.GuardedResolver(
        Answers(["10.0.0.1", "8.8.8.8", "169.254.169.254"]), lambda _host, _port, address: addresses.public(address)
    )
    assert [answer["host"] for answer in await resolver.resolve("mixed.example", 443)] == ["8.8.8.8"]
    await resolver.close()


async def test_rule_23_a_name_that_changes_its_mind_is_checked_each_time() -> None:
    """DNS rebinding: a name that first had a public address and then a private one is refused the second time."""
    resolver = addresses.GuardedResolver(
        Answers(["8.8.8.8"], ["127.0.0.1"]), lambda _host, _port, address: addresses.public(address)
    )
    assert await resolver.resolve("rebind.example", 443)
    with pytest.raises(Unsafe, match=r"rebind\.example"):
        await resolver.resolve("rebind.example", 443)
