"""Verification of a root that several jobs share."""

from pathlib import Path

from syncer.flow.verify import verify
from syncer.model.errors import Exit
from syncer.model.refs import PartitionKey
from syncer.ports import Selection
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine


async def test_another_jobs_objects_are_none_of_our_business(tmp_path: Path) -> None:
    """Objects below another job's claim are no finding; a stray one below ours is."""
    platform = MemoryPlatform(3)
    platform.put("1", partition=PartitionKey("8"))
    sinks = {"lake": {"type": "prefix", "url": "file:lake", "path": "{project}/{item}.json"}}
    jobs = [
        Engine(tmp_path, MemorySource(platform), Selection(projects=(project,)), sinks=sinks, name=f"job-{project}")
        for project in ("7", "8")
    ]
    for job in jobs:
        assert (await job.run()).exit_code() is Exit.DONE
    (tmp_path / "lake/7/stray.json").write_bytes(b"{}")
    findings = [
        [(found.kind, found.path) async for found in verify(job.opened()[0], job.name, deep=True)] for job in jobs
    ]
    assert findings == [[("extra", "7/stray.json")], []]
