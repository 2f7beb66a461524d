"""The retry loop, on virtual time."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.errors import HttpError, Unavailable
from syncer.model.events import Event, Retrying
from syncer.net.classify import BAD_BODY, Retryable, Rule, rule_of
from syncer.net.retry import LONGEST, Patience, retry
from tests.support.clock import InstantClock


def failing(*failures: Retryable | None) -> Callable[[str], Awaitable[str]]:
    """Return an attempt that fails in this way, in turn; None succeeds."""
    left = list(failures)

    async def attempt(call: str) -> str:
        failure = left.pop(0)
        if failure is not None:
            raise failure
        return call

    return attempt


def failed(rule: Rule | int, *, after: float | None = None, progress: bool = False) -> Retryable:
    """Return a failure."""
    status = rule if isinstance(rule, int) else None
    failure = Retryable(
        "GET https://h/x failed", rule_of(rule) if isinstance(rule, int) else rule, status=status, retry_after=after
    )
    failure.progress = progress
    return failure


class Run:
    """One run of the loop with its clock and events."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.clock = InstantClock()
        self.events: list[Event] = []

    async def __call__(self, *failures: Retryable | None, patience: Patience | None = None, paused: float = 0.0) -> str:
        """Run it."""
        attempt = failing(*failures)
        try:
            return await attempt("done")
        except Retryable as error:
            failure = error
        return await retry(
            attempt, "done", failure, patience or Patience(5, 900), origin="https://h", paused=lambda: paused,
            clock=self.clock, emit=self.events.append,
        )  # fmt: skip


async def test_success_costs_no_time() -> None:
    """The first success is returned."""
    run = Run()
    assert await run(None) == "done"
    assert run.clock.slept == []


async def test_full_jitter_within_bounds() -> None:
    """The n-th wait lies between 0 and 2^(n-1) seconds, and each is reported."""
    run = Run()
    assert await run(*[failed(503)] * 4, None) == "done"
    assert all(0 <= wait <= 2.0**index for index, wait in enumerate(run.clock.slept))
    assert [event.attempt for event in run.events if isinstance(event, Retrying)] == [1, 2, 3, 4]


async def test_attempts_are_bounded_and_counted() -> None:
    """After the last attempt the error says what happened and how often it was tried, with no chain behind it."""
    run = Run()
    with pytest.raises(Unavailable, match=r"\(5 attempts\)") as caught:
        await run(*[failed(502)] * 5)
    assert caught.value.status == 502
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_500_is_tried_three_times() -> None:
    """A server that answers 500 for ever is not asked five times."""
    run = Run()
    with pytest.raises(Unavailable, match=r"\(3 attempts\)"):
        await run(*[failed(500)] * 5)


async def test_rule_22_retry_after_is_waited_for() -> None:
    """The server's wish is kept, with up to a tenth more so that clients don't return together."""
    run = Run()
    await run(failed(429, after=7), None)
    assert 7.0 <= run.clock.seconds <= 7.7


async def test_rule_22_retry_after_is_capped_at_15_minutes() -> None:
    """A server that wishes for a day gets a quarter of an hour, and the event shows it."""
    run = Run()
    await run(failed(429, after=86_400), None, patience=Patience(5, 10_000))
    assert 900 <= run.clock.seconds <= 990
    assert run.events[0] == Retrying("https://h", 1, run.clock.seconds, "GET https://h/x failed")


async def test_rule_22_the_budget_is_never_overshot() -> None:
    """A wait that would end after the budget is not begun, and the error says what the server asked for."""
    run = Run()
    with pytest.raises(Unavailable) as caught:
        await run(failed(429, after=61), None, patience=Patience(5, 60))
    assert run.clock.seconds == 0
    assert caught.value.hint is not None
    assert "retry_budget" in caught.value.hint


async def test_rule_22_a_pause_of_the_origin_counts_too() -> None:
    """A request does not wait for a pause that ends after its budget."""
    run = Run()
    with pytest.raises(Unavailable):
        await run(failed(503), None, patience=Patience(5, 60), paused=100)
    assert run.clock.seconds == 0


async def test_throttling_is_bounded_by_time_not_by_attempts() -> None:
    """A server that only asks us to slow down is not given up after five times."""
    run = Run()
    assert await run(*[failed(429, after=5)] * 20, None) == "done"


async def test_attempts_set_for_a_request_bind_always() -> None:
    """One attempt means one, also for throttling."""
    run = Run()
    with pytest.raises(Unavailable):
        await run(failed(429, after=1), None, patience=Patience(1, 900, strict=True))


async def test_progress_starts_the_count_anew() -> None:
    """A download that goes on is not given up because its server cuts every answer."""
    run = Run()
    assert await run(*[failed(BAD_BODY, progress=True)] * 30, None) == "done"


@given(
    st.lists(st.tuples(st.sampled_from([429, 500, 502, 503]), st.one_of(st.none(), st.floats(0.1, 2000)))),
    st.floats(0, 2000), st.integers(1, 8),
)  # fmt: skip
async def test_rule_22_no_failures_make_it_overshoot(
    failures: list[tuple[int, float | None]], budget: float, attempts: int
) -> None:
    """Whatever a server does, the loop ends within its budget and makes no single wait above its bound."""
    run = Run()
    everything = [failed(status, after=after) for status, after in failures]
    with suppress(HttpError):
        await run(*everything, None, patience=Patience(attempts, budget))
    assert run.clock.seconds <= budget + 1e-6
    assert all(wait <= max(LONGEST, 900 * 1.1) for wait in run.clock.slept)
