"""What PostgreSQL's errors mean for the person who runs the tool."""

import re

import psycopg
from psycopg import errors

from syncer.model.errors import NotNow, PermissionRefused, SettingsError, SyncerError
from syncer.state.postgres.target import Target

#: By the first letters of the SQLSTATE (appendix A of PostgreSQL's manual), longer ones first.
_FAULTS: tuple[tuple[str, type[SyncerError], str, str], ...] = (
    ("28", PermissionRefused, "refuses this user or password", "check user and password in the URL of the state"),
    ("42501", PermissionRefused, "may not be used by this user",
     "let the owner of the database run: CREATE SCHEMA {schema} AUTHORIZATION the user of the URL"),
    ("3D", SettingsError, "does not exist", "create the database, or name another one"),
    ("25P03", NotNow, "waited too long for this process", "look for what held it up, and run again"),
    ("25006", SettingsError, "is read-only", "name the primary server, not a standby of it"),
    ("53100", NotNow, "can't grow: the server's disk is full", "make room there and run again"),
    ("53300", NotNow, "takes no more connections", "raise max_connections there, or run fewer processes"),
    ("53", NotNow, "is short of resources", "look at the server, and run again"),
    ("55P03", NotNow, "waited too long for another process's lock",
     "run again later, or look for a process that hangs"),
    ("57014", NotNow, "took too long to answer", "look at the load of the server, and run again"),
    ("40", NotNow, "was in each other's way with another process", "run again"),
    ("08P02", SettingsError, "has a URL that the client library does not understand",
     "look at its parameters, for example ?sslmode=require"),
    ("08P01", SettingsError, "is reached through a pooler that does not pass on what the state needs",
     "connect to the server itself, or pool sessions instead of transactions"),
    ("26", SettingsError, "lost its tables: a pooler mixes up sessions, or somebody dropped them",
     "connect to the server itself, or pool sessions instead of transactions"),
    ("08", NotNow, "is away", "look whether the server runs and can be reached, and run again"),
    ("57", NotNow, "is away", "look whether the server runs and can be reached, and run again"),
    ("58", NotNow, "can't be read or written by its server", "look at the server's log"),
    ("XX", SettingsError, "is damaged", "restore it from a backup, or rebuild it (`syncer state rebuild`)"),
)  # fmt: skip

#: SQLSTATEs of a connection that failed, by the words that servers say in English: libpq passes on nothing else.
_WORDS = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("authentication failed", "28000"),
    ("no pg_hba.conf entry", "28000"),
    ("is not permitted to log in", "28000"),
    ("permission denied for database", "28000"),
    ("unsupported startup parameter", "08P01"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ('database ".*" does not exist', "3D000"),
    ('role ".*" does not exist', "28000"),
    ("invalid (connection option|URI|integer value|port number|sslmode)", "08P02"),
)

#: A table of ours in the words of the server.
_OWN = re.compile(r'relation "(rebuilding_|staged|writers|leases|meta|jobs|legs|units|partitions|items|positions)')


def explained(error: psycopg.Error, target: Target) -> Exception:
    """Return the error to raise instead: in words where the database's surroundings are at fault, else itself."""
    code = sqlstate(error)
    for prefix, kind, what, hint in _FAULTS:
        if code.startswith(prefix):
            detail = target.clean(str(error)).removeprefix("connection failed: ")
            return kind(f"the state {target.shown} {what} ({detail})", hint=hint.format(schema=target.schema))
    return error


def sqlstate(error: psycopg.Error) -> str:
    """Return the code of an error; a connection that broke, or did not come about, counts as such."""
    if isinstance(error, errors.UndefinedTable) and (lost := _OWN.search(str(error))):
        # Tables of a session end with it: its connection broke between two steps of a rebuild. All others were there
        # when this connection began; now another one answers for it, or somebody dropped them.
        return "08006" if lost[1] == "rebuilding_" else "26000"
    if error.sqlstate is not None:
        return error.sqlstate
    text, pgconn = str(error), error.pgconn
    said = next((code for words, code in _WORDS if re.search(words, text)), "")
    if said:
        return said
    if pgconn is not None and "FATAL" in text and (pgconn.needs_password or pgconn.used_password):
        # In a language that we don't read; the server asked for a password, and did not like ours.
        return "28P01"
    return "08006" if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else ""


def is_away(error: psycopg.Error) -> bool:
    """Tell whether the server can't be reached now, and may be later: it restarts, or the way to it is broken."""
    code = sqlstate(error)
    # 25P03: we were frozen in the middle of a transaction, and the server ended it.
    return code.startswith(("08", "57P", "53300", "25P03")) and not code.startswith("08P")


def is_undone(error: psycopg.Error) -> bool:
    """Tell whether the server undid a transaction that may be tried again at once."""
    return isinstance(error, errors.SerializationFailure | errors.DeadlockDetected)
