"""The tables of the task queue, in the schema of the state, by procrastinate's own scripts.

They are looked for, never imported: importing the queue takes half a second, and only workers need it. The first
worker creates the tables; scripts of a newer procrastinate wait for `syncer state migrate`, as ours do.
"""

from importlib.util import find_spec
from pathlib import Path

from syncer.model.errors import SettingsError
from syncer.state.postgres.schema import LOCK, quiet
from syncer.state.postgres.target import Target
from syncer.state.postgres.transaction import Connection

#: Notes which scripts were applied.
_LEDGER = """
CREATE TABLE engine_migrations (
    name text COLLATE "C" PRIMARY KEY,
    applied timestamptz NOT NULL DEFAULT now()
)
"""

_HINT = "pip install 'annotation-syncer[postgres]'"


def installed() -> Path | None:
    """Return the folder of procrastinate's scripts, None where it is not installed."""
    spec = find_spec("procrastinate")
    folders = None if spec is None else spec.submodule_search_locations
    return Path(folders[0]) / "sql" if folders else None


def ready(connection: Connection, target: Target) -> None:
    """Make sure that the queue is there, as the installed procrastinate needs it; it is created if it is not.

    Raises:
        SettingsError: procrastinate is not installed, or the tables are those of an older or a newer one.
    """
    folder = installed()
    if folder is None:
        raise SettingsError("a fleet needs the task queue procrastinate, which is not installed", hint=_HINT)
    applied = _applied(connection, target)
    if applied is None:
        migrate(connection, target)
        return
    known = set(_names(folder))
    if newer := sorted(applied - known):
        raise SettingsError(
            f"the task queue in {target.shown} was made by a newer procrastinate ({newer[-1]})",
            hint=f"install that version here too: {_HINT}",
        )
    if known - applied:
        raise SettingsError(
            f"the task queue in {target.shown} was made by an older procrastinate",
            hint="stop all workers, then bring it up to date with `syncer state migrate`",
        )


def migrate(connection: Connection, target: Target) -> int:
    """Apply the scripts that are missing, in one transaction; return how many. None where it is not installed.

    Raises:
        LeaseHeld: somebody is at work with the older tables.
    """
    folder = installed()
    if folder is None:
        return 0
    with connection.transaction():
        connection.execute(LOCK, (target.schema,))
        applied = _applied(connection, target)
        if applied is None:
            connection.execute(_LEDGER)
            connection.execute((folder / "schema.sql").read_text("utf-8"))
            steps, missing = 1, _names(folder)
        else:
            missing = [name for name in _names(folder) if name not in applied]
            steps = len(missing)
            if missing:
                quiet(connection, target)
            for name in missing:
                connection.execute((folder / "migrations" / name).read_text("utf-8"))
        for name in missing:
            connection.execute("INSERT INTO engine_migrations (name) VALUES ($1)", (name,))
    return steps


def _names(folder: Path) -> list[str]:
    """Return the names of all scripts; they sort as they are to be applied."""
    return sorted(path.name for path in (folder / "migrations").glob("*.sql"))


def _applied(connection: Connection, target: Target) -> set[str] | None:
    there = connection.execute(
        "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'engine_migrations'", (target.schema,)
    ).fetchone()
    if there is None:
        return None
    return {str(name) for (name,) in connection.execute("SELECT name FROM engine_migrations")}
