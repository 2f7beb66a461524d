"""SIGKILL at random instants of a real process: what is left goes on to the same result."""

from pathlib import Path

import pytest

from tests.support.survival import Survival, kill


async def test_a_few_kills_change_nothing(tmp_path: Path) -> None:
    """Six kills at random instants, with changes in between: folder, archive and manifest end as if undisturbed."""
    await Survival(kill, stops=6, tasks=600).check(tmp_path)


@pytest.mark.slow
async def test_a_few_kills_change_nothing_in_tables(tmp_path: Path) -> None:
    """Two kills at random instants, with changes in between: both kinds of table end as if undisturbed."""
    await Survival(kill, stops=2, tasks=150, sinks=("folder", "lines", "columns")).check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [20261122, 2, 3])
async def test_fifty_kills_change_nothing(tmp_path: Path, seed: int) -> None:
    """Fifty kills at random instants, with changes in between: folder, archive and manifest end as if undisturbed."""
    await Survival(kill, stops=50, tasks=3000, seed=seed).check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_fifty_kills_change_nothing_in_tables(tmp_path: Path) -> None:
    """Fifty kills at random instants, with changes in between: both kinds of table end as if undisturbed."""
    await Survival(kill, stops=50, tasks=3000, sinks=("folder", "lines", "columns")).check(tmp_path)
