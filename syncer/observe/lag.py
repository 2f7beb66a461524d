"""How late the event loop is: what everything else in the process waits for."""

from collections import deque
from collections.abc import Callable

from syncer.ports import Clock

#: Seconds between two measurements, and over which the worst is kept.
PERIOD, WINDOW = 0.1, 60.0


class LagMeter:
    """Measures by how much a short sleep takes too long."""

    def __init__(self, clock: Clock, window: float = WINDOW) -> None:
        """Measure nothing yet; `window`: for how many seconds measurements are kept."""
        self._clock = clock
        self._window = window
        self._samples: deque[tuple[float, float]] = deque()
        #: Seconds by which the loop was late at the last measurement.
        self.lag = 0.0
        #: Told of each measurement.
        self.heard: Callable[[float], None] = lambda _lag: None

    @property
    def worst(self) -> float:
        """The longest lag of the last minute (of the window)."""
        return max((lag for _, lag in self._samples), default=0.0)

    def quantile(self, share: float) -> float:
        """Return the lag that so large a share of the last minute's measurements did not exceed."""
        lags = sorted(lag for _, lag in self._samples)
        return lags[min(int(share * len(lags)), len(lags) - 1)] if lags else 0.0

    async def watch(self) -> None:
        """Measure again and again; run it in a task and cancel it."""
        while True:
            began = self._clock.monotonic()
            await self._clock.sleep(PERIOD)
            now = self._clock.monotonic()
            self.lag = max(0.0, now - began - PERIOD)
            self._samples.append((now, self.lag))
            self.heard(self.lag)
            while self._samples[0][0] < now - self._window:
                self._samples.popleft()
