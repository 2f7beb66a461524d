"""Notices a pooler that gives each transaction whatever session is free (PgBouncer with `pool_mode = transaction`).

Temporary tables, settings, prepared statements, LISTEN: all that belongs to a session would end up in somebody else's.
Nothing announces such a pooler, and with a single client it always gives the same session, so that all seems well.
"""

import psycopg

from syncer.model.errors import SettingsError
from syncer.state.postgres.target import Target
from syncer.state.postgres.transaction import Connection


def refuse_pooled_transactions(connection: Connection, target: Target, backend: int) -> None:
    """Refuse a connection whose transactions may run in different sessions; `backend` ran the last one.

    Raises:
        SettingsError: they may.
    """
    if connection.info.backend_pid == backend:
        # The number in the greeting is the session's own; poolers make one up, for requests to cancel.
        return
    with psycopg.connect(target.url, autocommit=True) as other:
        # Of sessions that are free the one used last is given away first. Ours is, unless it stays ours.
        other.execute("BEGIN")
        theirs = _backend(other)
        moved = theirs == backend or _backend(connection) != backend
        other.execute("ROLLBACK")
    if moved:
        raise SettingsError(
            f"the state {target.shown} is reached through a pooler that gives each transaction another session",
            hint="connect to the server itself, or to a pool of sessions (PgBouncer: pool_mode = session)",
        )


def _backend(connection: psycopg.Connection[tuple[int]] | Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row is not None else 0
