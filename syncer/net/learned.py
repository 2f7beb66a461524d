"""What refusals teach about a rate. Pure: whoever keeps a pace, alone or for a whole fleet, hands the times in."""

import msgspec

from syncer.net.network import MAX_PAUSE

#: Part of what a server let in before its first refusal that the client goes on with.
BACK_OFF = 0.9
#: A rate that was guessed grows by this factor each interval (seconds), until the next refusal tells more.
SEEKING, SEEKING_INTERVAL = 1.2, 0.25
#: Part of what is let in that a rate becomes which was found so, or held for long; and those that held for less (s).
NEAR, CUTS = 0.98, ((5.0, 0.9), (20.0, 0.95))
#: Less than this part of the rate says that the limit is another now: it is sought.
DEEP = 0.7
#: Less than this part of a rate that is sought says nothing about the limit, unless it is few requests a second anyway.
BESIDE, FEW = 0.4, 10.0
#: A rate that is known grows by `GROWTH` in the first `CALM` seconds without a refusal, with their cube, a step each
#: interval (seconds), and never by more than `GROWTH` in a step.
GROWTH, CALM, GROWTH_INTERVAL = 0.02, 80.0, 5.0
#: Steps that are made up for, where slots are further apart than these.
MOST_STEPS = 6.0
#: Pause after a refusal that names none, in seconds; doubles while nothing succeeds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Slowest learned rate, requests per second.
SLOWEST = 0.1


class LearnedRate(msgspec.Struct):
    """Not limited until it is configured or the server refuses for the first time."""

    #: The configured highest rate, if there is one.
    most: float | None
    #: Requests per second now; None: not limited.
    rate: float | None
    #: When it was last refused, and when it last grew or could have.
    cut_at: float = float("-inf")
    grown_at: float = 0.0
    #: Refusals since the last success.
    barren: int = 0
    #: The rate is a guess from below.
    seeking: bool = False

    def refused(
        self, now: float, sent: float, served: float, *, young: bool, retry_after: float | None
    ) -> float | None:
        """Take a 429; return how many seconds to pause. Once for all requests that were in flight together.

        `served`: answers a second until then; `young`: they only just began.
        """
        fresh = sent > self.cut_at
        if fresh:
            # With no success since the last refusal, the window is still closed; it need not be narrower.
            if self.barren == 0:
                self._cut(served, now - self.cut_at, young=young)
            self.barren += 1
            self.cut_at = self.grown_at = now
        pause = retry_after
        if pause is None and fresh:
            pause = min(FIRST_PAUSE * 2.0 ** min(self.barren - 1, 30), LONGEST_PAUSE)
        if fresh and pause is not None:
            # Nothing is learned during it.
            self.grown_at += min(pause, MAX_PAUSE)
        return pause

    def succeeded(self, sent: float) -> None:
        """Note an answer to a request that was sent then."""
        if sent > self.cut_at:
            self.barren = 0
        elif self.seeking and self.rate is not None:
            # It was on its way when the guess was made of those that had come.
            self.set(self.rate + BACK_OFF)

    @property
    def sought(self) -> bool:
        """Tell whether the rate is on its way up from a guess: while nothing succeeds, more would not be let in."""
        return self.seeking and self.barren == 0

    @property
    def interval(self) -> float:
        """Seconds without a refusal after which the rate may grow."""
        return SEEKING_INTERVAL if self.sought else GROWTH_INTERVAL

    def grow(self, now: float, *, waited: bool) -> bool:
        """Once the interval is over, raise a rate that somebody waited for; tell whether it was.

        A rate that nobody waits for is not the limit; raising it unseen would make the next refusals costly.
        """
        steps = min((now - self.grown_at) / self.interval, MOST_STEPS)
        self.grown_at = now
        if not waited or self.rate is None or self.rate == self.most:
            return False
        self.set(self.rate * (SEEKING if self.sought else 1 + self._growth(now)) ** steps)
        return True

    def relimit(self, most: float | None) -> None:
        """Take another configured highest rate; what the server taught stays."""
        before, self.most = self.most, most
        if most is not None and (self.rate is None or self.rate > most or self.rate == before):
            self.rate = most
        elif most is None and self.rate == before:
            # Nothing but the configuration held it.
            self.rate = None

    def set(self, rate: float) -> None:
        """Go on at this rate, or at the highest that is allowed."""
        self.rate = rate if self.most is None else min(rate, self.most)

    def _growth(self, now: float) -> float:
        """Return by which part a known rate grows in a step: the derivative of the cube."""
        return min(GROWTH, GROWTH * 3 * GROWTH_INTERVAL / CALM * ((now - self.cut_at) / CALM) ** 2)

    def _cut(self, served: float, held: float, *, young: bool) -> None:
        sought, self.seeking = self.seeking, False
        if self.rate is None:
            # A burst at the very beginning is as large as what is let in at once, not as what is let in a second.
            self.seeking, part = young, BACK_OFF
        elif sought:
            # Far less than was meant to be sent: the client stood still, and then sent all at once.
            self.seeking = young and FEW < served < BESIDE * self.rate
            served, part = min(served, self.rate), NEAR
        elif served < DEEP * self.rate:
            self.seeking, part = young, BACK_OFF
        else:
            # The sooner it is refused again, the further it was above the limit.
            served, part = min(served, self.rate), next((part for most, part in CUTS if held <= most), NEAR)
        self.set(max(part * served, SLOWEST))
