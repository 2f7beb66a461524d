"""The limits of an origin that other processes ask as well: a `ports.Partner`, and a pace that leases its slots.

What holds for everybody lies with the quota: the rate, what refusals teach about it, pauses, and how the requests in
flight are divided. How many of its part a process uses still follows the answers that it gets itself.
"""

import asyncio
import random

from syncer.model.events import Emit, Throttled
from syncer.net.learned import FIRST_PAUSE
from syncer.net.limits import OriginLimits
from syncer.net.network import MAX_PAUSE, Network
from syncer.net.pace import LATE, Gcra, Meter
from syncer.ports import Account, Clock, Quota, Quotas, Refusal, Share, Standing, Terms, whole

#: A slot that nobody used for so many seconds is given up: many of them together would be a burst.
STALE = 0.25
#: Slots that are asked for at once, at most; one lease is seldom as many.
MOST = 256
#: After a pause without a known rate, processes begin within this part of it, and at most so many seconds.
JITTER, MOST_JITTER = 0.1, 2.0
#: Ends of one pause, told by way of others, may differ by so many seconds.
NEAR = 0.1
#: Tokens that are asked for beyond what is in use, so that growth does not wait for an answer each time.
ROOM = 4
#: Looks in a row that found nothing in flight, after which tokens go back.
IDLE_LOOKS = 3


class SharedLimits(OriginLimits):
    """The limits of one process; as many slots as the quota leaves to it, none before the first terms."""

    def __init__(
        self, origin: str, network: Network, clock: Clock, emit: Emit, quotas: Quotas, share: Share = whole
    ) -> None:
        """Join."""
        self._shared = SharedPace(clock, emit, origin, network.platform)
        super().__init__(origin, network, clock, emit, share, self._shared, 0)
        self._most = network.concurrency
        self._looks = 0
        self._asked = False
        account = Account(network.account, origin, network.requests_per_second, network.concurrency)
        self._quota = self._shared.quota = quotas.join(account, self)

    def relimit(self, network: Network) -> None:
        """Take other bounds of the configuration, for everybody."""
        self._most = network.concurrency
        self._quota.relimit(network.requests_per_second, network.concurrency)

    def close(self) -> None:
        """Leave everything to the others."""
        self._quota.leave()

    def standing(self) -> Standing:
        """See `ports.Partner`."""
        slots = self.slots
        self._looks = 0 if slots.used or slots.awaited else self._looks + 1
        wanted = min(self._most, int(self._exact) + ROOM) if self._looks < IDLE_LOOKS else 0
        return Standing(self._shared.served(), wanted, slots.used)

    def heard(self, terms: Terms) -> None:
        """See `ports.Partner`."""
        self._shared.heard(terms.rate, terms.pause)
        self._ceiling, self._asked = terms.tokens, False
        # Without any, what was learned is kept for later.
        self._resize(min(self._exact, float(terms.tokens)) if terms.tokens else self._exact)

    def _capped(self) -> None:
        # Once, until there is an answer.
        if not self._asked and self._ceiling < self._most:
            self._asked, self._looks = True, 0
            self._quota.want()


class SharedPace:
    """Like `pace.Pace`; the rate, and what refusals teach, lie with the quota.

    Nothing starts before the first terms are heard.
    """

    def __init__(self, clock: Clock, emit: Emit, origin: str, platform: str = "") -> None:
        """Begin without terms."""
        self._clock = clock
        self._emit = emit
        self._origin = origin
        self._platform = platform
        self._meter = Meter()
        #: Set by whoever joins the quota on behalf of this pace.
        self.quota: Quota
        #: No request ever has to wait here: no rate and no pause is known.
        self.free = False
        #: Requests per second of all processes together; None: not limited.
        self.rate: float | None = None
        #: Nothing is sent before this time.
        self.resume_at = float("-inf")
        self._pauses = 0
        self._known = False
        #: What really started here: those whose slots went by while the loop stood still wake up at once.
        self._starts: Gcra | None = None
        #: The leased slots that are left: when the next one is due, how many, how far apart.
        self._next, self._left, self._interval = 0.0, 0, 0.0
        self._lot = 1
        self._lease = asyncio.Lock()
        self._waiting = 0
        self._cut_at = float("-inf")
        self._succeeded = False

    def relimit(self, most: float | None) -> None:
        """Take another configured highest rate: the quota's business, who tells everybody."""

    def served(self) -> float:
        """Return answers a second, lately."""
        return self._meter.lately(self._clock.monotonic())

    async def turn(self) -> bool:
        """Wait until a request may start; tell whether it had to wait for the rate."""
        paced = False
        while True:
            now = self._clock.monotonic()
            if self.resume_at > now:
                await self._clock.sleep(self.resume_at - now)
                continue
            if self._known and self.rate is None:
                return paced
            pauses = self._pauses
            due = await self._slot()
            if due is None:
                continue
            wait = due - self._clock.monotonic()
            if wait > 0:
                paced = True
                await self._clock.sleep(wait)
            now = self._clock.monotonic()
            if pauses == self._pauses and (self._starts is None or self._starts.admits(now)):
                return paced

    def answered(self, now: float, entered: float, sent: float, *, saturated: bool) -> None:
        """Note an answer that was no refusal."""
        self._meter.answered(now)
        if saturated:
            self._meter.saturated(now, entered, success=True)
        if sent > self._cut_at:
            self._succeeded = True

    def refused(self, now: float, entered: float, sent: float, retry_after: float | None) -> None:
        """Note a 429: pause here at once, and let everybody know."""
        meter = self._meter
        meter.saturated(now, entered, success=False)
        fresh = sent > self._cut_at
        if not fresh and (retry_after is None or self._knows(now, min(retry_after, MAX_PAUSE))):
            return
        wish = None if retry_after is None else min(retry_after, MAX_PAUSE)
        refusal = Refusal(now - sent, meter.rate(now, self.resume_at + now - sent), meter.young(), wish)
        pause = FIRST_PAUSE if wish is None else wish
        if fresh:
            meter.refused(now, pause)
        self._cut_at = now
        self._succeeded = False
        self._pause(now, pause)
        self.quota.refused(refusal)

    def pause(self, now: float, seconds: float) -> None:
        """Start nothing for so long (at most 15 minutes), wherever."""
        seconds = min(seconds, MAX_PAUSE)
        if not self._knows(now, seconds):
            self._pause(now, seconds)
            self.quota.pause(seconds)

    def heard(self, rate: float | None, pause: float) -> None:
        """Take what holds for everybody."""
        now = self._clock.monotonic()
        self._set(rate)
        if pause > 0 and now + pause > self.resume_at + max(0.1 * pause, NEAR):
            # What was in flight meanwhile says nothing about the time after it.
            self._cut_at, self._succeeded = now, False
            # Slots space the beginning after it; where there are none, processes must not all begin at once.
            spread = random.uniform(0, min(JITTER * pause, MOST_JITTER)) if rate is None else 0.0  # noqa: S311  # spreads load
            self._pause(now, pause + spread)

    async def _slot(self) -> float | None:
        """Take the next leased slot; return when it is due, None where a pause or other terms came in between."""
        self._waiting += 1
        try:
            async with self._lease:
                if not self._fresh():
                    pauses, succeeded, self._succeeded = self._pauses, self._succeeded, False
                    grant = await self.quota.slots(max(self._waiting, self._lot), succeeded=succeeded)
                    self._set(1 / grant.interval if grant.interval else None)
                    if pauses != self._pauses or self.rate is None:
                        return None
                    now = self._clock.monotonic()
                    self._next, self._left, self._interval = now + grant.wait, grant.count, grant.interval
                    # As long as none of them is left over, the next lot may be larger.
                    self._lot = min(2 * grant.count, MOST)
                due = self._next
                self._left -= 1
                self._next += self._interval
                return due
        finally:
            self._waiting -= 1

    def _fresh(self) -> bool:
        """Tell whether a slot is left, after giving up those that are too old."""
        oldest = self._clock.monotonic() - STALE
        while self._left and self._next < oldest:
            self._left -= 1
            self._next += self._interval
            self._lot = max(1, self._lot // 2)
        return self._left > 0

    def _knows(self, now: float, seconds: float) -> bool:
        # Answers to requests that were in flight together repeat the same wish a little later each.
        return now + seconds <= self.resume_at + 0.1 * seconds

    def _pause(self, now: float, seconds: float) -> None:
        self.resume_at = now + seconds
        self._pauses += 1
        self._left = 0
        self.free = False
        if self._starts is not None:
            self._starts.restart(self.resume_at)
        self._emit(Throttled(self._origin, seconds, self.rate, self._platform))

    def _set(self, rate: float | None) -> None:
        self._known = True
        self.rate = rate
        self.free = rate is None and self.resume_at <= self._clock.monotonic()
        if rate is None:
            self._starts = None
        elif self._starts is None:
            self._starts = Gcra(rate, LATE)
        else:
            self._starts.change(rate)
