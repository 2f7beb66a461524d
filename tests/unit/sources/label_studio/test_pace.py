"""Pace: page sizes follow the server."""

from syncer.sources.label_studio.pace import LARGE, SLOW, SMALL, Pace


def test_quick_full_pages_grow_up_to_the_most() -> None:
    """A page that was filled and came quickly is followed by a larger one."""
    pace = Pace(100, 300)
    sizes = []
    for _ in range(5):
        pace.note(pace.rows, 0.1, 1000)
        sizes.append(pace.rows)
    assert sizes == sorted(sizes)
    assert sizes[0] > 100
    assert sizes[-1] == 300


def test_a_page_that_was_not_filled_says_nothing() -> None:
    """The last window of a project is quick because it is empty."""
    pace = Pace(100, 300)
    pace.note(3, 0.1, 1000)
    assert pace.rows == 100


def test_slow_or_heavy_pages_shrink_and_mediocre_ones_stay() -> None:
    """Time and bytes both count."""
    pace = Pace(100, 300)
    pace.note(100, SLOW + 1, 1000)
    assert pace.rows == 50
    pace.note(50, 0.1, LARGE + 1)
    assert pace.rows == 25
    pace.note(25, 0.1, SMALL + 1)
    assert pace.rows == 25


def test_failures_halve_down_to_one_row_and_a_servers_maximum_binds() -> None:
    """There is always a page that can be asked for."""
    pace = Pace(100, 300)
    for _ in range(10):
        pace.failed(pace.rows)
    assert pace.rows == 1
    pace = Pace(250, 1000)
    pace.cap(100)
    for _ in range(5):
        pace.note(pace.rows, 0.1, 1000)
    assert pace.rows == 100
