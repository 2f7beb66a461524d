"""A state in PostgreSQL through the command line: references, what doctor says, copies both ways, upgrades."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from syncer.state.postgres import schema as schemas
from tests.support.postgres import PASSWORD, Postgres
from tests.unit.cli.conftest import Run

_EMPTY = "postgresql://somebody@127.0.0.1:1/nowhere?connect_timeout=1"


@pytest.fixture
def schema(postgres_server: Postgres) -> Iterator[str]:
    """Yield the name of a state that nobody uses."""
    with postgres_server.schema() as name:
        yield name


@pytest.fixture
def server_config(config: Path, monkeypatch: pytest.MonkeyPatch, postgres_server: Postgres, schema: str) -> Path:
    """Keep the state of the two jobs in PostgreSQL, its URL in a variable."""
    monkeypatch.setenv("TEST_STATE", postgres_server.url(schema))
    config.write_text(config.read_text().replace("sqlite:state.db", "env:TEST_STATE"))
    return config


def stored(run: Run) -> list[int]:
    """Sync both jobs, and return how many items each of them stored."""
    return [each["counts"]["stored"] for each in run("sync", "-o", "json").json()]


def test_a_state_lies_where_a_variable_says(run: Run, server_config: Path, platform: MemoryPlatform) -> None:
    """Nothing is fetched twice, nothing lies beside the file, and no command shows the password."""
    assert stored(run) == [5, 5]
    platform.put("6")
    assert stored(run) == [1, 1]
    assert not (server_config.parent / "state.db").exists()
    for words in (("config", "show"), ("doctor",), ("status",), ("state", "migrate"), ("history",), ("plan",)):
        ended = run(*words)
        assert ended.code == Exit.DONE, ended
        assert PASSWORD not in ended.out + ended.err
    assert "127.0.0.1" in run("doctor").out


def test_a_reference_may_be_a_file(run: Run, config: Path, postgres_server: Postgres, schema: str) -> None:
    """As a secret is mounted; one that others can read is warned about."""
    secret = config.parent / "url"
    secret.write_text(postgres_server.url(schema) + "\n")
    secret.chmod(0o644)
    config.write_text(config.read_text().replace("sqlite:state.db", "file:url"))
    assert "other users can read it" in run("sync").words()
    assert [each["items"] for each in run("status", "-o", "json").json()] == [5, 5]


def test_copies_go_both_ways_and_nothing_is_fetched_again(
    run: Run, config: Path, platform: MemoryPlatform, postgres_server: Postgres, schema: str
) -> None:
    """From a file to the server, and from there to another file; each goes on where the one before was."""
    assert stored(run) == [5, 5]
    url = postgres_server.url(schema)
    copied = run("state", "copy", "sqlite:state.db", url)
    assert (copied.code, PASSWORD in copied.err) == (Exit.DONE, False)
    config.write_text(config.read_text().replace("sqlite:state.db", url))
    assert stored(run) == [0, 0]
    platform.put("6")
    assert stored(run) == [1, 1]
    platform.delete("1")
    assert stored(run) == [0, 0]
    assert run("state", "copy", url, "sqlite:back.db").code == Exit.DONE
    config.write_text(config.read_text().replace(url, "sqlite:back.db"))
    assert stored(run) == [0, 0]
    platform.put("7")
    assert stored(run) == [1, 1]
    assert run("verify", "--deep").code == Exit.DONE
    assert [each["items"] for each in run("status", "-o", "json").json()] == [6, 6]


def test_a_copy_never_goes_over_another_state(run: Run, server_config: Path, schema: str) -> None:
    """Nor out of one that is not there; both are said, and nothing is written."""
    run("sync", "files")
    url = "env:TEST_STATE"
    assert run("state", "copy", url, "sqlite:a.db").code == Exit.DONE
    again = run("state", "copy", "sqlite:a.db", url)
    assert (again.code, "is not empty" in again.words()) == (Exit.SETTINGS, True)
    nothing = run("state", "copy", "sqlite:b.db", url)
    assert (nothing.code, "nothing to copy" in nothing.words()) == (Exit.USAGE, True)
    assert not (server_config.parent / "b.db").exists()
    assert run("state", "copy", "memory:", url).code != Exit.DONE
    assert run("state", "export", "c.db").code == Exit.USAGE


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("wrenches-and-bolts", "screws"), Exit.PERMISSION, "refuses this user or password"),
        (("syncer:wrenches", "nobody:wrenches"), Exit.PERMISSION, "refuses this user or password"),
        (("/syncer?", "/other?"), Exit.SETTINGS, "does not exist"),
        (("schema=", "color=red&schema="), Exit.SETTINGS, "does not understand"),
        (("?schema=", "?schema=Not-A-Name"), Exit.SETTINGS, "lower-case letters"),
    ],
)
def test_rule_24_what_is_wrong_is_said_without_the_password(
    run: Run, config: Path, postgres_server: Postgres, change: tuple[str, str], code: Exit, words: str
) -> None:
    """With the code that scripts act on."""
    url = postgres_server.url("unused").replace(*change)
    config.write_text(config.read_text().replace("sqlite:state.db", url))
    ended = run("sync")
    assert (ended.code, words in ended.words()) == (code, True), ended.words()
    assert PASSWORD not in ended.out + ended.err
    assert "screws" not in ended.out + ended.err


def test_an_older_schema_waits_for_migrate(
    run: Run, server_config: Path, schema: str, postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first use creates, an upgrade is somebody's decision, and a newer one is refused."""
    run("sync", "files")
    before = schemas.migrations()
    monkeypatch.setattr(schemas, "migrations", lambda: [*before, (len(before) + 1, "ALTER TABLE jobs ADD colour text")])
    refused = run("sync", "files")
    assert (refused.code, "syncer state migrate" in refused.words()) == (Exit.SETTINGS, True)
    with postgres_server.connect(schema) as connection:
        connection.execute(
            "INSERT INTO leases (job, name, shared, holder, expires) VALUES ('j', '', false, 'pid 7 on moon',"
            " now() + interval '1 hour')"
        )
        held = run("state", "migrate")
        assert (held.code, "pid 7 on moon" in held.words()) == (Exit.NOT_NOW, True)
        connection.execute("DELETE FROM leases")
    assert "2 steps were missing" in run("state", "migrate").words()  # the schema, and the task queue of a fleet
    assert run("sync", "files").code == Exit.DONE
    monkeypatch.setattr(schemas, "migrations", lambda: before)
    newer = run("sync", "files")
    assert (newer.code, "newer version" in newer.words()) == (Exit.SETTINGS, True)


def test_what_is_erased_leaves_the_tables(run: Run, server_config: Path, platform: MemoryPlatform, schema: str,
                                          postgres_server: Postgres) -> None:  # fmt: skip
    """No row, text or dead tuple of any table names it; what the server keeps beside them is said."""
    platform.put("item-of-a-person", b'{"name":"Ada-of-no-other-file"}', fields={"author": "Ada-of-no-other-file"})
    assert stored(run) == [6, 6]
    keys = server_config.parent / "keys"
    keys.write_text('["annotation","7",null,null,"item-of-a-person"]')
    ended = run("erase", "--keys-from", keys, "--yes")
    assert ended.code == Exit.DONE, ended.err
    assert "write-ahead log" in " ".join(ended.json()["jobs"][0]["left"])
    with postgres_server.connect(schema) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)).fetchall()
        for (table,) in tables:
            texts = connection.execute(f"SELECT t::text FROM {table} AS t")  # noqa: S608  # names of the catalogue
            assert not [text for (text,) in texts if "of-a-person" in str(text) or "Ada" in str(text)], table
    assert stored(run) == [0, 0]
    assert "suppressed 1" in run("sync", "--full").words()
