"""How a process that used a bucket ends: with its own exit code, never by a signal."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.buckets import Server
from tests.support.command import syncer
from tests.support.s3 import Bucket

#: Runs of each case: left alone, the client takes a third of them down with SIGABRT.
RUNS = 20

#: Ends right after the last answer, at its most dangerous: an upload in parts, many small writes, a listing.
CLIENT = """
import asyncio, sys
from pathlib import Path
from syncer.blobs.roots import open_root
async def main():
    blobs = open_root(sys.argv[1], Path("/"))
    if sys.argv[2] == "parts":
        await blobs.put_many([("large", bytes(9 << 20))], "_manifest/.tmp/x")
    elif sys.argv[2] == "puts":
        await blobs.put_many([(f"small/{n}", b"{}") for n in range(50)], "_manifest/.tmp/x")
    else:
        async for _ in blobs.list():
            pass
asyncio.run(main())
sys.exit(7)
"""


def ended(url: str, what: str, env: Mapping[str, str], count: int) -> list[int]:
    """Run the client several times, a few at once, and return how each ended."""
    codes: list[int] = []
    while len(codes) < count:
        running = [
            subprocess.Popen([sys.executable, "-c", CLIENT, url, what], env={**os.environ, **env}) for _ in range(4)
        ]
        codes += [process.wait() for process in running]
    return codes


@pytest.mark.parametrize(
    "what", ["parts", pytest.param("puts", marks=pytest.mark.slow), pytest.param("listing", marks=pytest.mark.slow)]
)
def test_a_process_ends_with_its_own_code(seaweed_server: Server, what: str) -> None:
    """Twenty processes that end at once after the last answer all end with their own exit code."""
    url = seaweed_server.url(uuid4().hex)
    assert ended(url, what, seaweed_server.environment, RUNS) == [7] * RUNS


@pytest.mark.slow
def test_the_command_ends_with_its_own_code(tmp_path: Path, seaweed_server: Server) -> None:
    """Twenty commands that look into a bucket where nothing is say so, and none dies of it."""
    bucket = Bucket(seaweed_server, uuid4().hex)
    for _ in range(RUNS):
        asked = syncer("manifest", bucket.url, cwd=tmp_path, env=seaweed_server.environment)
        assert (asked.code, "no manifest" in asked.err) == (78, True)
