"""README.md says what was measured, and not more."""

from tests.bench.figures import RESULTS
from tests.bench.plot import NAME
from tests.bench.summary import DESIGN, README, aims, table, written


def test_the_design_names_what_was_missed() -> None:
    """The table of aims in the design is made from the files of results."""
    assert written(DESIGN) == aims()


def test_the_table_is_that_of_the_committed_results() -> None:
    """The table of speeds in README.md is made from the files of results, and their plot is there."""
    assert written(README) == table()
    assert f"tests/bench/results/{NAME}" in README.read_text("utf-8")
    assert (RESULTS / NAME).stat().st_size > 0
