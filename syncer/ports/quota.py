"""What processes that use one account of a platform agree on: a rate, pauses, a number of requests in flight.

Whoever limits requests to an origin joins with itself as a `Partner`. Times are seconds from the moment of the call or
of its answer, so nobody's clock matters; answers that can't be had from the others are guessed from what was heard
last, so nothing here raises. Everything but `Quota.slots` returns at once, and is meant for the event loop.
"""

from typing import Protocol

import msgspec


class Account(msgspec.Struct, frozen=True):
    """What is shared: one account's requests to one origin, within the bounds that the configuration sets."""

    #: Whoever names the same account and origin shares it.
    name: str
    origin: str
    #: Highest rate, requests per second in all; None: the platform's own answers decide.
    rate: float | None
    #: Most requests in flight, in all.
    concurrency: int


class Grant(msgspec.Struct, frozen=True):
    """Slots, each for one request: the first may start after `wait` seconds, each further one `interval` later.

    A pause that is heard of voids all of them that were not used yet.
    """

    count: int
    #: 0 or less: it is due.
    wait: float
    #: 0: the account is not limited at present.
    interval: float


class Terms(msgspec.Struct, frozen=True):
    """What a partner has to keep to from now on."""

    #: Requests per second of all partners together; None: not limited, and no slots are needed.
    rate: float | None
    #: Nobody starts a request for so many seconds.
    pause: float
    #: Requests that this partner may have in flight; those beyond it end in their own time, without successors.
    tokens: int


class Standing(msgspec.Struct, frozen=True):
    """How a partner stands."""

    #: Answers a second, lately: what all of them add up to is the rate that a refusal is measured by.
    served: float
    #: Requests that it could have in flight if it may; 0: it has nothing to do.
    wanted: int
    #: Requests that it has in flight, each of which holds a token.
    used: int


class Refusal(msgspec.Struct, frozen=True):
    """An answer that said: too many requests."""

    #: The request was sent so many seconds ago: refusals of requests that were in flight together count once.
    age: float
    #: Answers a second that this partner got lately.
    served: float
    #: It got its first answer only seconds ago: what it was let in with says little.
    young: bool
    #: Seconds that the platform asks for.
    retry_after: float | None


class Partner(Protocol):
    """The limits of one process for one origin."""

    def standing(self) -> Standing:
        """Say how it stands; asked about once a second, and soon after `Quota.want`."""

    def heard(self, terms: Terms) -> None:
        """Take other terms: told when it has joined, whenever they change, and in answer to `Quota.want`."""


class Quota(Protocol):
    """One process's part in an account. Until it first hears of terms, a partner sends nothing."""

    async def slots(self, wanted: int, *, succeeded: bool) -> Grant:
        """Lease slots, at least one and at most so many; waits for the answer only, never for the slots.

        `succeeded`: since the last call there was an answer to a request that was sent after the last refusal.
        """

    def refused(self, refusal: Refusal) -> None:
        """Tell of a refusal: everybody pauses, and the rate comes under control. The partner pauses by itself."""

    def pause(self, seconds: float) -> None:
        """Let nobody start a request for so long. The partner pauses by itself."""

    def want(self) -> None:
        """Say that `standing` shows a wish for more or fewer tokens; what is unused may go to others."""

    def relimit(self, rate: float | None, concurrency: int) -> None:
        """Set other bounds, for everybody."""

    def leave(self) -> None:
        """Give everything back; the last call."""


class Quotas(Protocol):
    """Where the processes of a fleet, or the parts of one process, agree."""

    def join(self, account: Account, partner: Partner) -> Quota:
        """Take part in an account; the terms are heard soon."""
