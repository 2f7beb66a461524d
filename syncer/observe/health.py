"""Counters of one run: requests, repeats, throttles, and when something last moved forward."""

from typing import assert_never

from syncer.model import events
from syncer.model.report import Counts
from syncer.ports import Clock


class Tally:
    """An observer that counts traffic for the report, and knows when the run last made progress."""

    def __init__(self, clock: Clock) -> None:
        """Start at zero."""
        self._clock = clock
        self._last = clock.monotonic()
        #: `requests`, `retries` and `throttled` are counted here; the other fields stay 0.
        self.counts = Counts()

    def idle(self) -> float:
        """Return the seconds since something was listed, fetched, written, committed or published."""
        return self._clock.monotonic() - self._last

    def traffic(self) -> tuple[int, int, int]:
        """Return requests sent, attempts repeated, and times the platform asked to slow down."""
        return self.counts.requests, self.counts.retries, self.counts.throttled

    def __call__(self, event: events.Event) -> None:
        """Count one event."""
        match event:
            case events.RequestEnded():
                self.counts.requests += 1
            case events.Retrying():
                self.counts.retries += 1
            case events.Throttled():
                self.counts.throttled += 1
            case (
                events.RunStarted()
                | events.UnitStarted()
                | events.UnitEnded()
                | events.PageListed()
                | events.PagePlanned()
                | events.ItemFetched()
                | events.Written()
                | events.Sealed()
                | events.Committed()
                | events.Staged()
                | events.PublishedLeg()
                | events.SegmentSent()
                | events.HeadMoved()
                | events.RunEnded()
            ):
                self._last = self._clock.monotonic()
            case (
                events.ItemOwed()
                | events.LimitChanged()
                | events.LegDetached()
                | events.LegReset()
                | events.DeletesHeld()
                | events.PartitionFrozen()
                | events.Draining()
                | events.Warned()
            ):
                pass
            case _:
                assert_never(event)
