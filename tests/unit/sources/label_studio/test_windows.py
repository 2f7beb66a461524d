"""Windows: disjoint spans read side by side, handed on in order."""

from hypothesis import given
from hypothesis import strategies as st

from syncer.sources.label_studio.pace import Pace
from syncer.sources.label_studio.windows import Plan


@given(
    first=st.integers(1, 1000),
    width=st.integers(0, 5000),
    density=st.floats(0, 1),
    rows=st.integers(1, 300),
    totals=st.lists(st.integers(0, 400), max_size=50),
)
def test_windows_cover_every_id_exactly_once(
    first: int, width: int, density: float, rows: int, totals: list[int]
) -> None:
    """Whatever is learned about the density on the way, spans touch and never overlap."""
    plan = Plan(first, first + width, density, Pace(rows, 1000))
    expected = first
    for span, total in zip(plan, [*totals, *([rows] * 6000)], strict=False):
        assert span.first == expected
        assert span.last >= span.first
        expected = span.last + 1
        plan.learn(span, total)
    assert expected == first + width + 1


def test_sparse_projects_get_wide_windows() -> None:
    """A project with one task in a thousand ids does not cost a request per thousand ids."""
    plan = Plan(1, 10_000_000, 0.001, Pace(250, 1000))
    assert sum(1 for _ in plan) < 60
