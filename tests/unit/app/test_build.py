"""Jobs as they are built from a configuration."""

from pathlib import Path

import pytest

from syncer.app.library import open_syncer


@pytest.mark.parametrize(("limits", "fetchers"), [({}, 256), ({"concurrency": 16}, 32), ({"concurrency": 200}, 400)])
async def test_fetchers_follow_the_limit_of_requests(tmp_path: Path, limits: dict[str, int], fetchers: int) -> None:
    """Twice as many as requests may be in flight, so that the limit can be used, and a kill costs no more than that."""
    tree = {
        "state": f"sqlite:{tmp_path}/state.db",
        "platforms": {"memory": {"type": "memory", "limits": limits}},
        "sinks": {"out": {"type": "memory"}},
        "jobs": {"job": {"platform": "memory", "select": {"projects": ["7"]}, "sinks": ["out"]}},
    }
    async with open_syncer(None, add=tree) as syncer:
        job = await syncer.job("job")
    assert job.fetchers == fetchers
