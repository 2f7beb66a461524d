"""What refusals teach about a rate. Pure: whoever keeps a pace, alone or for a whole fleet, hands the times in."""

from dataclasses import dataclass

#: Part of the observed success rate that a refused client goes on with.
BACK_OFF = 0.9
#: The learned rate grows by this factor each interval (seconds) without a refusal.
GROWTH, GROWTH_INTERVAL = 1.02, 10.0
#: The same for a rate that was guessed from a first burst, until the next refusal tells more.
SEEKING, SEEKING_INTERVAL = 1.25, 1.0
#: Pause after a refusal that names none, in seconds; doubles while nothing succeeds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Slowest learned rate, requests per second.
SLOWEST = 0.1


@dataclass(slots=True)
class LearnedRate:
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
        fresh = sent >= self.cut_at
        if fresh:
            # With no success since the last refusal, the window is still closed; it need not be narrower.
            if self.barren == 0:
                self._cut(served, young=young)
            self.barren += 1
            self.cut_at = self.grown_at = now
        if retry_after is not None:
            return retry_after
        return min(FIRST_PAUSE * 2.0 ** min(self.barren - 1, 30), LONGEST_PAUSE) if fresh else None

    def succeeded(self, sent: float) -> None:
        """Note an answer to a request that was sent then."""
        if sent >= self.cut_at:
            self.barren = 0

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
        self.grown_at = now
        if not waited or self.rate is None or self.rate == self.most:
            return False
        self.set(self.rate * (SEEKING if self.sought else GROWTH))
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

    def _cut(self, served: float, *, young: bool) -> None:
        observed = BACK_OFF * served
        # A burst at the very beginning is as large as what the server lets in at once, not as what it lets in a second.
        self.seeking = self.rate is None and young
        self.set(max(observed if self.rate is None else min(observed, BACK_OFF * self.rate), SLOWEST))
