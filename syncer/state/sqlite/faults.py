"""What SQLite's errors mean for the person who runs the tool."""

import sqlite3

from syncer.model.errors import NotNow, SettingsError, SyncerError

#: Primary result codes (sqlite.org/rescode.html) and what can be said about each.
_RESTORE = "restore it from a backup, or move it away and rebuild it from the destination (`syncer state rebuild`)"
_FAULTS: dict[int, tuple[type[SyncerError], str, str]] = {
    sqlite3.SQLITE_BUSY: (
        NotNow, "is in use by another process", "run again later, or look for a process that hangs"),
    sqlite3.SQLITE_LOCKED: (NotNow, "is in use by another process", "run again later"),
    sqlite3.SQLITE_FULL: (NotNow, "can't grow: the disk is full", "make room on the disk and run again"),
    sqlite3.SQLITE_IOERR: (NotNow, "can't be read or written: disk I/O error",
                           "check the disk; keep the state on a local one, not on a network share"),
    sqlite3.SQLITE_NOMEM: (NotNow, "ran out of memory", "give the process more memory"),
    sqlite3.SQLITE_READONLY: (SettingsError, "is read-only", "let this user write to the file and its folder"),
    sqlite3.SQLITE_PERM: (SettingsError, "may not be opened", "let this user read and write the file and its folder"),
    sqlite3.SQLITE_AUTH: (SettingsError, "may not be opened", "let this user read and write the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: (SettingsError, "can't be opened",
                              "let this user read and write the file and its folder"),
    sqlite3.SQLITE_NOTADB: (SettingsError, "is not a database, or is damaged", _RESTORE),
    sqlite3.SQLITE_CORRUPT: (SettingsError, "is damaged", _RESTORE),
}  # fmt: skip


def explained(error: sqlite3.Error, where: str) -> Exception:
    """Return the error to raise instead: in words where the database's surroundings are at fault, else itself."""
    code = getattr(error, "sqlite_errorcode", None)
    fault = _FAULTS.get(code & 0xFF) if isinstance(code, int) else None
    if fault is None:
        return error
    kind, what, hint = fault
    return kind(f"the state {where} {what}", hint=hint)
