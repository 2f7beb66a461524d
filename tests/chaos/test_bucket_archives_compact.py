"""Compaction of many parts in a real bucket, killed on the way: raw copies, nothing lost, nothing left behind."""

import hashlib
import io
import json
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest

from syncer.sinks.zip64.deflate import pack
from tests.support.buckets import Server
from tests.support.command import environment
from tests.support.compacting import document
from tests.support.s3 import Bucket

#: A process is killed after so many requests that changed something.
REQUESTS = 3


class Work:
    """The archives of one bucket, and the processes that work on them."""

    def __init__(self, folder: Path, server: Server, items: int, updates: int, limit: int) -> None:
        """Begin with nothing."""
        folder.mkdir()
        self.bucket, self.items, self.updates = Bucket(server, uuid4().hex), items, updates
        self._words = [str(folder), self.bucket.url, str(items), str(updates), str(limit)]
        self._environment = environment(folder, server.environment)

    def start(self, what: str) -> "subprocess.Popen[str]":
        """Start a process."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.compacting", what, *self._words],
            env=self._environment, text=True, stdout=subprocess.PIPE,
        )  # fmt: skip

    def done(self, what: str) -> list[str]:
        """Let a process come to its end; return what it said."""
        process = self.start(what)
        said, _ = process.communicate()
        assert process.returncode == 0
        return said.splitlines()

    def killed(self, requests: int) -> None:
        """Start a compaction and kill it after some requests."""
        process = self.start("compact")
        assert process.stdout is not None
        for _ in range(requests):
            assert not process.stdout.readline().startswith(("{", "\n")), "it ended before it was killed"
        process.kill()
        process.communicate()
        assert process.returncode == -9

    def entries(self) -> tuple[dict[str, str], int, int]:
        """Return the digest of the last entry of each path, and how many entries lie in how many parts."""
        found: dict[str, str] = {}
        names = sorted(name for name in self.bucket.names() if not name.startswith("_manifest/"))
        assert all(name.startswith("all.") for name in names), names
        count = 0
        for name in names:
            with zipfile.ZipFile(io.BytesIO(self.bucket.read(name))) as archive:
                for info in archive.infolist():
                    count += 1
                    found[info.filename] = hashlib.sha256(archive.read(info)).hexdigest()
        return found, count, len(names)

    def expected(self) -> set[str]:
        """Return the digests of all documents that are current."""
        renewed = set(random.Random(1).sample(range(self.items), self.updates))
        return {hashlib.sha256(document(number, int(number in renewed))).hexdigest() for number in range(self.items)}


def compacted(tmp_path: Path, server: Server, items: int, updates: int, limit: int, *, kills: int) -> None:
    """Fill, compact with kills, and compare."""
    work = Work(tmp_path / "killed", server, items, updates, limit)
    work.done("fill")
    before, entries, parts = work.entries()
    assert (len(before), entries) == (items, items + updates)
    assert 18 <= parts <= 23
    for _ in range(kills):
        work.killed(REQUESTS)
    work.done("compact")
    after, entries, _ = work.entries()
    assert set(after.values()) == work.expected()
    assert after.keys() == before.keys()
    assert entries == items, "a dead entry is still there"
    assert work.bucket.uploads() == []
    assert json.loads(work.done("compact")[-1])["freed"] == 0


@pytest.mark.slow
def test_a_compaction_that_is_killed_loses_nothing(tmp_path: Path, seaweed_server: Server) -> None:
    """3,000 entries in 20 parts, two kills: every current entry once, no dead one, nothing left in the bucket."""
    compacted(tmp_path, seaweed_server, 2160, 840, 71_000, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_large_compaction_copies_without_compressing(
    tmp_path: Path, seaweed_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """100,000 entries in 20 parts, five kills; what an entry costs undisturbed stands beside what compressing costs."""
    compacted(tmp_path, seaweed_server, 72_000, 28_000, 2_380_000, kills=5)
    items = 7200
    calm = Work(tmp_path / "calm", seaweed_server, items, 2800, 238_000)
    calm.done("fill")
    cpu = float(json.loads(calm.done("compact")[-1])["cpu"])
    bodies = [document(number, 0) for number in range(2000)]
    began = time.process_time()
    for body in bodies:
        pack(body)
    packing = (time.process_time() - began) / len(bodies)
    with capsys.disabled():
        print(f"\ncompaction: {cpu / items * 1e6:.0f} us of CPU an entry, compressing alone: {packing * 1e6:.0f} us")
    assert cpu / items < 10 * packing
