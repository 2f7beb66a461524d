"""Connections, each prepared in the same way: time limits, the schema in front, and no surprises about the server."""

import random
import threading
import time
from typing import cast

import psycopg

from syncer.model.errors import SettingsError
from syncer.state.postgres.faults import explained, is_away
from syncer.state.postgres.pooled import refuse_pooled_transactions
from syncer.state.postgres.target import Target
from syncer.state.postgres.texts import allow_nul
from syncer.state.postgres.transaction import Connection

#: First server with everything that the statements use.
OLDEST_SERVER = 130000

#: What a session is told unless its URL, user or database says otherwise; milliseconds.
LIMITS = {
    # A publish may move a million rows in one statement; nothing of ours takes longer than that.
    "statement_timeout": "600000",
    "lock_timeout": "30000",
    # A process that was frozen in mid-transaction must not keep others from taking over: shorter than their patience.
    "idle_in_transaction_session_timeout": "20000",
}

_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


def connect(target: Target, *, seconds: float, stop: threading.Event | None = None) -> Connection:
    """Return a prepared connection; while the server is away, try again for so many seconds.

    Raises:
        NotNow: it is still away, or `stop` was set.
        PermissionRefused, SettingsError: it will not let us in, or can't be used.
    """
    until = time.monotonic() + seconds
    pause = _PAUSE
    while True:
        try:
            return _prepared(target)
        except psycopg.Error as error:
            left = until - time.monotonic()
            if not is_away(error) or left <= 0 or (stop is not None and stop.is_set()):
                raise explained(error, target) from error
        # Not all processes of a fleet at once.
        wait = min(pause, left) * random.uniform(0.5, 1)  # noqa: S311  # nothing to guess
        if stop is None:
            time.sleep(wait)
        else:
            stop.wait(wait)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _prepared(target: Target) -> Connection:
    connection = cast(
        "Connection", psycopg.connect(target.url, autocommit=True, cursor_factory=psycopg.RawCursor)
    )  # fmt: skip
    try:
        _check(connection.info, target)
        allow_nul(connection)
        row = connection.execute(
            "SELECT pg_backend_pid(), set_config('search_path', quote_ident($1), false),"
            " set_config('max_parallel_workers_per_gather', '0', false),"
            " set_config('client_min_messages', 'warning', false)",
            (target.schema,),
        ).fetchone()
        refuse_pooled_transactions(connection, target, row[0] if row is not None else 0)
        for name, value in LIMITS.items():
            connection.execute(
                "SELECT set_config(name, $2, false) FROM pg_settings WHERE name = $1 AND source = 'default'",
                (name, value),
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _check(info: psycopg.ConnectionInfo, target: Target) -> None:
    if info.server_version < OLDEST_SERVER:
        raise SettingsError(
            f"the state {target.shown} lies on PostgreSQL {info.server_version // 10000}; 13 or newer is needed",
            hint="name a newer server",
        )
    if info.parameter_status("server_encoding") != "UTF8":
        raise SettingsError(
            f"the database of the state {target.shown} is not in UTF-8",
            hint="create it with ENCODING 'UTF8' (and TEMPLATE template0)",
        )
