"""One account as one process shares it: what is asked of the row, what is heard, and what holds while it is away."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from syncer.model.errors import SyncerError
from syncer.model.events import Emit, Warned
from syncer.net.learned import LearnedRate
from syncer.net.pool import Pool
from syncer.ports import Account, Grant, Partner, Refusal, Terms
from syncer.state.postgres import quota_rows
from syncer.state.postgres.quota_rows import Member
from syncer.state.postgres.transaction import Connection

T = TypeVar("T")

#: Seconds between looks at the row: usually, and while tokens are on their way.
USUALLY, SOON = 2.5, 0.25
#: Processes that are told to look do so within so many seconds, not all at once.
SPREAD = 0.05
#: Seconds that an answer may take before a process goes on alone.
PATIENCE = 1.0


class Ask(Protocol):
    """Does something on the connection, in order."""

    def __call__(self, work: Callable[[Connection], T], /) -> "asyncio.Future[T]":
        """Return what it will bring; raises the errors of a state."""


class PostgresQuota:
    """See `ports.Quota`. Whatever is to be told goes through `keep`, one after the other."""

    def __init__(
        self, account: Account, partner: Partner, ask: Ask, member: Callable[[int], Member], emit: Emit
    ) -> None:
        """Take part once `keep` runs."""
        self._account = account
        self._partner = partner
        self._ask = ask
        self._member = member
        self._emit = emit
        self._now = asyncio.get_running_loop().time
        #: Number of the account's row, once it is known.
        self.number: int | None = None
        self._terms = Terms(account.rate, 0.0, 0)
        self._members = 1
        #: The part of this process, while the row is away.
        self._alone: Pool | None = None
        self._untold: list[Refusal | float] = []
        #: The bounds of the configuration are to be told.
        self._bounds = True
        self._news = asyncio.Event()
        #: The row was found, or can't be reached.
        self._ready = asyncio.Event()
        self._left = False

    async def slots(self, wanted: int, *, succeeded: bool) -> Grant:
        """See the door."""
        await self._ready.wait()
        if self._alone is None and self.number is not None:
            work = partial(quota_rows.lease, member=self._member(self.number), wanted=wanted, succeeded=succeeded)
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._ask(work)
            except (SyncerError, TimeoutError) as error:
                self._go_alone(error)
        pool = self._alone or self._go_alone(None)
        return pool.lease(self._now(), wanted, succeeded=succeeded)

    def refused(self, refusal: Refusal) -> None:
        """See the door."""
        self._untold.append(refusal)
        self._news.set()

    def pause(self, seconds: float) -> None:
        """See the door."""
        self._untold.append(seconds)
        self._news.set()

    def want(self) -> None:
        """See the door."""
        self._news.set()

    def relimit(self, rate: float | None, concurrency: int) -> None:
        """See the door."""
        self._account = replace(self._account, rate=rate, concurrency=concurrency)
        self._bounds = True
        self._news.set()

    def leave(self) -> None:
        """See the door."""
        self._left = True
        self._news.set()

    def hear(self, message: dict[str, Any]) -> None:
        """Take what another process told: other terms, or that tokens are to be divided anew."""
        if "pause" in message and self._alone is None:
            self._tell(replace(self._terms, rate=message["rate"], pause=message["pause"]))
        else:
            asyncio.get_running_loop().call_later(random.uniform(0, SPREAD), self._news.set)  # noqa: S311  # spreads load

    async def keep(self) -> None:
        """Keep up with the row, until it is left."""
        while not self._left:
            self._news.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    wait = await self._meet()
            except (SyncerError, TimeoutError) as error:
                self._go_alone(error)
                self._bear()
                wait = SOON
            self._ready.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
        if self._alone is None and self.number is not None:
            with suppress(SyncerError, TimeoutError):
                # Else it runs out by itself.
                async with asyncio.timeout(PATIENCE):
                    await self._ask(partial(quota_rows.leave, member=self._member(self.number)))

    async def _meet(self) -> float:
        """Tell everything, and take the terms; return the seconds until the next look."""
        if self.number is None:
            self.number = await self._ask(partial(quota_rows.join, account=self._account))
        member = self._member(self.number)
        if self._bounds:
            bounds = partial(quota_rows.relimit, rate=self._account.rate, concurrency=self._account.concurrency)
            await self._ask(partial(bounds, member=member))
            self._bounds = False
        while self._untold:
            await self._report(member, self._untold[0])
            del self._untold[0]
        share = await self._ask(partial(quota_rows.look, member=member, standing=self._partner.standing()))
        self._members = share.members
        self._come_back()
        self._tell(share.terms)
        return USUALLY if share.settled else SOON

    async def _report(self, member: Member, news: Refusal | float) -> None:
        if isinstance(news, float):
            await self._ask(partial(quota_rows.pause, member=member, seconds=news))
            return
        rate, pause = await self._ask(partial(quota_rows.refused, member=member, refusal=news))
        self._tell(replace(self._terms, rate=rate, pause=pause))

    def _tell(self, terms: Terms) -> None:
        self._terms = terms
        self._partner.heard(terms)

    def _go_alone(self, error: Exception | None) -> Pool:
        """Go on with an equal part of what was known last."""
        if self._alone is not None:
            return self._alone
        account, count = self._account, self._members
        most = None if account.rate is None else account.rate / count
        rate = None if self._terms.rate is None else self._terms.rate / count
        self._alone = Pool(LearnedRate(most, rate, self._now(), self._now()))
        self._ready.set()
        reason = str(error or "") or "no answer"
        self._emit(
            Warned(
                f"limits of {account.name} at {account.origin} can't be shared at present ({reason});"
                f" going on with {'all' if count == 1 else f'1/{count}'} of them"
            )
        )
        self._tell(Terms(rate, 0.0, max(1, account.concurrency // count)))
        return self._alone

    def _bear(self) -> None:
        """Take to heart what nobody else could be told."""
        pool, now = self._go_alone(None), self._now()
        for news in self._untold:
            if isinstance(news, float):
                pool.pause(now, news)
            else:
                pool.refused(now, news)
        if self._untold:
            self._untold.clear()
            self._tell(replace(self._terms, rate=pool.learned.rate, pause=max(0.0, pool.resume_at - now)))

    def _come_back(self) -> None:
        if self._alone is None:
            return
        left = self._alone.resume_at - self._now()
        if left > 0:
            self._untold.append(left)
            self._news.set()
        self._alone = None
        self._emit(Warned(f"limits of {self._account.name} at {self._account.origin} are shared again"))
