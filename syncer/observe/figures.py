"""The running figures of one run, as its events tell them: what progress shows, and where a run stands still."""

from collections import deque
from typing import assert_never

import msgspec

from syncer.model import events
from syncer.model.refs import PartitionKey

#: Seconds over which the rate is taken: long enough to be calm, short enough to follow a throttle.
WINDOW = 20.0


class Figures(msgspec.Struct):
    """Counts of one run so far. Every read and every update takes constant time."""

    job: str = ""
    listed: int = 0
    #: Written and committed, with their bytes.
    stored: int = 0
    size: int = 0
    unchanged: int = 0
    owed: int = 0
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    #: Requests now allowed in flight, by origin.
    limits: dict[str, int] = msgspec.field(default_factory=dict)
    draining: str = ""
    ended: bool = False
    #: What moved last: "listing", "fetching", …
    stage: str = "beginning"
    #: Units begun, and units of the run as far as it says so.
    units_begun: int = 0
    units: int = 0
    _pages: int = 0
    _planned: int = 0
    _wanted: int = 0
    _fetched: int = 0
    _gone: int = 0
    _listed_out: int = 0
    _partitions: int = 0
    _totals: dict[PartitionKey, int] = msgspec.field(default_factory=dict)
    _total: int = 0
    _unknown: bool = False

    @property
    def settled(self) -> int:
        """Listed items that nothing remains to be done about."""
        return self.stored + self.unchanged + self.owed

    @property
    def total(self) -> int | None:
        """Items of the whole run; None until every partition of every unit said how many it has."""
        all_known = not self._unknown and 0 < self._partitions <= len(self._totals) and self.units_begun >= self.units
        return max(self._total, self.listed) if all_known else None

    @property
    def stuck(self) -> str:
        """Name what has to move next: of several stages that could, the one that the others wait for."""
        if self._fetched > self.stored:
            return "writing"
        if self.stage in {"publishing", "manifest"}:
            return self.stage
        if self._wanted > self._fetched + self.owed + self._gone:
            return "fetching"
        if self._pages > self._planned:
            return "comparing"
        if self.units_begun and self._listed_out >= self._partitions:
            return "publishing"
        return "listing" if self.units_begun else "beginning"

    def update(self, event: events.Event) -> None:  # noqa: C901, PLR0912, PLR0915  # one case an event, each a line
        """Follow one event."""
        match event:
            case events.RequestEnded():
                self.requests += 1
            case events.ItemFetched():
                self.fetched()
            case events.Written():
                self.stage = "writing"
            case events.Sealed():
                self.stage = "committing"
            case events.PageListed(partition, refs, total, last):
                self.listed += refs
                self._pages += 1
                self._listed_out += last
                self._announce(partition, total)
                self.stage = "listing"
            case events.PagePlanned(wanted=wanted, unchanged=unchanged):
                self._planned += 1
                self._wanted += wanted
                self.unchanged += unchanged
                self.stage = "comparing"
            case events.Committed(items=items, size=size, gone=gone):
                self.stored += items
                self.size += size
                self._gone += gone
                self.stage = "committing"
            case events.Staged() | events.PublishedLeg():
                self.stage = "publishing"
            case events.SegmentSent() | events.HeadMoved() | events.ErasureMoved():
                self.stage = "manifest"
            case events.ItemOwed():
                self.owed += 1
            case events.Retrying():
                self.retries += 1
            case events.Throttled():
                self.throttled += 1
            case events.LimitChanged(origin, limit):
                self.limits[origin] = limit
            case events.RunStarted(job=job):
                self.job = job
            case events.UnitStarted(partitions=partitions, of=units):
                self.units_begun += 1
                self.units = units
                self._partitions += partitions
            case events.Draining(reason):
                self.draining = reason
            case events.RunEnded():
                self.ended = True
            case (
                events.UnitEnded()
                | events.LegDetached()
                | events.LegReset()
                | events.DeletesHeld()
                | events.PartitionFrozen()
                | events.Warned()
            ):
                pass
            case _:
                assert_never(event)

    def fetched(self) -> None:
        """Follow one document that came."""
        self._fetched += 1
        self.stage = "fetching"

    def _announce(self, partition: PartitionKey, total: int | None) -> None:
        if total is None:
            self._unknown = self._unknown or partition not in self._totals
            return
        self._total += total - self._totals.get(partition, 0)
        self._totals[partition] = total


class Speed(msgspec.Struct):
    """Items and bytes a second over the last `WINDOW` seconds."""

    _samples: deque[tuple[float, int, int]] = msgspec.field(default_factory=deque)

    def sample(self, now: float, items: int, size: int) -> None:
        """Note how far the run is at a time (seconds that never run backwards)."""
        self._samples.append((now, items, size))
        while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW:  # noqa: PLR2004  # two make a rate
            self._samples.popleft()

    def due(self, now: float, apart: float) -> bool:
        """Tell whether the last sample is so long ago; samples much closer together push older ones out for nothing."""
        return not self._samples or now - self._samples[-1][0] >= apart

    @property
    def items(self) -> float:
        """Items a second; 0 until there are two samples."""
        return self._rate(1)

    @property
    def size(self) -> float:
        """Bytes a second; 0 until there are two samples."""
        return self._rate(2)

    def _rate(self, column: int) -> float:
        if len(self._samples) < 2:  # noqa: PLR2004  # two make a rate
            return 0.0
        first, last = self._samples[0], self._samples[-1]
        elapsed = last[0] - first[0]
        return (last[column] - first[column]) / elapsed if elapsed > 0 else 0.0
