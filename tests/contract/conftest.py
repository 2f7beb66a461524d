"""What the contract suites of states share."""

from pathlib import Path

import pytest

from tests.support.states import STATES, State


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    """Return an empty state, of every kind in turn."""
    return State(request.param, tmp_path)
