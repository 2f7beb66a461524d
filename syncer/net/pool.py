"""What is shared by those who use one account, as plain arithmetic. Pure: times are handed in."""

from collections.abc import Sequence

from syncer.net.learned import LearnedRate
from syncer.net.network import MAX_PAUSE
from syncer.ports import Grant, Refusal

#: Slots are leased for so many seconds' worth of the rate at a time: ten of them at 200 a second.
LEASE = 0.05
#: Slots that nobody leased when they were due can be made up for, as long as they are no older, in seconds.
SLACK = 0.1


def lot(rate: float, wanted: int) -> int:
    """Return how many slots one lease is: at most so many, at least one."""
    return max(1, min(wanted, int(rate * LEASE)))


def divide(total: int, wishes: Sequence[int], turn: int) -> list[int]:
    """Divide a number among wishes: nobody gets more than wished, or more than another who still wishes for more.

    Where there are fewer than wishes, they go round by `turn`, so that nobody waits for ever.
    """
    shares = [0] * len(wishes)
    open_wishes = {index for index, wish in enumerate(wishes) if wish > 0}
    left = total
    while open_wishes and left >= len(open_wishes):
        each = min(left // len(open_wishes), *(wishes[index] - shares[index] for index in open_wishes))
        for index in open_wishes:
            shares[index] += each
        left -= each * len(open_wishes)
        open_wishes = {index for index in open_wishes if shares[index] < wishes[index]}
    waiting = sorted(open_wishes)
    first = turn if total < len(waiting) else 0
    for place in range(min(left, len(waiting))):
        shares[waiting[(first + place) % len(waiting)]] += 1
    return shares


class Pool:
    """A rate that is handed out in lots, with pauses; all of it in memory."""

    def __init__(self, learned: LearnedRate) -> None:
        """Take the rate as it is known."""
        self.learned = learned
        #: Nobody starts anything before this time.
        self.resume_at = float("-inf")
        self._due = float("-inf")
        self._waited = False

    def lease(self, now: float, wanted: int, *, succeeded: bool) -> Grant:
        """Hand out a lot."""
        learned = self.learned
        if succeeded:
            learned.barren = 0
        if learned.rate is None:
            return Grant(wanted, max(0.0, self.resume_at - now), 0.0)
        self._waited |= self._due > now
        if now - learned.grown_at >= learned.interval:
            learned.grow(now, waited=self._waited)
            self._waited = False
        count, interval = lot(learned.rate, wanted), 1 / learned.rate
        first = max(self._due, now - SLACK, self.resume_at)
        self._due = first + count * interval
        return Grant(count, first - now, interval)

    def refused(self, now: float, refusal: Refusal) -> float | None:
        """Take a refusal; return for how long everybody pauses, None if that is known."""
        pause = self.learned.refused(
            now, now - refusal.age, refusal.served, young=refusal.young, retry_after=refusal.retry_after
        )
        return pause if pause is not None and self.pause(now, pause) else None

    def pause(self, now: float, seconds: float) -> bool:
        """Let nobody start for so long; tell whether that is news."""
        until = now + min(seconds, MAX_PAUSE)
        if until <= self.resume_at:
            return False
        self.resume_at = until
        return True
