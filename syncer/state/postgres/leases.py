"""`lease.Leases` on PostgreSQL: rows with an end that a thread moves on, as long as this process is alive.

A thread, not a task: a busy event loop must not cost the lease. A process that died is replaced once its time has run
out. One that was frozen finds its row gone when it wakes up, and is refused at its next commit.
"""

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
import orjson
import psycopg

from syncer.model.errors import LeaseHeld, SyncerError
from syncer.state.lease import held, introduction, person
from syncer.state.postgres.connecting import connect
from syncer.state.postgres.faults import explained, is_away
from syncer.state.postgres.target import Target
from syncer.state.postgres.transaction import Connection

T = TypeVar("T")

#: Heartbeats within the life of a lease: two of them may be lost.
BEATS = 3

#: Those who take leases of one job do it one after the other.
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || $1, 2))"

_FORGET = "DELETE FROM leases WHERE job = $1 AND name = $2 AND expires <= clock_timestamp()"

_TAKEN = (
    "SELECT holder, ceil(extract(epoch FROM expires - clock_timestamp()))::int FROM leases"
    " WHERE job = $1 AND name = $2 AND NOT (shared AND $3::boolean) AND ticket <> $4 ORDER BY ticket LIMIT 1"
)

#: The number is drawn beforehand: whoever loses the answer and takes the lease again meets no stranger's row.
_DRAW = "SELECT nextval(pg_get_serial_sequence('leases', 'ticket'))"

_TAKE = (
    "INSERT INTO leases (ticket, job, name, shared, holder, expires)"
    " VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))"
    " ON CONFLICT (ticket) DO UPDATE SET expires = excluded.expires"
)

#: Times that something is done anew because its connection broke.
_AGAIN = 2

_BEAT = "UPDATE leases SET expires = clock_timestamp() + make_interval(secs => $2) WHERE ticket = ANY($1::bigint[])"


class PostgresLease(msgspec.Struct):
    """A row that is kept alive."""

    owner: "PostgresLeases"
    ticket: int

    def release(self) -> None:
        """Let go of it."""
        self.owner.release(self.ticket)


class PostgresLeases:
    """The leases of one process, on a connection of their own."""

    def __init__(self, target: Target, *, seconds: float) -> None:
        """Take where they are, and for how many seconds to wait for a server that is away."""
        self._target = target
        self._seconds = seconds
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._tickets: set[int] = set()
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def take(self, job: str, name: str, *, shared: bool = False) -> PostgresLease:
        """Insert a row, unless somebody else's is alive."""
        with self._lock:
            ticket = self._try(_draw, self._seconds)
            self._try(lambda connection: self._take(connection, ticket, job, name, shared=shared), self._seconds)
            self._tickets.add(ticket)
            if self._heart is None:
                self._heart = threading.Thread(target=self._beat_on, name="syncer-heartbeat", daemon=True)
                self._heart.start()
        return PostgresLease(self, ticket)

    def release(self, ticket: int) -> None:
        """Delete a row; idempotent. If the server is away, it runs out."""
        with self._lock:
            if ticket not in self._tickets:
                return
            self._tickets.discard(ticket)
            try:
                self._try(lambda c: c.execute("DELETE FROM leases WHERE ticket = $1", (ticket,)).close(), 0)
            except SyncerError as error:
                if not isinstance(error.__cause__, psycopg.Error) or not is_away(error.__cause__):
                    raise

    def holders(self, job: str) -> Mapping[str, str]:
        """Return who holds the exclusive leases of a job that have not run out."""
        with self._lock:
            return self._try(lambda connection: self._holders(connection, job), self._seconds)

    def beat(self) -> None:
        """Move the end of every lease of this process."""
        with self._lock:
            if self._tickets:
                tickets, life = sorted(self._tickets), self._target.lease_seconds
                self._try(lambda connection: connection.execute(_BEAT, (tickets, life)).close(), 0)

    def close(self) -> None:
        """End the heartbeat, and give the connection back. Leases that are still held run out."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _beat_on(self) -> None:
        while not self._stop.wait(self._target.lease_seconds / BEATS):
            try:
                self.beat()
            except SyncerError:
                # The next beat tries again. If none gets through, the row runs out, and commits say so in time.
                continue

    def _take(self, connection: Connection, ticket: int, job: str, name: str, *, shared: bool) -> None:
        with connection.transaction():
            # An attempt whose answer was lost may still be on its way: it has the turn.
            connection.execute(_TURN, (job,))
            connection.execute(_FORGET, (job, name))
            other = connection.execute(_TAKEN, (job, name, shared, ticket)).fetchone()
            if other is not None:
                raise _refused(job, name, *other)
            who = person(orjson.loads(introduction(job, name)))
            connection.execute(_TAKE, (ticket, job, name, shared, who, self._target.lease_seconds))

    def _holders(self, connection: Connection, job: str) -> Mapping[str, str]:
        rows = connection.execute(
            "SELECT name, holder FROM leases WHERE job = $1 AND NOT shared AND expires > clock_timestamp()", (job,)
        )
        return {str(name): str(holder) for name, holder in rows}

    def _try(self, work: Callable[[Connection], T], seconds: float) -> T:
        """Do something on the connection, and again on a new one if it broke: it has to bear being done twice."""
        for left in reversed(range(1 + _AGAIN)):
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._target, seconds=seconds, stop=self._stop)
            try:
                return work(self._connection)
            except psycopg.Error as error:
                if not left or not self._connection.closed:
                    raise explained(error, self._target) from error
        raise AssertionError  # the last attempt returns or raises


def _draw(connection: Connection) -> int:
    row = connection.execute(_DRAW).fetchone()
    return int(row[0]) if row is not None else 0


def _refused(job: str, name: str, holder: str, left: int) -> LeaseHeld:
    error = held(job, name, holder)
    error.hint = f"wait until it is done; if it died, its lease runs out in {max(left, 1)} s"
    return error
