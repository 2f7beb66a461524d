"""What a state costs grows far less than what it holds. The table at full size is `python -m tests.bench.state`."""

from pathlib import Path

import pytest
from rich.console import Console

from tests.bench.state import figures, show

SIZES = (20_000, 200_000)


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_state(tmp_path: Path) -> None:
    """A page costs little more at ten times the rows, and ordered keys cost a file less than random ones."""
    found = figures(SIZES, tmp_path, print)
    show(Console(width=140), "A state at size", found)
    for kind in ("SQLite", "PostgreSQL"):
        few, many = (found[f"{kind}, {size:,}"] for size in SIZES)
        assert many["diff cpu"] < 3 * few["diff cpu"]
    file = found[f"SQLite, {SIZES[1]:,}"]
    assert file["ordered cpu"] < file["random cpu"]
