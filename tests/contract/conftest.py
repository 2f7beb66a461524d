"""What the contract suites of states share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Postgres
from tests.support.states import STATES, State


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """Return an empty state, of every kind in turn."""
    url = STATES[request.param]
    if url is not None:
        yield State(url, tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    with server.emptied() as schema:
        yield State(server.url(schema), tmp_path)
