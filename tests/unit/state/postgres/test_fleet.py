"""The tables of a fleet: those of the task queue come by its own scripts, and what is known of a fleet is one view."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncer.model.errors import SettingsError
from syncer.state.postgres import engine
from syncer.state.postgres.connecting import connect
from syncer.state.postgres.store import migrate, open_postgres
from syncer.state.postgres.target import Target, parse
from tests.support.postgres import Postgres


def use(target: Target) -> None:
    """Do what a worker does before it looks for work."""
    connection = connect(target, seconds=5)
    try:
        engine.ready(connection, target)
    finally:
        connection.close()


def test_the_first_worker_makes_the_queue_and_a_migration_does_too(postgres_server: Postgres) -> None:
    """Either comes first, and the other finds nothing left to do."""
    with postgres_server.schema() as one, postgres_server.schema() as other:
        assert migrate(postgres_server.url(one)) > 1
        assert migrate(postgres_server.url(one)) == 0
        use(parse(postgres_server.url(one)))
        connection = connect(target := parse(postgres_server.url(other)), seconds=5)
        connection.execute(f'CREATE SCHEMA "{other}"')
        engine.ready(connection, target)
        found = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()
        assert found == (0,)
        connection.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("INSERT INTO engine_migrations (name) VALUES ('99.00.00_01_pre_more.sql')", "newer procrastinate"),
        ("DELETE FROM engine_migrations WHERE name LIKE '03.04%'", "older procrastinate"),
    ],
)
def test_another_version_of_the_queue_is_told(postgres_server: Postgres, change: str, words: str) -> None:
    """Neither is worked with: a newer one asks for an installation, an older one for a migration."""
    with postgres_server.schema() as schema:
        migrate(postgres_server.url(schema))
        with postgres_server.connect(schema) as connection:
            connection.execute(change)
        with pytest.raises(SettingsError, match=words) as caught:
            use(parse(postgres_server.url(schema)))
        assert caught.value.hint


def test_without_the_queue_installed_it_is_said(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet names what to install; a migration of the state goes on without it."""
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with postgres_server.schema() as schema:
        migrate(postgres_server.url(schema))
        with pytest.raises(SettingsError, match="not installed") as caught:
            use(parse(postgres_server.url(schema)))
        assert "annotation-syncer[postgres]" in (caught.value.hint or "")


async def test_a_view_shows_workers_runs_and_what_waits(postgres_server: Postgres, tmp_path: Path) -> None:
    """A worker that no longer beats is silent, and its unit stalled; counters of units add up to those of their run."""
    with postgres_server.schema() as schema:
        store = await open_postgres(parse(postgres_server.url(schema)), now=lambda: datetime.now(UTC))
        assert store is not None
        try:
            empty = await store.fleet()
            assert empty is not None
            assert (empty.workers, empty.runs, empty.stalled) == ([], [], 0)
            with postgres_server.connect(schema) as connection:
                connection.execute(
                    "INSERT INTO fleet_workers (id, host, pid, version, queues, concurrency, silent, beat) VALUES"
                    " ('a', 'here', 1, '1', '', 4, 30, now()),"
                    " ('b', 'there', 2, '1', 'big small', 4, 30, now() - interval '1 hour')"
                )
                connection.execute(
                    "INSERT INTO fleet_runs (id, job, run, state, config, options, why, queue, units, remaining)"
                    " VALUES (1, 'j', 'r', 'running', 'c', '{}', 'command', 'default', 4, 3)"
                )
                connection.execute(
                    "INSERT INTO fleet_units (run, number, name, partitions, state, worker, counts) VALUES"
                    " (1, 0, 'p0', '[]', 'done', 'a', '{\"listed\": 5, \"stored\": 5}'),"
                    " (1, 1, 'p1', '[]', 'running', 'b', '{\"listed\": 2, \"stored\": 1, \"owed\": 1}'),"
                    " (1, 2, 'p2', '[]', 'queued', NULL, NULL), (1, 3, 'p3', '[]', 'waiting', NULL, NULL)"
                )
            view = await store.fleet()
            assert view is not None
            assert [(each.name, each.state, each.queues) for each in view.workers] == [
                ("a", "working", ()),
                ("b", "silent", ("big", "small")),
            ]
            (run,) = view.runs
            assert (run.units, run.waiting, run.running, run.done, run.stalled) == (4, 2, 1, 1, 1)
            assert (run.listed, run.stored, run.owed) == (7, 6, 1)
            (queue,) = view.queues
            assert (queue.name, queue.waiting, queue.running, queue.stalled) == ("default", 2, 1, 1)
            assert (view.alive, view.stalled) == (1, 1)
        finally:
            await store.close()


async def test_a_view_shows_the_limits_that_are_shared_now(postgres_server: Postgres) -> None:
    """An account that nobody uses any more is left out; of the others the rate, the pause, and how many share it."""
    with postgres_server.schema() as schema:
        store = await open_postgres(parse(postgres_server.url(schema)), now=lambda: datetime.now(UTC))
        assert store is not None
        try:
            with postgres_server.connect(schema) as connection:
                connection.execute(
                    "INSERT INTO quotas (id, name, origin, concurrency, rate, resumes) VALUES"
                    " (1, 'studio', 'https://a', 32, 27.5, now()), (2, 'studio', 'https://b', 16, NULL, now()),"
                    " (3, 'vi', 'https://c', 8, 1.5, now() + interval '1 hour')"
                )
                connection.execute(
                    "INSERT INTO quota_members (quota, member, wanted, tokens, held, served, expires) VALUES"
                    " (1, gen_random_uuid(), 1, 1, 1, 0, now() + interval '1 hour'),"
                    " (1, gen_random_uuid(), 1, 1, 1, 0, now() + interval '1 hour'),"
                    " (2, gen_random_uuid(), 1, 1, 1, 0, now() - interval '1 hour')"
                )
            view = await store.fleet()
            assert view is not None
            used, paused = view.accounts
            assert (used.name, used.origin, used.rate, used.concurrency) == ("studio", "https://a", 27.5, 32)
            assert (used.pause, used.members) == (0, 2)
            assert (paused.name, paused.rate, paused.members) == ("vi", 1.5, 0)
            assert 3_000 < paused.pause <= 3_600
        finally:
            await store.close()
