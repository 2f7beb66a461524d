"""Bounds how often a wrong secret may be shown, by the address that shows it."""

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address

from syncer.ports import Clock

#: Wrong secrets that an address may show within a window, in seconds.
ALLOWED, WINDOW = 10, 60.0
#: Addresses that are remembered; the one that failed longest ago is forgotten first.
ADDRESSES = 4096


class Attempts:
    """Counts failures. Those who show the right secret are never counted, but wait like others once refused."""

    def __init__(self, clock: Clock) -> None:
        """Begin with a clean sheet."""
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, remote: str | None) -> float:
        """Return the seconds that an address has to wait before it may try again; 0: it may."""
        failures = self._failed.get(_network(remote))
        if failures is None or len(failures) < ALLOWED:
            return 0.0
        return max(0.0, failures[0] + WINDOW - self._clock.monotonic())

    def failed(self, remote: str | None) -> None:
        """Count one failure."""
        name = _network(remote)
        self._failed.setdefault(name, deque(maxlen=ALLOWED)).append(self._clock.monotonic())
        self._failed.move_to_end(name)
        if len(self._failed) > ADDRESSES:
            self._failed.popitem(last=False)


def _network(remote: str | None) -> str:
    """Return what counts as one address: of IPv6 its /64, which one subscriber has as a whole."""
    try:
        address = ip_address(remote or "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> 64)
    return str(address)
