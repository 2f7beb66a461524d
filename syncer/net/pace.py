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
#: Who waits looks up after so many seconds, whether its slot is still its own.
GLANCE = 0.25
#: Observation window, and silence, while there was work, that tells a limit over a long time, in seconds.
WINDOW, LASTING = 60.0, 5.0
#: Least part of a second that is taken for a whole one, and how alike what two refusals let in is that agree.
LEAST, ALIKE = 0.6, 0.15
#: Shortest time that answers are counted in, in seconds: in less, one more or less decides.
SHORTEST = 0.2


class Gcra:
    """Slot reservation by the generic cell rate algorithm: in any t seconds at most `rate * (t + slack) + 1` slots."""

    __slots__ = ("_interval", "_slack", "next")

    def __init__(self, rate: float, slack: float = SLACK) -> None:
        """Take slots per second, and by how many seconds a slot may be used early."""
        self._interval = 1.0 / rate
        self._slack = slack
        #: When the next slot is due.
        self.next = float("-inf")

    def reserve(self, now: float) -> float:
        """Take the next slot; return how long to wait for it, 0 or less if it is due."""
        due = max(self.next, now - self._slack)
        self.next = due + self._interval
        return due - now

    def admits(self, now: float) -> bool:
        """Take a slot that is due, or due within the slack; tell whether there was one."""
        if self.next > now + self._slack:
            return False
        self.next = max(self.next, now) + self._interval
        return True

    def change(self, rate: float) -> None:
        """Space the slots from now on by another rate."""
        self._interval = 1.0 / rate

    def restart(self, at: float) -> None:
        """Forget the slots given so far; the next one is due at `at`."""
        self.next = at


class Meter:
    """The rate at which a server lately said yes.

    It is judged by the last second; by the mean, pauses included, where it was silent for long between two refusals,
    which is what tells a limit per minute from one per second. Time in which the client asked for little says nothing.
    """

    __slots__ = ("_burst", "_busy", "_count", "_last", "_silence", "_until", "recent")

    def __init__(self) -> None:
        """Start empty."""
        #: When the last answers came.
        self.recent: deque[float] = deque(maxlen=2048)
        #: Since the last refusal: time in use, answers in it, and its longest silence.
        self._busy = 0.0
        self._count = 0.0
        self._silence = 0.0
        self._last = float("-inf")
        #: What was let in in the last second before that refusal; answers until this time belong to it.
        self._burst = 0.0
        self._until = float("-inf")

    def answered(self, now: float) -> None:
        """Note the time of an answer."""
        self.recent.append(now)
        if now < self._until:
            self._burst += 1

    def refused(self, now: float, pause: float) -> None:
        """Begin a new mean after a refusal, with the pause that it brings."""
        self._busy = self._count = self._silence = 0.0
        self._burst, self._until = self.lately(now), now + pause

    def young(self) -> bool:
        """Tell whether the last refusal was a moment ago, or the first answer, where there was none."""
        return self._busy < LASTING

    def saturated(self, now: float, entered: float, *, success: bool) -> None:
        """Count the time of an answer that came while the slots were in use; `entered`: it joined the queue."""
        passed = now - max(self._last, entered)
        self._busy += passed
        self._silence = max(self._silence, passed)
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

    def rate(self, now: float, since: float) -> float:
        """Return successes per second; before `since` there could be none, because of a pause."""
        # The answer to whatever used the limit up may still be on its way: at least one was let in.
        rate = max(1.0, self.lately(now))
        if abs(rate - self._burst) > ALIKE * self._burst:
            # Not as many as the last time, so it is not a number a second that is used up.
            rate /= min(1.0, max(now - since, LEAST))
        rate = max(rate, self._steepest(now, since))
        return min(rate, self._count / self._busy) if self._silence > LASTING else rate

    def _steepest(self, now: float, since: float) -> float:
        """Return the least rate that explains the last second, of a server that keeps the first burst ready.

        While the rate is sought it grows, and the mean of the second is less than what was let in at its end.
        """
        steepest = count = 0.0
        if not self._burst:
            return steepest
        for at in reversed(self.recent):
            if at <= max(now - 1.0, since):
                break
            count += 1
            if now - at >= SHORTEST:
                steepest = max(steepest, (count - self._burst) / (now - at))
        return steepest


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
        #: How often the slots that were given have become void.
        self._voided = 0
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
            wait, voided = self._gcra.reserve(now), self._voided
            due = now + wait
            while wait > 0 and voided == self._voided:
                paced = self._waited = True
                await self._clock.sleep(min(wait, GLANCE))
                wait = due - self._clock.monotonic()
            if voided == self._voided and self._starts.admits(self._clock.monotonic()):
                return paced

    def answered(self, now: float, entered: float, sent: float, *, saturated: bool) -> None:
        """Note an answer that was no refusal."""
        self._meter.answered(now)
        if saturated:
            self._meter.saturated(now, entered, success=True)
        self._learned.succeeded(sent)

    def refused(self, now: float, entered: float, sent: float, retry_after: float | None) -> None:
        """Note a 429: pause the origin, and put the rate under control; once for all that was in flight together."""
        meter, learned = self._meter, self._learned
        meter.saturated(now, entered, success=False)
        fresh = sent > learned.cut_at
        served = meter.rate(now, self.resume_at + now - sent)
        pause = learned.refused(now, sent, served, young=meter.young(), retry_after=retry_after)
        self._follow()
        if fresh:
            meter.refused(now, pause or 0.0)
        if pause is not None:
            self.pause(now, pause)

    def pause(self, now: float, seconds: float) -> None:
        """Start nothing for so long (at most 15 minutes), whoever asks."""
        seconds = min(seconds, MAX_PAUSE)
        # Answers to requests that were in flight together repeat the same wish a little later each.
        if now + seconds <= self.resume_at + 0.1 * seconds:
            return
        self.resume_at = now + seconds
        self._voided += 1
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
            if learned.sought and self._gcra is not None and self._starts is not None:
                # Who waits on a slot of the old rate would be late: a search would overshoot by as much.
                self._voided += 1
                self._gcra.restart(self._starts.next)
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
