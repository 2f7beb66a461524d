"""A process that fills archives in a bucket, or compacts them; it says each request that changed something.

`python -m tests.support.compacting fill|compact FOLDER URL ITEMS UPDATES LIMIT`
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from syncer.blobs.objects import ObjectBlobs
from syncer.flow.compact import compact_unit
from syncer.flow.job import CommitPolicy
from syncer.flow.units import group
from syncer.model.errors import Exit
from syncer.sinks.archive import parts
from syncer.sources.memory import MemoryPlatform, MemorySource
from tests.support.engine import Engine


def document(number: int, version: int) -> bytes:
    """Return a document of which half is left when it is compressed."""
    return b'{"label": "%s"}' % random.Random(number * 10 + version).randbytes(300).hex().encode()


def engine(folder: Path, url: str, platform: MemoryPlatform, limit: int) -> Engine:
    """Return the job: one appended archive in a bucket."""
    sinks = {"zip": {"type": "zip", "url": url, "name": "all.zip", "mode": "append", "max_part_size": limit}}
    policy = CommitPolicy(items=2000, interval=60)
    # The platform counts all it has for every page.
    return Engine(folder, MemorySource(platform, page_size=2000), sinks=sinks, commit=policy)


async def fill(folder: Path, url: str, items: int, updates: int, limit: int) -> None:
    """Export all items, then some of them once more."""
    platform = MemoryPlatform()
    for number in range(items):
        platform.put(str(number), document(number, 0))
    assert (await engine(folder, url, platform, limit).run()).exit_code() is Exit.DONE
    for number in random.Random(1).sample(range(items), updates):
        platform.put(str(number), document(number, 1))
    assert (await engine(folder, url, platform, limit).run()).exit_code() is Exit.DONE


async def compact(folder: Path, url: str, limit: int) -> None:
    """Compact, without a single call of the compressor; say what it cost."""
    for name in ("pack", "pack_file"):
        setattr(parts, name, _refused)
    for name in ("put_many", "copy", "remove_all"):
        setattr(ObjectBlobs, name, _told(getattr(ObjectBlobs, name), name))
    platform = MemoryPlatform()
    platform.put("0", b"")
    process = engine(folder, url, platform, limit)
    job = process.job()
    units = group([partition async for partition in job.source.partitions(job.select)], job.sinks)
    began = time.process_time()
    async with process.store() as store:
        freed = await compact_unit(job, store, units[0], run="r", clock=process.clock, emit=process.heard)
    print(json.dumps({"freed": freed, "cpu": time.process_time() - began}), flush=True)


def _refused(*_: object) -> None:
    raise AssertionError


def _told(real: Callable[..., Any], name: str) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        answer = await real(*args, **kwargs)
        print(name, flush=True)
        return answer

    return call


if __name__ == "__main__":
    what, where, target = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    count, renewed, size = (int(word) for word in sys.argv[4:])
    if what == "fill":
        asyncio.run(fill(where, target, count, renewed, size))
    else:
        asyncio.run(compact(where, target, size))
