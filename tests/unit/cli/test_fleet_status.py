"""`syncer fleet status`, and what keeps a configuration from being a fleet's."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import syncer
from tests.support.postgres import Postgres

CONFIG = """
state: {state}
platforms:
  studio: {{type: label_studio, url: "http://127.0.0.1:9", token: x}}
sinks:
  lake: {{type: zip, url: "s3://bucket/x"{upload}}}
jobs:
  job: {{platform: studio, select: {{projects: ["1"]}}, sinks: [lake]}}
"""


@pytest.fixture
def state(postgres_server: Postgres) -> Iterator[str]:
    """Return the URL of a state of its own."""
    with postgres_server.schema() as schema:
        yield postgres_server.url(schema)


def configured(folder: Path, state: str, upload: str = "") -> Path:
    """Write a configuration."""
    (folder / "syncer.yaml").write_text(CONFIG.format(state=state, upload=upload))
    return folder


def test_an_empty_fleet_is_shown_as_such(tmp_path: Path, state: str) -> None:
    """Without workers and runs there are no rows, in any form."""
    folder = configured(tmp_path, state, ", upload: volumes")
    assert syncer("fleet", "status", "-o", "json", cwd=folder).ok().out.split() == ["[]"]
    assert "no worker" in syncer("fleet", "status", cwd=folder).ok().err


def test_rates_and_pauses_are_shown_by_account(tmp_path: Path, postgres_server: Postgres) -> None:
    """People read them as a table of its own, programs as rows of a kind."""
    with postgres_server.schema() as schema:
        folder = configured(tmp_path, postgres_server.url(schema), ", upload: volumes")
        syncer("fleet", "status", cwd=folder).ok()
        with postgres_server.connect(schema) as connection:
            connection.execute(
                "INSERT INTO quotas (name, origin, concurrency, rate, resumes)"
                " VALUES ('studio', 'https://studio.example.com', 32, 27.5, now() + interval '1 hour')"
            )
        told = syncer("fleet", "status", "-o", "jsonl", cwd=folder).ok().out
        shown = syncer("fleet", "status", cwd=folder).ok().out
    (row,) = [json.loads(line) for line in told.splitlines()]
    assert row.pop("pause") > 3_000
    assert row == {
        "kind": "account", "name": "studio", "origin": "https://studio.example.com", "rate": 27.5, "concurrency": 32,
        "members": 0,
    }  # fmt: skip
    assert {"ORIGIN", "RATE", "PAUSE", "https://studio.example.com", "27.5"} <= set(shown.split())


def test_a_file_is_no_state_of_a_fleet(tmp_path: Path) -> None:
    """With a state that no other machine reaches, the command says what to name instead."""
    ended = syncer("fleet", "status", cwd=configured(tmp_path, "sqlite:state.db"))
    assert (ended.code, "not the state of a fleet" in ended.err) == (78, True)


def test_archives_on_one_disk_are_not_for_a_fleet(tmp_path: Path, state: str) -> None:
    """Where archives grow in the spool, workers and submitted runs are refused, with what to use instead."""
    folder = configured(tmp_path, state)
    for words in (["worker"], ["sync", "--fleet"]):
        ended = syncer(*words, cwd=folder)
        assert (ended.code, "volumes" in ended.err) == (78, True), ended.err
