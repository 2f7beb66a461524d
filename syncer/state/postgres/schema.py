"""Migrations by number, under a lock. A schema newer than ours is refused, an older one until somebody migrates it.

The first use of a database creates the schema. Later changes wait for `syncer state migrate`: processes of the version
before may still be at work, and only people know when those have stopped.
"""

import uuid
from importlib.resources import files

from syncer.model.errors import LeaseHeld, SettingsError
from syncer.state.postgres.target import Target
from syncer.state.postgres.transaction import Connection

_FOLDER = files("syncer.state") / "migrations" / "postgres"

#: Others that create or migrate the same schema wait.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"

#: Notes which scripts were applied, and marks the schema as ours.
_LEDGER = """
CREATE TABLE migrations (
    number integer PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT now()
)
"""


def migrations() -> list[tuple[int, str]]:
    """Return the numbered scripts, in order."""
    scripts = [entry for entry in _FOLDER.iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name[:4]), entry.read_text("utf-8")) for entry in scripts)


def exists(connection: Connection, target: Target) -> bool:
    """Tell whether there is a state, of whatever version."""
    return _version(connection, target) > 0


def ready(connection: Connection, target: Target) -> None:
    """Make sure that the schema is the present one; one that does not exist yet is created.

    Raises:
        SettingsError: it is newer or older than ours, or belongs to another program.
    """
    have = _version(connection, target)
    if have == 0:
        migrate(connection, target)
    elif have < _newest():
        raise SettingsError(
            f"the state {target.shown} was written by an older version of syncer (schema {have})",
            hint="stop everything that uses it, then bring it up to date with `syncer state migrate`",
        )


def migrate(connection: Connection, target: Target) -> int:
    """Apply the scripts that are missing, in one transaction; return how many there were.

    Raises:
        LeaseHeld: somebody is at work on an older schema.
    """
    scripts = migrations()
    with connection.transaction():
        connection.execute(LOCK, (target.schema,))
        have = _version(connection, target)
        missing = [(number, script) for number, script in scripts if number > have]
        if have and missing:
            quiet(connection, target)
        if not have:
            there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", (target.schema,)).fetchone()
            if there is None:
                connection.execute(f'CREATE SCHEMA "{target.schema}"')
            connection.execute(_LEDGER)
        for number, script in missing:
            connection.execute(script)
            connection.execute("INSERT INTO migrations (number) VALUES ($1)", (number,))
        if not have:
            connection.execute("INSERT INTO meta (name, value) VALUES ('id', $1)", (uuid.uuid4().hex,))
    return len(missing)


def quiet(connection: Connection, target: Target) -> None:
    """Refuse to go on while somebody is at work.

    Raises:
        LeaseHeld: somebody is.
    """
    found = connection.execute("SELECT holder FROM leases WHERE expires > clock_timestamp() LIMIT 1").fetchone()
    if found is not None:
        raise LeaseHeld(
            f"the state {target.shown} is being worked on by {found[0]}", hint="stop that process, then migrate"
        )


def _newest() -> int:
    return migrations()[-1][0]


def _version(connection: Connection, target: Target) -> int:
    """Return the number of the last script that was applied; 0 if there is nothing of ours."""
    tables = {
        name
        for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = $1", (target.schema,))
    }
    if not tables:
        return 0
    found = None
    if {"migrations", "meta", "positions"} <= tables:
        found = connection.execute("SELECT max(number) FROM migrations").fetchone()
    if found is None or found[0] is None:
        raise SettingsError(
            f"{target.shown}: the schema {target.schema} belongs to another program",
            hint="choose another one: add ?schema=NAME to the URL of the state",
        )
    if found[0] > _newest():
        raise SettingsError(
            f"the state {target.shown} was written by a newer version of syncer"
            f" (schema {found[0]}; this one knows {_newest()})",
            hint="use that version, or a state of its own for this one (?schema=NAME)",
        )
    return int(found[0])
