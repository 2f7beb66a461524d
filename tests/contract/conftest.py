"""What the contract suites of states share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Postgres
from tests.support.states import STATES, State


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Postgres) -> Iterator[State]:
    """Return an empty state, of every kind in turn."""
    with postgres_server.schema() as schema:
        yield State(STATES[request.param](postgres_server, schema), tmp_path)
