"""What platform accounts are asked and what they allow, since the process began: for whoever looks at it."""

import msgspec

from syncer.model import events

#: Origins remembered of one account; content may come from many.
_MOST = 20


class Account(msgspec.Struct):
    """One platform of the configuration."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    #: Requests now allowed in flight, and a second where a rate is set, by origin.
    limits: dict[str, int] = msgspec.field(default_factory=dict)
    rates: dict[str, float] = msgspec.field(default_factory=dict)


class Accounts:
    """An observer that counts traffic by platform."""

    def __init__(self) -> None:
        """Know of no platform."""
        self._accounts: dict[str, Account] = {}

    def __call__(self, event: events.Event) -> None:
        """Count one event."""
        match event:
            case events.RequestEnded():
                self.of(event.platform).requests += 1
            case events.Retrying():
                self.of(event.platform).retries += 1
            case events.Throttled():
                account = self.of(event.platform)
                account.throttled += 1
                if event.rate is not None:
                    _note(account.rates, event.origin, event.rate)
            case events.LimitChanged():
                _note(self.of(event.platform).limits, event.origin, event.limit)
            case _:
                pass

    def of(self, platform: str) -> Account:
        """Return what is known of a platform."""
        found = self._accounts.get(platform)
        if found is None:
            found = self._accounts[platform] = Account()
        return found


def _note(known: "dict[str, int] | dict[str, float]", origin: str, value: float) -> None:
    known.pop(origin, None)
    known[origin] = value  # type: ignore[assignment]  # an int stays one
    while len(known) > _MOST:
        del known[next(iter(known))]
