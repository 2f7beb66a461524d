"""Pace: page sizes follow the server."""

from syncer.sources.label_studio.pace import AIM, SLOW, Pace


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
    pace.note(50, 0.1, 10 * AIM)
    assert pace.rows == 5
    pace.note(5, SLOW - 1, AIM // 2)
    assert pace.rows == 5


def test_pages_never_grow_beyond_the_bytes_to_aim_at() -> None:
    """Documents of 256 kB come four to a page, those of 2 kB in hundreds."""
    for size, expected in ((256 * 1024, 4), (2 * 1024, 512)):
        pace = Pace(20, 1000)
        for _ in range(6):
            pace.note(pace.rows, 0.1, pace.rows * size)
        assert pace.rows == expected


def test_after_a_failure_growth_is_gentle() -> None:
    """A server that could not make a page is not asked for four times as much right after."""
    pace = Pace(200, 1000)
    pace.note(200, 0.1, 1000)
    assert pace.rows == 800
    pace.failed(800)
    sizes = []
    for _ in range(3):
        sizes.append(pace.rows)
        pace.note(pace.rows, 0.1, 1000)
    assert sizes == [400, 601, 902]


def test_a_page_can_always_be_asked_for_and_a_servers_maximum_binds() -> None:
    """Failures end at one row; a maximum is never exceeded."""
    pace = Pace(100, 300)
    for _ in range(10):
        pace.failed(pace.rows)
    assert pace.rows == 1
    pace = Pace(250, 1000)
    pace.cap(100)
    for _ in range(5):
        pace.note(pace.rows, 0.1, 1000)
    assert pace.rows == 100
