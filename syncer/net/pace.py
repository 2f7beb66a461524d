"""When the next request to an origin may start: slots by rate, pauses, and a rate that learns from refusals."""

from collections import deque

from syncer.model.events import Emit, Throttled
from syncer.net.network import MAX_PAUSE
from syncer.ports import Clock

#: Requests may start this much early, in seconds: timers are not exact, and a late one must not cost throughput.
SLACK = 0.02
#: Part of the observed success rate that a refused client goes on with.
BACK_OFF = 0.9
#: The learned rate grows by this factor each interval (seconds) without a refusal.
GROWTH, GROWTH_INTERVAL = 1.02, 10.0
#: The same for a rate that was guessed from a first burst, until the next refusal tells more.
SEEKING, SEEKING_INTERVAL = 1.25, 1.0
#: Requests may start this much closer together than their slots, in seconds, when they start late.
LATE = 0.05
#: Pause after a refusal that names none, in seconds; doubles while nothing succeeds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Observation window, and how long saturated work must last before its mean counts, in seconds.
WINDOW, LASTING = 60.0, 5.0
#: Slowest learned rate, requests per second.
SLOWEST = 0.1


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

    def saturated(self, now: float, entered: float, *, success: bool) -> None:
        """Count the time of an answer that came while the slots were in use; `entered`: it joined the queue."""
        self._busy += now - max(self._last, entered)
        self._last = now
        self._count += success
        if self._busy > WINDOW:
            self._busy /= 2
            self._count /= 2

    def rate(self, now: float) -> float:
        """Return successes per second."""
        recent = self.recent
        # The answer to whatever used the limit up may still be on its way: at least one was let in.
        burst = max(1.0, float(sum(1 for at in recent if at > now - 1.0)))
        if len(recent) == recent.maxlen and recent[0] > now - 1.0:
            burst = len(recent) / max(now - recent[0], SLACK)
        return min(burst, self._count / self._busy) if self._busy > LASTING else burst


class Pace:
    """The pace of one origin. Unlimited until it is configured or the server refuses for the first time."""

    def __init__(self, clock: Clock, emit: Emit, origin: str, most: float | None, platform: str = "") -> None:
        """Take the configured highest rate, if there is one."""
        self._clock = clock
        self._emit = emit
        self._origin = origin
        self._platform = platform
        self._most = most
        self._gcra: Gcra | None = None
        #: What really started: when the loop stood still, all whose slots went by meanwhile wake up at once.
        self._starts: Gcra | None = None
        #: No request ever has to wait here: no rate and no pause is known.
        self.free = most is None
        self._meter = Meter()
        #: Requests per second now; None: not limited.
        self.rate = most
        #: Nothing is sent before this time.
        self.resume_at = float("-inf")
        self._pauses = 0
        self._cut_at = float("-inf")
        self._grown_at = 0.0
        self._waited = False
        self._barren = 0
        #: The rate is a guess from below.
        self._seeking = False
        if most is not None:
            self._set(most)

    def relimit(self, most: float | None) -> None:
        """Take another configured highest rate; what the server taught stays."""
        before, self._most = self._most, most
        if most is not None and (self.rate is None or self.rate > most or self.rate == before):
            self._set(most)
        elif most is None and self.rate is not None and self.rate == before:
            # Nothing but the configuration held it.
            self.rate = self._gcra = self._starts = None
            self.free = self.resume_at <= self._clock.monotonic()

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
        if sent >= self._cut_at:
            self._barren = 0

    def refused(self, now: float, entered: float, sent: float, retry_after: float | None) -> None:
        """Note a 429: pause the origin, and put the rate under control; once for all that was in flight together."""
        self._meter.saturated(now, entered, success=False)
        fresh = sent >= self._cut_at
        if fresh:
            # With no success since the last refusal, the window is still closed; it need not be narrower.
            if self._barren == 0:
                self._cut(now)
            self._barren += 1
            self._cut_at = self._grown_at = now
        if retry_after is not None:
            self.pause(now, retry_after)
        elif fresh:
            self.pause(now, min(FIRST_PAUSE * 2 ** (self._barren - 1), LONGEST_PAUSE))

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

    def _cut(self, now: float) -> None:
        observed = BACK_OFF * self._meter.rate(now)
        began = self._meter.began
        # A burst at the very beginning is as large as what the server lets in at once, not as what it lets in a second.
        self._seeking = self.rate is None and (began is None or now - began < LASTING)
        self._set(max(observed if self.rate is None else min(observed, BACK_OFF * self.rate), SLOWEST))

    def _grow(self, now: float) -> None:
        # While nothing succeeds, nothing says that more would be let in.
        seeking = self._seeking and self._barren == 0
        growth, interval = (SEEKING, SEEKING_INTERVAL) if seeking else (GROWTH, GROWTH_INTERVAL)
        if now - self._grown_at < interval or self.rate is None:
            return
        # A rate that nobody waits for is not the limit; raising it unseen would make the next refusals costly.
        if self._waited and self.rate != self._most:
            self._set(self.rate * growth)
            if seeking:
                self._meter.forget()
        self._grown_at = now
        self._waited = False

    def _set(self, rate: float) -> None:
        self.rate = rate if self._most is None else min(rate, self._most)
        self.free = False
        if self._gcra is None or self._starts is None:
            self._gcra, self._starts = Gcra(self.rate), Gcra(self.rate, LATE)
        else:
            self._gcra.change(self.rate)
            self._starts.change(self.rate)


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
