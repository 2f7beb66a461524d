"""When a job is due: schedules as values, and the one function that reads them. Pure.

A *turn* is a moment that a schedule names. Each is taken once: what is remembered of a job is the last turn that was
taken or passed over, and the next one is counted from there. So restarts, late wake-ups and a clock that is set back
neither lose a turn nor take one twice.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile
from typing import Literal, assert_never

import msgspec
from cronsim import CronSim
from msgspec.structs import replace

from syncer.model.units import show_duration

#: A run that begins no later than this after its turn is on time: that is how closely the clock is looked at.
ON_TIME = timedelta(seconds=60)

#: A clock that was ahead by more than this was wrong, and so is what is remembered from then.
AHEAD = timedelta(days=1)

#: Passed turns are counted up to here; beyond, their number says nothing.
COUNTED = 1000

#: How far back passed turns are looked for, step by step, so that a long absence costs little.
_BACK = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 192, 770, 9_000, 90_000))


class Cron(msgspec.Struct, frozen=True):
    """Moments of a calendar.

    As Debian's cron has it: a daily time that a change of the clock leaves out comes at the first moment after the
    gap, and one that comes twice is taken the first time. Hourly and more frequent ones follow elapsed time.
    """

    expression: str
    zone: tzinfo = UTC


class Every(msgspec.Struct, frozen=True):
    """From start to start, between these bounds in seconds; equal ones make a fixed distance."""

    shortest: float
    longest: float


class Single(msgspec.Struct, frozen=True):
    """One time; None: whenever the daemon starts."""

    at: datetime | None


class After(msgspec.Struct, frozen=True):
    """Whenever another job has ended well."""

    job: str


Kind = Cron | Every | Single | After


class Schedule(msgspec.Struct, frozen=True):
    """When the daemon runs a job."""

    kind: Kind
    #: Runs are put off by up to so many seconds, each job by its own share.
    jitter: float = 0.0
    #: What becomes of turns that passed while nobody looked: nothing, or one run for all of them.
    catch_up: Literal["none", "once"] = "once"
    #: Seconds after which that one run isn't worth it any more; None: it always is.
    misfire: float | None = None


class Past(msgspec.Struct, frozen=True):
    """What is remembered of a job's turns."""

    #: The turn that was taken or passed over last; before the first one, the moment that turns count from.
    last: datetime
    #: Present distance of an adaptive schedule, in seconds; 0: its shortest.
    pace: float = 0.0
    #: When the job was asked to follow another one, or by somebody.
    asked: datetime | None = None


class Due(msgspec.Struct, frozen=True):
    """What a schedule says at some moment."""

    #: The turn to take now, if there is one.
    turn: datetime | None = None
    #: When the next run begins, its share of the jitter included; None: not by the clock.
    next: datetime | None = None
    #: Turns that passed without a run, up to `COUNTED`, and the newest of them.
    missed: int = 0
    passed: datetime | None = None


def share(job: str, jitter: float) -> timedelta:
    """Return by how much the runs of a job are put off: the same each time, on every machine."""
    digest = int.from_bytes(hashlib.sha256(job.encode()).digest()[:8])
    return timedelta(seconds=round(digest / 2**64 * jitter, 3))


def first_past(schedule: Schedule, now: datetime) -> Past:
    """Return what a job without memories counts from: `every` begins at once, cron with the next of its moments."""
    kind = schedule.kind
    match kind:
        case Every():
            return Past(now - timedelta(seconds=kind.shortest))
        case Single(at):
            return Past((now if at is None else min(now, at)) - timedelta(microseconds=1))
        case Cron() | After():
            return Past(now)
        case _:
            assert_never(kind)


def due(schedule: Schedule, now: datetime, past: Past, job: str = "") -> Due:
    """Return what is due now, and what comes next."""
    put_off = share(job, schedule.jitter)
    kind = schedule.kind
    past = _believable(kind, now, past)
    match kind:
        case Every():
            return _every(kind, now - put_off, past, put_off)
        case After():
            return _asked(now, past, put_off)
        case Single(at):
            following = at if at is not None and at > past.last else None
        case Cron():
            following = after(kind, past.last)
        case _:
            assert_never(kind)
    if following is None or following + put_off > now:
        return Due(next=None if following is None else following + put_off)
    if isinstance(kind, Single):
        return _calendar(schedule, now - put_off, [following], None, put_off)
    turns = newest(kind, past.last, now - put_off)
    return _calendar(schedule, now - put_off, turns, after(kind, now - put_off), put_off)


def after(cron: Cron, moment: datetime) -> datetime | None:
    """Return the first turn after a moment, in UTC; None if there is none in fifty years."""
    return next(_turns(cron, moment), None)


def newest(cron: Cron, last: datetime, now: datetime) -> list[datetime]:
    """Return turns after `last` up to `now`, the newest ones as far as they are counted."""
    turns: list[datetime] = []
    for back in _BACK:
        begin = max(last, now - back)
        turns = list(takewhile(lambda turn: turn <= now, _turns(cron, begin)))
        if len(turns) >= COUNTED or begin == last:
            break
    return turns[-COUNTED:]


def words(schedule: Schedule | None) -> str:
    """Return a schedule in words."""
    if schedule is None:
        return "by hand"
    kind = schedule.kind
    match kind:
        case Cron(expression, zone):
            return f"cron {expression} {zone}"
        case Every(shortest, longest):
            if shortest == longest:
                return f"every {show_duration(shortest)}"
            return f"every {show_duration(shortest)} to {show_duration(longest)}"
        case Single(at):
            return "once, at the start" if at is None else f"once at {at:%Y-%m-%d %H:%M %Z}"
        case After(job):
            return f"after {job}"
        case _:
            assert_never(kind)


def _believable(kind: Kind, now: datetime, past: Past) -> Past:
    """Return a past that is not ahead of the clock, unless it was set back a little: then calendar turns stay taken."""
    if past.last <= now or (isinstance(kind, Cron | Single) and past.last - now <= AHEAD):
        return past
    return replace(past, last=now)


def _every(kind: Every, now: datetime, past: Past, put_off: timedelta) -> Due:
    distance = timedelta(seconds=max(past.pace, kind.shortest))
    following = past.last + distance
    if following > now:
        return Due(next=following + put_off)
    # Turns stay on one grid however late a run begins; those that passed are not missed but put off.
    turn = past.last + distance * ((now - past.last) // distance)
    return Due(turn=turn, next=turn + distance + put_off)


def _asked(now: datetime, past: Past, put_off: timedelta) -> Due:
    asked = past.asked
    if asked is None or asked <= past.last:
        return Due()
    return Due(turn=asked) if asked + put_off <= now else Due(next=asked + put_off)


def _calendar(
    schedule: Schedule, now: datetime, turns: list[datetime], following: datetime | None, put_off: timedelta
) -> Due:
    coming = None if following is None else following + put_off
    late = now - turns[-1]
    if late <= ON_TIME or (
        schedule.catch_up == "once" and (schedule.misfire is None or late.total_seconds() <= schedule.misfire)
    ):
        return Due(turn=turns[-1], next=coming, missed=len(turns) - 1, passed=turns[-1])
    return Due(next=coming, missed=len(turns), passed=turns[-1])


def _turns(cron: Cron, moment: datetime) -> Iterator[datetime]:
    """Yield the turns after a moment. In a repeated hour the library may begin with one that has passed."""
    for turn in CronSim(cron.expression, moment.astimezone(cron.zone)):
        # Moments of one zone would be compared by what the clock on the wall shows.
        found = turn.astimezone(UTC)
        if found > moment:
            yield found
