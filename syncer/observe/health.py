"""Counters of traffic: requests, repeats, throttles, by run and in all."""

from typing import assert_never

from syncer.model import events
from syncer.model.report import Counts
from syncer.model.running import Running, running

_NOTHING = Counts()


class Tally:
    """An observer that counts traffic for reports."""

    def __init__(self) -> None:
        """Start at zero."""
        #: `requests`, `retries` and `throttled` are counted here; the other fields stay 0.
        self.counts = Counts()
        self._runs: dict[Running | None, Counts] = {}
        #: The run of the last request, and its counts: nearly always that of the next one too.
        self._last: tuple[Running | None, Counts] = (None, self.counts)

    def traffic(self) -> tuple[int, int, int]:
        """Return requests sent, attempts repeated, and times the platform asked to slow down.

        Inside of a run: for that run. Elsewhere: whatever belonged to none.
        """
        counts = self._runs.get(running(), _NOTHING)
        return counts.requests, counts.retries, counts.throttled

    def __call__(self, event: events.Event) -> None:
        """Count one event."""
        match event:
            case events.RequestEnded():
                self.counts.requests += 1
                self._own().requests += 1
            case events.ItemFetched():
                pass
            case events.Retrying():
                self.counts.retries += 1
                self._own().retries += 1
            case events.Throttled():
                self.counts.throttled += 1
                self._own().throttled += 1
            case events.RunEnded():
                self._runs.pop(running(), None)
                self._last = None, Counts()
            case (
                events.RunStarted()
                | events.UnitStarted()
                | events.UnitEnded()
                | events.PageListed()
                | events.PagePlanned()
                | events.Written()
                | events.Sealed()
                | events.Committed()
                | events.Staged()
                | events.PublishedLeg()
                | events.SegmentSent()
                | events.HeadMoved()
                | events.ErasureMoved()
                | events.ItemOwed()
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

    def _own(self) -> Counts:
        this = running()
        last, counts = self._last
        if this is None or this is not last:
            counts = self._runs.setdefault(this, Counts())
            self._last = this, counts
        return counts
