"""`ports.Quotas` in memory, for several partners in one process: what the real ones do, without anything in between."""

import asyncio
from dataclasses import dataclass, field

from syncer.net.learned import LearnedRate
from syncer.net.pool import Pool, divide
from syncer.ports import Account, Clock, Grant, Partner, Quota, Refusal, Terms


@dataclass
class QuotaHub:
    """One account, shared by everybody who joins."""

    clock: Clock
    joined: "list[HubQuota]" = field(default_factory=list)
    account: Account | None = None
    #: Lots that were leased.
    leases: int = 0

    def join(self, account: Account, partner: Partner) -> Quota:
        """See the door."""
        if self.account is None:
            self.account = account
            self.pool = Pool(LearnedRate(account.rate, account.rate))
        quota = HubQuota(self, partner)
        self.joined.append(quota)
        asyncio.get_running_loop().call_soon(self.divide)
        return quota

    def divide(self) -> None:
        """Divide the tokens anew, and tell everybody the terms; what is in use is nobody else's."""
        assert self.account is not None
        stands = [each.partner.standing() for each in self.joined]
        shares = divide(self.account.concurrency, [each.wanted for each in stands], 0)
        held = [max(each.tokens, stand.used) for each, stand in zip(self.joined, stands, strict=True)]
        for index, (each, share) in enumerate(zip(self.joined, shares, strict=True)):
            others = sum(held[:index]) + sum(held[index + 1 :])
            each.tokens = max(0, min(share, self.account.concurrency - others))
            held[index] = max(each.tokens, stands[index].used)
        self.tell()

    def tell(self) -> None:
        """Tell everybody what holds."""
        pause = max(0.0, self.pool.resume_at - self.clock.monotonic())
        for each in self.joined:
            each.partner.heard(Terms(self.pool.learned.rate, pause, each.tokens))


@dataclass
class HubQuota:
    """One partner's part."""

    hub: QuotaHub
    partner: Partner
    tokens: int = 0

    async def slots(self, wanted: int, *, succeeded: bool) -> Grant:
        """See the door."""
        self.hub.leases += 1
        return self.hub.pool.lease(self.hub.clock.monotonic(), wanted, succeeded=succeeded)

    def refused(self, refusal: Refusal) -> None:
        """See the door."""
        others = sum(each.partner.standing().served for each in self.hub.joined if each is not self)
        whole = Refusal(refusal.age, refusal.served + others, refusal.young, refusal.retry_after)
        self.hub.pool.refused(self.hub.clock.monotonic(), whole)
        self.hub.tell()

    def pause(self, seconds: float) -> None:
        """See the door."""
        self.hub.pool.pause(self.hub.clock.monotonic(), seconds)
        self.hub.tell()

    def want(self) -> None:
        """See the door."""
        asyncio.get_running_loop().call_soon(self.hub.divide)

    def relimit(self, rate: float | None, concurrency: int) -> None:
        """See the door."""
        account = self.hub.account
        assert account is not None
        self.hub.account = Account(account.name, account.origin, rate, concurrency)
        self.hub.pool.learned.relimit(rate)
        self.hub.divide()

    def leave(self) -> None:
        """See the door."""
        self.hub.joined.remove(self)
        self.hub.divide()
