"""Bytes per second for all that one store sends and receives."""

from anyio import current_time, sleep


class Bandwidth:
    """A line of a given width: whoever takes bytes waits until those before are through."""

    def __init__(self, rate: float | None) -> None:
        """Take the width in bytes a second; None: as wide as it is."""
        self._rate = rate
        self._free = 0.0

    async def take(self, size: int) -> None:
        """Wait for this many bytes' turn."""
        if self._rate is None or not size:
            return
        now = current_time()
        turn = max(now, self._free)
        self._free = turn + size / self._rate
        if turn > now:
            await sleep(turn - now)
