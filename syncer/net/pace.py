"""When the next request to an origin may start: slots by rate, pauses, and a rate that learns from refusals."""

from collections import deque

from syncer.model.events import Emit, Throttled
from syncer.net.learned import LearnedRate
from syncer.net.network import MAX_PAUSE
from syncer.ports import Clock

#: Requests may start this much early, in seconds: timers are not exact, and a late one must not cost throughput.
SLACK = 0.02
#: Requests may start this much closer together than their slots, in seconds, when they start late.
LATE = 0.05
#: Observation window, and how long saturated work must last before its mean counts, in seconds.
WINDOW, LASTING = 60.0, 5.0


class Gcra:
    """Slot reservation by the generic cell rate algorithm: in any t seconds at most `rate * (t + slack) + 1` slots."""

    __slots__ = ("_interval", "_next", "_slack")

    def __init__(self, rate: float, slack: float = SLACK) -> None:
        """Take slots per second, and by how many seconds a slot may be used early."""
        self._interval = 1.0 / rate
        self._slack = slack
        self._next = float("-inf")

    def reserve(self, now: float) -> float:
        """Take the next slot; return how long to wait for it, 0 or less if it is due."""
        due = max(self._next, now - self._slack)
        self._next = due + self._interval
        return due - now

    def admits(self, now: float) -> bool:
        """Take a slot that is due, or due within the slack; tell whether there was one."""
        if self._next > now + self._slack:
            return False
        self._next = max(self._next, now) + self._interval
        return True

    def change(self, rate: float) -> None:
        """Space the slots from now on by another rate."""
        self._interval = 1.0 / rate

    def restart(self, at: float) -> None:
        """Forget the slots given so far; the next one is due at `at`."""
        self._next = at


class Meter:
    """The rate at which a server lately said yes.

    A fresh burst is judged by its last second; saturated work that lasts by its mean, pauses included, which is what
    tells a limit per minute from one per second. Time in which the client asked for little says nothing.
    """

    __slots__ = ("_busy", "_count", "_last", "began", "recent")

    def __init__(self) -> None:
        """Start empty."""
        #: When the last answers came.
        self.recent: deque[float] = deque(maxlen=2048)
        self._busy = 0.0
        self._count = 0.0
        self._last = float("-inf")
        #: When the first answer came.
        self.began: float | None = None

    def answered(self, now: float) -> None:
        """Note the time of an answer."""
        if self.began is None:
            self.began = now
        self.recent.append(now)

    def forget(self) -> None:
        """Begin a new mean: so far the client, not the server, held its requests back."""
        self._busy = self._count = 0.0

    def young(self, now: float) -> bool:
        """Tell whether there were no answers until a moment ago."""
        return self.began is None or now - self.began < LASTING

    def saturated(self, now: float, entered: float, *, success: bool) -> None:
        """Count the time of an answer that came while the slots were in use; `entered`: it joined the queue."""
        self._busy += now - max(self._last, entered)
        self._last = now
        self._count += success
        if self._busy > WINDOW:
            self._busy /= 2
            self._count /= 2

    def lately(self, now: float) -> float:
        """Return answers in the last second, at its end."""
        recent = self.recent
        if len(recent) == recent.maxlen and recent[0] > now - 1.0:
            return len(recent) / max(now - recent[0], SLACK)
        return float(sum(1 for at in recent if at > now - 1.0))

    def rate(self, now: float) -> float:
        """Return successes per second."""
        # The answer to whatever used the limit up may still be on its way: at least one was let in.
        burst = max(1.0, self.lately(now))
        return min(burst, self._count / self._busy) if self._busy > LASTING else burst


class Pace:
    """The pace of one origin. Unlimited until it is configured or the server refuses for the first time."""

    def __init__(self, clock: Clock, emit: Emit, origin: str, most: float | None, platform: str = "") -> None:
        """Take the configured highest rate, if there is one."""
        self._clock = clock
        self._emit = emit
        self._origin = origin
        self._platform = platform
        self._learned = LearnedRate(most, most)
        self._gcra: Gcra | None = None
        #: What really started: when the loop stood still, all whose slots went by meanwhile wake up at once.
        self._starts: Gcra | None = None
        #: No request ever has to wait here: no rate and no pause is known.
        self.free = most is None
        self._meter = Meter()
        #: Nothing is sent before this time.
        self.resume_at = float("-inf")
        self._pauses = 0
        self._waited = False
        self._follow()

    @property
    def rate(self) -> float | None:
        """Requests per second now; None: not limited."""
        return self._learned.rate

    def relimit(self, most: float | None) -> None:
        """Take another configured highest rate; what the server taught stays."""
        self._learned.relimit(most)
        self._follow()
        self.free = self.rate is None and self.resume_at <= self._clock.monotonic()

    async def turn(self) -> bool:
        """Wait until a request may start; tell whether it had to wait for the rate.

        A pause voids the slots that were given before it, so nobody starts on an old one.
        """
        paced = False
        while True:
            now = self._clock.monotonic()
            if self.resume_at > now:
                await self._clock.sleep(self.resume_at - now)
                continue
            if self._gcra is None or self._starts is None:
                return paced
            self._grow(now)
            wait = self._gcra.reserve(now)
            pauses = self._pauses
            if wait > 0:
                paced = self._waited = True
                await self._clock.sleep(wait)
            if pauses == self._pauses and self._starts.admits(self._clock.monotonic()):
                return paced

    def answered(self, now: float, entered: float, sent: float, *, saturated: bool) -> None:
        """Note an answer that was no refusal."""
        self._meter.answered(now)
        if saturated:
            self._meter.saturated(now, entered, success=True)
        self._learned.succeeded(sent)

    def refused(self, now: float, entered: float, sent: float, retry_after: float | None) -> None:
        """Note a 429: pause the origin, and put the rate under control; once for all that was in flight together."""
        meter = self._meter
        meter.saturated(now, entered, success=False)
        pause = self._learned.refused(now, sent, meter.rate(now), young=meter.young(now), retry_after=retry_after)
        self._follow()
        if pause is not None:
            self.pause(now, pause)

    def pause(self, now: float, seconds: float) -> None:
        """Start nothing for so long (at most 15 minutes), whoever asks."""
        seconds = min(seconds, MAX_PAUSE)
        # Answers to requests that were in flight together repeat the same wish a little later each.
        if now + seconds <= self.resume_at + 0.1 * seconds:
            return
        self.resume_at = now + seconds
        self._pauses += 1
        self.free = False
        for gcra in (self._gcra, self._starts):
            if gcra is not None:
                gcra.restart(self.resume_at)
        self._emit(Throttled(self._origin, seconds, self.rate, self._platform))

    def _grow(self, now: float) -> None:
        learned = self._learned
        if now - learned.grown_at < learned.interval or learned.rate is None:
            return
        if learned.grow(now, waited=self._waited):
            self._follow()
            if learned.sought:
                self._meter.forget()
        self._waited = False

    def _follow(self) -> None:
        """Space requests by the rate as it is now."""
        rate = self._learned.rate
        if rate is None:
            self._gcra = self._starts = None
            return
        self.free = False
        if self._gcra is None or self._starts is None:
            self._gcra, self._starts = Gcra(rate), Gcra(rate, LATE)
        else:
            self._gcra.change(rate)
            self._starts.change(rate)


class Bandwidth:
    """Bytes per second, shared by all bodies of one client."""

    __slots__ = ("_clock", "_next", "_rate")

    def __init__(self, clock: Clock, rate: float) -> None:
        """Take bytes per second."""
        self._clock = clock
        self._rate = rate
        self._next = float("-inf")

    async def spend(self, size: int) -> float:
        """Account for bytes that were read, wait as long as they should have taken, and return that wait."""
        now = self._clock.monotonic()
        self._next = max(self._next, now) + size / self._rate
        wait = self._next - now
        if wait < SLACK:
            return 0.0
        await self._clock.sleep(wait)
        return wait
