"""How much may happen at once, of what is configured: less while memory is short."""

from collections.abc import Callable

#: Returns a part, above 0 and at most 1. It may differ at each call, and nobody is told when it does: whoever bounds
#: something asks when it matters, always lets one through, and looks again when that one is done.
Share = Callable[[], float]


def whole() -> float:
    """Return the share of those who know of no shortage."""
    return 1.0
