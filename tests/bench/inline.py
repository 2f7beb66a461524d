"""Documents that lie on the pages of a listing: `python -m tests.bench.inline`.

How many megabytes a second `syncer` stores of an emulated Label Studio, beside the parser alone; and for how long its
event loop stands still at most, whichever thread is the reason: a parser in a thread holds the interpreter, too.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from urllib.request import Request, urlopen

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from syncer.app.library import open_syncer
from syncer.cli import heap
from tests.bench.figures import RESULTS, write
from tests.bench.studio import studio
from tests.support.command import environment
from tests.support.measured import measured
from tests.support.tree import ROOT

#: Documents of each size.
TASKS: Mapping[int, int] = {8_192: 5_000, 204_800: 300}

#: What the loop may stand still, in seconds.
LIMIT = 0.02

#: Seconds between two looks at the loop.
_LOOK = 0.001


@dataclass(frozen=True, slots=True)
class Stored:
    """One run of `syncer` in a process of its own."""

    bytes: int
    seconds: float
    #: Seconds that the loop was late: the most, and what one look in a thousand exceeds.
    longest: float
    rare: float


def parser_alone(said: Mapping[str, str], tasks: int) -> float:
    """Return the megabytes a second of orjson on the same pages."""
    pages = []
    for page in range(1, tasks // 100 + 1):
        query = f"project=1&fields=all&page_size=100&page={page}"
        asked = Request(f"{said['url']}/api/tasks?{query}", headers={"Authorization": f"Token {said['token']}"})  # noqa: S310  # our own server
        with urlopen(asked) as answer:  # noqa: S310  # same
            pages.append(answer.read())
    begun = time.perf_counter()
    for page in pages:
        assert orjson.loads(page)
    return sum(map(len, pages)) / (time.perf_counter() - begun) / 1e6


async def looked_at(config: Path) -> Stored:
    """Sync one job, and look at the loop meanwhile."""
    loop, late, over = asyncio.get_running_loop(), list[float](), False

    def look(due: float) -> None:
        # The loop's own clock stands still while it does.
        late.append(time.perf_counter() - due)
        if not over:
            loop.call_later(_LOOK, look, time.perf_counter() + _LOOK)

    async with open_syncer(config) as syncer:
        # As the command does it: a search for cycles among all that start-up made takes 50 ms.
        heap.bound()
        heap.settle()
        begun = time.perf_counter()
        look(begun)
        report = await syncer.sync("zip")
        seconds, over = time.perf_counter() - begun, True
    assert report.counts.stored == report.counts.listed, report
    return Stored(report.counts.bytes, seconds, max(late), quantiles(late, n=1000)[-1])


def run(said: Mapping[str, str]) -> Stored:
    """Run `syncer` once, in a process of its own."""
    (project,) = said["projects"]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        tree = {
            "state": "sqlite:state.db",
            "platforms": {"studio": {"type": "label_studio", "url": said["url"], "token": said["token"]}},
            "sinks": {"zip": {"type": "zip", "url": "file:archive", "name": "items.zip"}},
            "jobs": {"zip": {"platform": "studio", "select": {"projects": [project]}, "sinks": ["zip"]}},
        }
        config = Path(name) / "syncer.yaml"
        config.write_text(json.dumps(tree))
        words = [sys.executable, "-m", "tests.bench.inline", "--one", str(config)]
        cost = measured(words, cwd=Path(name), env=environment(Path(name), {"PYTHONPATH": str(ROOT)}))
        return Stored(**cost.json())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.inline", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for results")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(asdict(uvloop.run(looked_at(options.one)))))
        return
    table = Table("documents", "orjson alone", "syncer to zip", "of it", "loop stood still at most", "99.9 %")
    found = {}
    for size, tasks in TASKS.items():
        with studio(tasks, size) as said:
            alone, stored = [], []
            for _ in range(options.rounds):
                alone.append(parser_alone(said, tasks))
                stored.append(run(said))
        parsed, rate = median(alone), median(each.bytes / each.seconds / 1e6 for each in stored)
        longest = median(each.longest for each in stored)
        table.add_row(
            f"{tasks:,} of {size:,} bytes", f"{parsed:,.0f} MB/s", f"{rate:,.1f} MB/s", f"{rate / parsed:.2f}",
            f"{longest * 1000:.1f} ms", f"{median(each.rare for each in stored) * 1000:.1f} ms",
        )  # fmt: skip
        found[size] = {"tasks": tasks, "orjson": alone, "syncer": [asdict(each) for each in stored]}
    Console(width=150).print(table)
    write(options.to, "inline", "Label Studio: documents on the pages of its listing", {"limit": LIMIT, "sizes": found})


if __name__ == "__main__":
    main()
