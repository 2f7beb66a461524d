"""What the tests of a state in PostgreSQL share."""

from collections.abc import Iterator

import pytest

from syncer.state.postgres.target import Target, parse
from tests.support.postgres import Postgres


@pytest.fixture
def schema(postgres_server: Postgres) -> Iterator[str]:
    """Yield the name of a state that nobody uses."""
    with postgres_server.schema() as name:
        yield name


@pytest.fixture
def target(postgres_server: Postgres, schema: str) -> Target:
    """Return where that state is."""
    return parse(postgres_server.url(schema))
