"""Traffic by platform."""

from syncer.model.events import LimitChanged, RequestEnded, Retrying, Throttled, Warned
from syncer.observe.accounts import Accounts


def test_traffic_is_counted_by_platform() -> None:
    """Accounts that share an origin are kept apart; limits and rates are the newest of each origin."""
    accounts = Accounts()
    for event in (
        RequestEnded("https://h", "GET", 200, 0.1, 10, "one"),
        RequestEnded("https://h", "GET", 200, 0.1, 10, "two"),
        RequestEnded("https://h", "GET", 429, 0.1, 10, "one"),
        Retrying("https://h", 1, 0.5, "429", "one"),
        Throttled("https://h", 1.0, None, "one"),
        Throttled("https://h", 1.0, 27.5, "one"),
        LimitChanged("https://h", 4, "one"),
        LimitChanged("https://h", 3, "one"),
        Warned("x"),
    ):
        accounts(event)
    one, two = accounts.of("one"), accounts.of("two")
    assert (one.requests, one.retries, one.throttled) == (2, 1, 2)
    assert (one.limits, one.rates) == ({"https://h": 3}, {"https://h": 27.5})
    assert (two.requests, two.limits, two.rates) == (1, {}, {})


def test_origins_are_bounded() -> None:
    """Content from ever new hosts does not grow what is remembered; those heard of last stay."""
    accounts = Accounts()
    for number in range(100):
        accounts(LimitChanged(f"https://store-{number}", number, "one"))
    limits = accounts.of("one").limits
    assert len(limits) == 20
    assert limits["https://store-99"] == 99
