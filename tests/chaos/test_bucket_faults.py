"""A bucket on a bad day: what may heal is repeated, the rest stops with the right code, and nothing is lost."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.bucket_faults import Fault, Gateway, gateway
from tests.support.buckets import Server
from tests.support.destination import Outcome, outcome_of
from tests.support.engine import Engine
from tests.support.s3 import Bucket

ITEMS = 40


@dataclass
class Day:
    """A job that writes into a bucket through a gateway."""

    folder: Path
    door: Gateway
    bucket: Bucket
    platform: MemoryPlatform

    def engine(self, **options: object) -> Engine:
        """Return a process's view."""
        sink = {"type": "prefix", "url": self.bucket.url, "endpoint": self.door.url, "retry_budget": 8, **options}
        return Engine(self.folder, MemorySource(self.platform), sinks={"lake": sink})

    async def outcome(self) -> Outcome:
        """Return what a reader finds, past the gateway."""
        (sink,) = self.engine(endpoint=self.bucket.server.endpoint).opened()
        return await outcome_of(sink, "job", self.bucket.contents())

    async def whole(self) -> None:
        """Check that a run brings, or has brought, all there is: each item once, in the manifest and in the bucket."""
        report = await self.engine().run()
        assert report.exit_code() is Exit.DONE, report.problems
        found = await self.outcome()
        assert len(found.rows) == ITEMS
        assert sorted(found.files) == sorted(path for _, path, _, _ in found.rows)
        assert self.bucket.uploads() == []


@pytest.fixture
async def day(tmp_path: Path, seaweed_server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Day]:
    """Return a platform with items, an empty prefix, and the way to it."""
    for name, value in seaweed_server.environment.items():
        monkeypatch.setenv(name, value)
    async with gateway(seaweed_server.endpoint) as door:
        yield Day(tmp_path, door, Bucket(seaweed_server, uuid4().hex), MemoryPlatform(ITEMS, size=3000))


HEALING = {
    "503": Fault(503, "SlowDown", times=6, methods="PUT", after=3),
    "500": Fault(500, "InternalError", times=3, after=10),
    "429": Fault(429, "TooManyRequests", times=4, methods="PUT", after=5),
    "resets": Fault(0, times=4, after=6),
    "resets of reads": Fault(0, times=3, methods="GET HEAD"),
    "done, then 500": Fault(500, "InternalError", times=3, methods="PUT", path=r"\.json", after=2, done=True),
    "done, then reset": Fault(0, times=3, methods="PUT", path=r"\.json", after=2, done=True),
    "segment done unanswered": Fault(0, times=1, methods="PUT", path=r"_manifest/.*\.jsonl", done=True),
    "HEAD done unanswered": Fault(0, times=1, methods="PUT", path=r"HEAD\.json", done=True),
    "HEAD done, then 503": Fault(503, "SlowDown", times=1, methods="PUT", path=r"HEAD\.json", done=True),
    "owner done unanswered": Fault(0, times=1, methods="PUT", path=r"owner\.json", done=True),
    "segment met another": Fault(
        409, "ConditionalRequestConflict", times=2, methods="PUT", path=r"_manifest/.*\.jsonl"
    ),
    "owner met another": Fault(409, "ConditionalRequestConflict", times=1, methods="PUT", path=r"owner\.json"),
    "checkpoint done unanswered": Fault(0, times=1, methods="PUT", path=r"checkpoint\.json", done=True),
}


@pytest.mark.parametrize("name", HEALING)
async def test_what_heals_is_repeated(day: Day, name: str) -> None:
    """The run notices nothing: it is done, and each item is there once."""
    fault = replace(HEALING[name])
    day.door.faults = [fault]
    await day.whole()
    assert fault.struck > 0


STOPPING = {
    "a bucket that vanishes": (Fault(404, "NoSuchBucket", after=25), Exit.SETTINGS, "no such bucket"),
    "expired credentials": (Fault(400, "ExpiredToken", after=25), Exit.PERMISSION, "have expired"),
    "permission lost": (Fault(403, "AccessDenied", after=25), Exit.PERMISSION, "access denied"),
    "writes refused": (Fault(403, "AccessDenied", methods="PUT", after=20), Exit.PERMISSION, "access denied"),
    "quota used up": (Fault(403, "QuotaExceeded", methods="PUT", after=20), Exit.NOT_NOW, "quota"),
    "storage full": (Fault(507, "XMinioStorageFull", methods="PUT", after=20), Exit.NOT_NOW, "full"),
    "503 for good": (Fault(503, "SlowDown", after=25), Exit.NOT_NOW, "slow down"),
    "resets for good": (Fault(0, after=25), Exit.NOT_NOW, "can't be used"),
    "500 for good": (Fault(500, "InternalError", after=25), Exit.NOT_NOW, "fails"),
    "no bucket at all": (Fault(404, "NoSuchBucket"), Exit.SETTINGS, "no such bucket"),
    "wrong keys": (Fault(403, "InvalidAccessKeyId"), Exit.PERMISSION, "access key"),
}


@pytest.mark.parametrize("name", STOPPING)
async def test_what_does_not_heal_stops_with_its_code(day: Day, name: str) -> None:
    """The run ends with the code of the cause and its name; once it is mended, the next run completes the work."""
    fault, code, words = STOPPING[name]
    day.door.faults = [replace(fault)]
    report = await day.engine(retry_budget=0.5).run()
    assert report.exit_code() is code, report.problems
    assert any(words in problem.message for problem in report.problems), report.problems
    assert all("testsecret" not in problem.message for problem in report.problems)
    day.door.faults = []
    await day.whole()
