"""Migrations: numbered, applied once, together or not at all."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from syncer.model.errors import SettingsError
from syncer.state.sqlite import schema

NEXT = len(schema.migrations()) + 1
SECOND = (NEXT, "ALTER TABLE jobs ADD COLUMN colour TEXT;\nCREATE TABLE extra (x INTEGER);\n")
BROKEN = (NEXT + 1, "CREATE TABLE half (x INTEGER);\nCREATE TABEL nothing;\n")


def version(path: Path) -> int:
    """Return the number of the last script that was applied."""
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        return int(number)


def test_scripts_are_numbered_without_gaps() -> None:
    """0001, 0002, ... and each leaves a valid schema."""
    assert [number for number, _ in schema.migrations()] == list(range(1, len(schema.migrations()) + 1))


def test_a_later_script_is_applied_to_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows stay; a reader without the right to migrate says what to do."""
    path = tmp_path / "x.db"
    first = schema.migrations()
    with closing(schema.connect(path, busy_seconds=1)) as connection:
        connection.execute("INSERT INTO jobs (name) VALUES ('job')")
    monkeypatch.setattr(schema, "migrations", lambda: [*first, SECOND])
    with pytest.raises(SettingsError, match="older version of syncer") as caught:
        schema.connect_readonly(path, busy_seconds=1)
    assert "syncer state migrate" in (caught.value.hint or "")
    for _ in range(2):
        with closing(schema.connect(path, busy_seconds=1)) as connection:
            assert connection.execute("SELECT name, colour FROM jobs").fetchall() == [("job", None)]
    assert version(path) == NEXT


def test_a_script_that_fails_leaves_the_old_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All missing scripts or none."""
    path = tmp_path / "x.db"
    first = schema.migrations()
    schema.connect(path, busy_seconds=1).close()
    monkeypatch.setattr(schema, "migrations", lambda: [*first, SECOND, BROKEN])
    with pytest.raises(sqlite3.OperationalError):
        schema.connect(path, busy_seconds=1)
    assert version(path) == NEXT - 1
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert not tables & {"extra", "half"}


def test_processes_that_come_at_once_migrate_once(tmp_path: Path) -> None:
    """The second waits for the first, and finds everything done: one id, one schema."""
    ids: list[str] = []

    def work() -> None:
        with closing(schema.connect(tmp_path / "x.db", busy_seconds=30)) as connection:
            ids.append(connection.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()[0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_a_process_that_migrates_meanwhile_is_not_another_program(tmp_path: Path) -> None:
    """It is done between any two statements of ours that look at the file: the file is ours, before and after."""
    moments = 0
    for moment in range(1, 10):
        path, seen, came = tmp_path / f"{moment}.db", [0], list[str]()

        def look(statement: str, path: Path = path, seen: list[int] = seen, came: list[str] = came) -> None:
            seen[0] += 1
            if seen[0] == moment and not statement.startswith("BEGIN"):  # noqa: B023  # called in this round alone
                came.append(statement)
                schema.connect(path, busy_seconds=1).close()

        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.set_trace_callback(look)
            schema.migrate(connection, "here")
            connection.set_trace_callback(None)
            (tables,) = connection.execute("SELECT count(*) FROM meta WHERE name = 'id'").fetchone()
        assert tables == 1
        if not came:
            break
        moments += 1
    assert moments >= 1


def test_the_database_is_as_durable_as_it_should_be(tmp_path: Path) -> None:
    """Write-ahead log, synced at each commit, a small cache."""
    with closing(schema.connect(tmp_path / "x.db", busy_seconds=1)) as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "cache_size", "application_id")
        }
    assert settings == {
        "journal_mode": "wal", "synchronous": 2, "cache_size": -2048, "application_id": schema.APPLICATION_ID,
    }  # fmt: skip


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, not by a syntax error later on."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(SettingsError, match=r"3\.35 or newer is needed"):
        schema.connect(tmp_path / "x.db", busy_seconds=1)
