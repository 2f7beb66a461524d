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
                for counts in self._both():
                    counts.requests += 1
            case events.Retrying():
                for counts in self._both():
                    counts.retries += 1
            case events.Throttled():
                for counts in self._both():
                    counts.throttled += 1
            case events.RunEnded():
                self._runs.pop(running(), None)
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

    def _both(self) -> tuple[Counts, Counts]:
        this = running()
        counts = self._runs.get(this)
        if counts is None:
            counts = self._runs[this] = Counts()
        return self.counts, counts
