"""The commands of a fleet where it can't work: each says in words what is wrong, with the code that scripts act on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import syncer.cli.listeners
import syncer.cli.living
import syncer.observe.outcomes  # noqa: F401  # a command imports them on its loop, which is no bug of the command
from syncer.model.errors import Exit
from syncer.state.postgres import engine
from syncer.state.postgres import schema as schemas
from syncer.state.postgres.store import migrate
from tests.support.postgres import PASSWORD, Postgres
from tests.unit.cli.conftest import Run

#: Every command that needs a fleet.
COMMANDS = (("worker",), ("sync", "--fleet"), ("fleet", "cancel", "files"))


@pytest.fixture
def schema(postgres_server: Postgres) -> Iterator[str]:
    """Yield the name of a state that nobody uses."""
    with postgres_server.schema() as name:
        yield name


@pytest.mark.parametrize("words", COMMANDS)
def test_a_file_is_no_state_of_a_fleet(run: Run, config: Path, words: tuple[str, ...]) -> None:
    """And how to bring it along is said."""
    ended = run(*words)
    assert (ended.code, "syncer state copy" in ended.words()) == (Exit.SETTINGS, True), ended.words()


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("wrenches-and-bolts", "screws"), Exit.PERMISSION, "refuses this user or password"),
        (("/syncer?", "/other?"), Exit.SETTINGS, "does not exist"),
    ],
)
def test_a_database_that_can_not_be_used_is_named(
    run: Run, config: Path, postgres_server: Postgres, change: tuple[str, str], code: Exit, words: str
) -> None:
    """Never with its password."""
    config.write_text(config.read_text().replace("sqlite:state.db", postgres_server.url("unused").replace(*change)))
    ended = run("worker")
    assert (ended.code, words in ended.words()) == (code, True), ended.words()
    assert PASSWORD not in ended.out + ended.err


def test_rights_that_are_missing_are_named(run: Run, config: Path, postgres_server: Postgres, schema: str) -> None:
    """The state is there, and its owner did not allow us the tables of the queue."""
    url = postgres_server.url(schema)
    config.write_text(config.read_text().replace("sqlite:state.db", url))
    assert run("sync", "files").code == Exit.DONE
    with postgres_server.connect(schema) as connection:
        connection.execute(f'ALTER SCHEMA "{schema}" OWNER TO postgres')
        connection.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO syncer')
    ended = run("sync", "--fleet", "files")
    assert (ended.code, "may not be used by this user" in ended.words()) == (Exit.PERMISSION, True), ended.words()


def test_other_versions_of_tables_are_named(
    run: Run, config: Path, postgres_server: Postgres, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours and the queue's, older and newer, and a queue that is not installed."""
    url = postgres_server.url(schema)
    config.write_text(config.read_text().replace("sqlite:state.db", url))
    migrate(url)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "find_spec", lambda _: None)
        missing = run("worker")
        assert (missing.code, "annotation-syncer[postgres]" in missing.words()) == (Exit.SETTINGS, True)
    with monkeypatch.context() as patch:
        before = schemas.migrations()
        patch.setattr(schemas, "migrations", lambda: [*before, (len(before) + 1, "SELECT 1")])
        older = run("worker")
        assert (older.code, "syncer state migrate" in older.words()) == (Exit.SETTINGS, True)
    for change, words in (
        ("DELETE FROM engine_migrations WHERE name LIKE '03.04%'", "older procrastinate"),
        ("INSERT INTO engine_migrations VALUES ('99.00.00_01_pre_more.sql')", "newer procrastinate"),
        ("INSERT INTO migrations VALUES (999)", "newer version of syncer"),
    ):
        with postgres_server.connect(schema) as connection:
            connection.execute(change)
        ended = run("worker")
        assert (ended.code, words in ended.words()) == (Exit.SETTINGS, True), ended.words()


@pytest.mark.parametrize("option", ["--max-items=1", "--max-bytes=1MB", "--max-time=1m", "--shard=0/2"])
def test_what_is_about_one_process_does_not_go_with_a_fleet(run: Run, config: Path, option: str) -> None:
    """It is refused before anything is asked for."""
    ended = run("sync", "--fleet", option)
    assert (ended.code, "does not go with --fleet" in ended.words()) == (Exit.USAGE, True)


def test_a_job_that_is_not_there_is_named(run: Run, config: Path) -> None:
    """By each of the commands that take one."""
    for words in (("sync", "--fleet", "nothing"), ("fleet", "cancel", "nothing"), ("fleet", "pause", "nothing")):
        assert run(*words).code == Exit.USAGE


def test_without_a_run_there_is_nothing_to_stop(run: Run, config: Path, postgres_server: Postgres, schema: str) -> None:
    """The commands say so, with a code of its own."""
    config.write_text(config.read_text().replace("sqlite:state.db", postgres_server.url(schema)))
    for verb in ("cancel", "pause", "resume"):
        ended = run("fleet", verb, "files")
        assert (ended.code, "has no run of job files" in ended.words()) == (Exit.STOPPED, True)
