"""The rows that shared limits lie in. Only relative seconds come and go, so that clocks need not agree.

A lease of slots is one statement. What needs thought (a refusal, a division of tokens) is read under a lock, decided by
the same arithmetic that a single process uses, and written back.
"""

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from syncer.net.learned import LearnedRate
from syncer.net.network import MAX_PAUSE
from syncer.net.pool import LEASE, SLACK, divide
from syncer.ports import Account, Grant, Refusal, Standing, Terms
from syncer.state.postgres.transaction import Connection

#: Seconds after which a process that is silent counts as gone, and its tokens are free.
LIFE = 10.0
#: Where tokens go round, the seconds of a turn.
TURN = 5

_JOIN = (
    "INSERT INTO quotas (name, origin, most, concurrency, rate) VALUES ($1, $2, $3, $4, $3)"
    " ON CONFLICT (name, origin) DO UPDATE SET name = quotas.name RETURNING id"
)

_SINCE = "extract(epoch FROM clock_timestamp() - {})::float8"
_LEFT = "greatest(extract(epoch FROM resumes - clock_timestamp()), 0)::float8"

_READ = (
    f"SELECT most, rate, -{_SINCE.format('cut_at')}, -{_SINCE.format('grown_at')}, barren, seeking, {_LEFT}"  # noqa: S608  # constants
    " FROM quotas WHERE id = $1 FOR UPDATE"
)
_WRITE = (
    "UPDATE quotas SET most = $2, rate = $3, cut_at = clock_timestamp() + make_interval(secs => $4),"
    " grown_at = clock_timestamp() + make_interval(secs => $5), barren = $6, seeking = $7 WHERE id = $1"
)
_PAUSE = (
    "UPDATE quotas SET resumes = clock_timestamp() + make_interval(secs => $2),"
    " due = greatest(due, clock_timestamp() + make_interval(secs => $2))"
    " WHERE id = $1 AND resumes < clock_timestamp() + make_interval(secs => 0.9 * $2) RETURNING rate"
)

_LOT = "greatest(1, least($2, floor(rate * $5)))"
_LEASE = (
    "UPDATE quotas SET waited = waited OR due > clock_timestamp(), barren = CASE WHEN $3 THEN 0 ELSE barren END,"  # noqa: S608  # constants
    f" due = greatest(due, clock_timestamp() - make_interval(secs => $4)) + make_interval(secs => {_LOT} / rate)"
    f" WHERE id = $1 AND rate IS NOT NULL RETURNING {_LOT}::int, extract(epoch FROM due - clock_timestamp())::float8,"
    f" most, rate, -{_SINCE.format('cut_at')}, -{_SINCE.format('grown_at')}, barren, seeking, waited"
)
_GROW = (
    "UPDATE quotas SET rate = $2, grown_at = clock_timestamp(), waited = FALSE"
    " WHERE id = $1 AND grown_at <= clock_timestamp() - make_interval(secs => $3)"
)

_DIVIDING = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' quota ' || $1, 3))"
_STAND = (
    "INSERT INTO quota_members (quota, member, wanted, tokens, held, served, expires)"
    " VALUES ($1, $2, $3, 0, $4, $5, clock_timestamp() + make_interval(secs => $6))"
    " ON CONFLICT (quota, member) DO UPDATE SET wanted = excluded.wanted, served = excluded.served,"
    " held = greatest(quota_members.tokens, excluded.held), expires = excluded.expires RETURNING tokens"
)
_BURY = "DELETE FROM quota_members WHERE quota = $1 AND expires <= clock_timestamp()"
_LOOK = (
    f"SELECT q.rate, {_LEFT}, q.concurrency, (extract(epoch FROM clock_timestamp()) / $2)::bigint,"  # noqa: S608  # constants
    " array_agg(m.member ORDER BY m.member), array_agg(m.wanted ORDER BY m.member),"
    " array_agg(m.tokens ORDER BY m.member), array_agg(m.held ORDER BY m.member)"
    " FROM quotas AS q JOIN quota_members AS m ON m.quota = q.id WHERE q.id = $1 AND m.expires > clock_timestamp()"
    " GROUP BY q.id"
)
_HOLD = "UPDATE quota_members SET tokens = $3, held = $4 WHERE quota = $1 AND member = $2"
_SERVED = (
    "SELECT coalesce(sum(served), 0) FROM quota_members"
    " WHERE quota = $1 AND member <> $2 AND expires > clock_timestamp()"
)
_LEAVE = "DELETE FROM quota_members WHERE quota = $1 AND member = $2"
_TELL = "SELECT pg_notify($1, $2)"


class Member(msgspec.Struct, frozen=True):
    """One process's part in an account."""

    quota: int
    id: uuid.UUID
    channel: str


class Share(msgspec.Struct, frozen=True):
    """What a look at an account brought."""

    terms: Terms
    #: Processes that share it, this one included.
    members: int
    #: Nothing is on its way between them.
    settled: bool


def join(connection: Connection, account: Account) -> int:
    """Return the id of an account, new or old, with the bounds that this process knows."""
    row = connection.execute(_JOIN, (account.name, account.origin, account.rate, account.concurrency)).fetchone()
    return int(row[0]) if row is not None else 0


def relimit(connection: Connection, member: Member, rate: float | None, concurrency: int) -> None:
    """Set the bounds of the configuration; those who share it are told where that changes something."""
    with connection.transaction():
        learned, _ = _read(connection, member)
        before = learned.most
        learned.relimit(rate)
        _write(connection, member, learned)
        changed = connection.execute(
            "UPDATE quotas SET concurrency = $2 WHERE id = $1 AND concurrency <> $2", (member.quota, concurrency)
        )
        if before != rate or changed.rowcount:
            _tell(connection, member, look=True)


def lease(connection: Connection, member: Member, wanted: int, *, succeeded: bool) -> Grant:
    """Take a lot of slots."""
    row = connection.execute(_LEASE, (member.quota, wanted, succeeded, SLACK, LEASE)).fetchone()
    if row is None:
        return Grant(wanted, 0.0, 0.0)
    count, until, most, rate, cut_at, grown_at, barren, seeking, waited = row
    learned = LearnedRate(most, rate, _ago(cut_at), grown_at, barren, seeking)
    if -grown_at >= learned.interval:
        interval = learned.interval
        learned.grow(0.0, waited=waited)
        connection.execute(_GROW, (member.quota, learned.rate, interval))
    return Grant(count, until - count / rate, 1 / rate)


def refused(connection: Connection, member: Member, refusal: Refusal) -> tuple[float | None, float]:
    """Take a refusal; return the rate and the pause from now on, of which the others are told."""
    with connection.transaction():
        learned, left = _read(connection, member)
        found = connection.execute(_SERVED, (member.quota, member.id)).fetchone()
        served = refusal.served + (float(found[0]) if found is not None else 0.0)
        before = learned.rate
        pause = learned.refused(0.0, -refusal.age, served, young=refusal.young, retry_after=refusal.retry_after)
        _write(connection, member, learned)
        if pause is not None and (before != learned.rate or pause > left):
            left = max(left, min(pause, MAX_PAUSE))
            connection.execute(_PAUSE, (member.quota, left))
            _tell(connection, member, rate=learned.rate, pause=left)
    return learned.rate, left


def pause(connection: Connection, member: Member, seconds: float) -> None:
    """Let nobody start anything for so long, and tell the others, unless they know."""
    with connection.transaction():
        row = connection.execute(_PAUSE, (member.quota, seconds)).fetchone()
        if row is not None:
            _tell(connection, member, rate=row[0], pause=seconds)


def look(connection: Connection, member: Member, standing: Standing) -> Share:
    """Say how this process stands; return its share. Tokens move only where all who divide them take turns."""
    row = connection.execute(
        _STAND, (member.quota, member.id, standing.wanted, standing.used, standing.served, LIFE)
    ).fetchone()
    division = _division(connection, member)
    tokens = int(row[0]) if row is not None else 0
    held = max(tokens, standing.used)
    if division.share != tokens:
        with connection.transaction():
            connection.execute(_DIVIDING, (str(member.quota),))
            connection.execute(_BURY, (member.quota,))
            division = _division(connection, member)
            tokens = division.free
            # Until it hears of fewer, it may use as many as it had: they are free with its next look.
            held = max(held, tokens)
            connection.execute(_HOLD, (member.quota, member.id, tokens, held))
            if division.others_wait or tokens < division.share:
                _tell(connection, member, look=True)
    settled = tokens == division.share and held <= tokens
    return Share(Terms(division.rate, division.pause, tokens), division.members, settled)


def leave(connection: Connection, member: Member) -> None:
    """Give everything back."""
    connection.execute(_LEAVE, (member.quota, member.id))
    _tell(connection, member, look=True)


def leave_all(connection: Connection, member: Member) -> None:
    """Give back what this process has of all accounts."""
    for (quota,) in connection.execute("DELETE FROM quota_members WHERE member = $1 RETURNING quota", (member.id,)):
        _tell(connection, Member(quota, member.id, member.channel), look=True)


class _Division(msgspec.Struct, frozen=True):
    """How tokens are divided, as one member sees it."""

    rate: float | None
    pause: float
    members: int
    #: What it ought to have, and what it can have before others have given theirs back.
    share: int
    free: int
    #: Somebody has less than it ought to.
    others_wait: bool


def _division(connection: Connection, member: Member) -> _Division:
    row = connection.execute(_LOOK, (member.quota, TURN)).fetchone()
    if row is None:
        return _Division(None, 0.0, 1, 0, 0, others_wait=False)
    rate, left, total, turn, ids, wishes, tokens, held = row
    shares = divide(total, wishes, turn)
    me = ids.index(member.id)
    others = [index for index in range(len(ids)) if index != me]
    free = max(0, min(shares[me], total - sum(held[index] for index in others)))
    waiting = any(shares[index] > tokens[index] for index in others)
    return _Division(rate, left, len(ids), shares[me], free, others_wait=waiting)


def _read(connection: Connection, member: Member) -> tuple[LearnedRate, float]:
    row = connection.execute(_READ, (member.quota,)).fetchone()
    if row is None:
        return LearnedRate(None, None), 0.0
    most, rate, cut_at, grown_at, barren, seeking, left = row
    return LearnedRate(most, rate, _ago(cut_at), grown_at, barren, seeking), left


def _ago(at: float | None) -> float:
    return float("-inf") if at is None else at


def _write(connection: Connection, member: Member, learned: LearnedRate) -> None:
    never = learned.cut_at == float("-inf")
    values: Sequence[Any] = (
        member.quota, learned.most, learned.rate, None if never else learned.cut_at, learned.grown_at, learned.barren,
        learned.seeking,
    )  # fmt: skip
    connection.execute(_WRITE, values)


def _tell(connection: Connection, member: Member, **words: object) -> None:
    message = {"quota": member.quota, "from": str(member.id), **words}
    connection.execute(_TELL, (member.channel, orjson.dumps(message).decode()))
