"""Tries again: exponential full jitter, the server's `Retry-After`, a number of attempts and a time budget."""

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import msgspec

from syncer.model.events import Emit, Retrying
from syncer.net.classify import Retryable, Rule
from syncer.net.network import MAX_PAUSE
from syncer.ports import Clock

C = TypeVar("C")
T = TypeVar("T")

#: The n-th wait is drawn evenly from 0 to `BASE * 2^(n-1)` seconds, at most `LONGEST`.
BASE, LONGEST = 1.0, 30.0


class Patience(msgspec.Struct, frozen=True):
    """How long one request is tried."""

    #: Attempts in all.
    attempts: int
    #: Seconds from the first failure; no wait is begun that would end later.
    budget: float
    #: `attempts` binds for throttling answers too: the caller set it for this request.
    strict: bool = False


_IMPATIENT: ContextVar[bool] = ContextVar("syncer_impatient", default=False)


@contextmanager
def once_only() -> Iterator[None]:
    """Try requests of the block, and of tasks begun in it, a single time: whether somebody answers is the question."""
    token = _IMPATIENT.set(True)
    try:
        yield
    finally:
        _IMPATIENT.reset(token)


def impatient() -> bool:
    """Tell whether requests are tried a single time here."""
    return _IMPATIENT.get()


async def retry(
    attempt: Callable[[C], Awaitable[T]],
    call: C,
    failure: Retryable,
    patience: Patience,
    *,
    origin: str,
    paused: Callable[[], float],
    clock: Clock,
    emit: Emit,
    platform: str = "",
) -> T:
    """Go on after a first attempt that ended in `failure`; return what the first successful `attempt(call)` returns.

    `paused` says for how many seconds the origin takes no requests at all. An attempt that made progress (kept a part
    of a body) starts the count anew.

    Raises:
        HttpError: what the last failure means, when attempts or time are used up.
    """
    counts: dict[Rule, int] = {}
    first = clock.monotonic()
    tried = 0
    while True:
        now = clock.monotonic()
        if failure.progress:
            counts, first = {}, now
        tried += 1
        counts[failure.rule] = counts.get(failure.rule, 0) + 1
        wait = max(_wait(failure, sum(counts.values())), paused())
        refusal = _exhausted(failure, counts, patience, late=now + wait - first > patience.budget, wait=wait)
        if refusal is not None:
            raise failure.final(tried, refusal or None)
        emit(Retrying(origin, tried, wait, str(failure), platform))
        await clock.sleep(wait)
        try:
            return await attempt(call)
        except Retryable as again:
            failure = again


def _exhausted(
    failure: Retryable, counts: dict[Rule, int], patience: Patience, *, late: bool, wait: float
) -> str | None:
    """Return None to go on, else a hint ("" for the failure's own)."""
    counted = sum(count for rule, count in counts.items() if patience.strict or not rule.throttled)
    own = failure.rule.attempts
    if counted >= patience.attempts or (own is not None and counts[failure.rule] >= own):
        return ""
    if not late:
        return None
    if failure.retry_after is not None:
        return f"the server asks for {wait:.0f} s; limits.retry_budget allows {patience.budget:.0f} s in all. Try later"
    return ""


def _wait(failure: Retryable, count: int) -> float:
    spread = random.random()  # noqa: S311  # spreads load, guards nothing
    if failure.retry_after is not None:
        return min(failure.retry_after, MAX_PAUSE) * (1 + 0.1 * spread)
    return spread * min(LONGEST, BASE * 2.0 ** min(count - 1, 30))
