"""How fast `syncer` is, beside what else could do the work, in one run: `python -m tests.bench.speed`.

Rounds alternate, so that a machine that is busy for a while is unfair to all alike; medians and their spread are
shown. Every contestant is a process of its own and says itself how long its work took; start-up is not part of that,
and is in the column of the whole process. A server in further processes answers all of them; it is measured alone
too, because a comparison means nothing where the server is what holds the clients back.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.emulators.link_process import RemoteLink, link_process
from tests.support.command import command, environment
from tests.support.link_run import ROOT, prepare
from tests.support.measured import Cost, measured

RESULTS = Path(__file__).resolve().parent / "results"

#: The server alone has to be so many times as fast as the fastest contestant.
MARGIN = 3.0

#: Requests in flight, of all contestants that know how.
IN_FLIGHT = 64

#: Runs one round in an empty folder; returns items, seconds of work, and what the process cost.
Work = Callable[[Path], tuple[int, float, Cost]]


@dataclass(slots=True)
class Figures:
    """All rounds of one contestant."""

    name: str
    rates: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    items: int = 0

    def add(self, items: int, seconds: float, cost: Cost) -> None:
        """Take one round."""
        self.items = items
        self.rates.append(items / seconds)
        self.walls.append(cost.wall)
        self.cpus.append(cost.cpu)
        self.peaks.append(cost.peak / 1e6)

    @property
    def rate(self) -> float:
        """Items a second, the median."""
        return median(self.rates)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table: some contestants on one workload."""

    name: str
    title: str
    #: The contestant that the others are measured by.
    ceiling: str
    figures: Mapping[str, Figures]

    def ratio(self, name: str) -> float:
        """Return a contestant's rate as a part of the ceiling's: the median over rounds, each with its neighbour."""
        pairs = zip(self.figures[name].rates, self.figures[self.ceiling].rates, strict=True)
        return median(mine / theirs for mine, theirs in pairs)

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(title=self.title, title_justify="left")
        table.add_column("")
        for heading in ("items", "items/s", "spread", f"of {self.ceiling}", "process s", "CPU s", "CPU µs/item", "MB"):
            table.add_column(heading, justify="right")
        for each in self.figures.values():
            cpu = median(each.cpus)
            table.add_row(
                each.name, f"{each.items:,}", f"{each.rate:,.0f}", f"{min(each.rates):,.0f}–{max(each.rates):,.0f}",
                f"{self.ratio(each.name):.2f}", f"{median(each.walls):.2f}", f"{cpu:.2f}",
                f"{cpu / each.items * 1e6:,.0f}", f"{median(each.peaks):,.0f}",
            )  # fmt: skip
        console.print(table)

    def write(self, folder: Path) -> None:
        """Write all figures as JSON, with what they were measured on."""
        folder.mkdir(parents=True, exist_ok=True)
        found = {
            "title": self.title,
            "machine": machine(),
            "ratios": {name: round(self.ratio(name), 3) for name in self.figures},
            "ceiling": self.ceiling,
            "figures": {name: asdict(each) for name, each in self.figures.items()},
        }
        (folder / f"{self.name}.json").write_text(json.dumps(found, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Return what figures depend on."""
    packages = ("annotation-syncer", "aiohttp", "uvloop", "isal", "msgspec", "anyio", "httpx", "label-studio-sdk")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "versions": {name: version(name) for name in packages},
    }


def contestant(name: str, url: str, token: str, items: int) -> Work:
    """Return a program of `contestants`."""

    def work(folder: Path) -> tuple[int, float, Cost]:
        words = [sys.executable, "-m", "tests.bench.contestants", name, url, token, str(items)]
        cost = measured(words, cwd=folder, env=environment(folder, {"PYTHONPATH": str(ROOT)}))
        said = cost.json()
        assert said["items"] >= items - IN_FLIGHT
        return said["items"], said["seconds"], cost

    return work


def syncer(words: Sequence[str], prepared: Callable[[Path], Mapping[str, str]], items: int) -> Work:
    """Return a run of `syncer` in a folder that is prepared before."""

    def work(folder: Path) -> tuple[int, float, Cost]:
        env = environment(folder, prepared(folder))
        cost = measured(command(*words, "-o", "json", "-q"), cwd=folder, env=env)
        (report,) = cost.json()
        assert report["counts"]["stored"] == items, report
        started, ended = (datetime.fromisoformat(report[name]) for name in ("started", "ended"))
        return items, (ended - started).total_seconds(), cost

    return work


def compare(name: str, title: str, ceiling: str, works: Mapping[str, Work], rounds: int) -> Comparison:
    """Run the contestants in turn, so many rounds."""
    figures = {each: Figures(each) for each in works}
    for _ in range(rounds):
        for each, work in works.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                figures[each].add(*work(Path(folder)))
    return Comparison(name, title, ceiling, figures)


def on_links(platform: RemoteLink, items: int, serial: int) -> dict[str, Work]:
    """Return the contestants on a platform of links."""
    at = platform.url, platform.token

    def prepared(folder: Path, durability: str = "batch") -> dict[str, str]:
        sinks = {
            "zip": {"type": "zip", "url": "file:archive", "name": "items.zip"},
            "folder": {"type": "prefix", "url": "file:folder", "durability": durability},
        }
        return prepare(folder, platform, limits={"concurrency": IN_FLIGHT}, sinks=sinks)

    return {
        "server alone": contestant("hammer", *at, items),
        "bare aiohttp": contestant("bare", *at, items),
        "syncer to zip": syncer(["sync", "zip"], prepared, items),
        "syncer to folder": syncer(["sync", "folder"], prepared, items),
        "folder, no fsync": syncer(["sync", "folder"], lambda folder: prepared(folder, "none"), items),
        "serial into zipfile": contestant("serial", *at, serial),
    }


def links(items: int, size: int, latency: float, rounds: int, serial: int, only: Sequence[str] = ()) -> Comparison:
    """Compare on a platform of links: one content request an item."""
    with link_process(
        "--items", str(items), "--size", str(size), "--latency", str(latency), "--workers", "2"
    ) as platform:  # fmt: skip
        works = on_links(platform, items, serial)
        if latency:
            del works["server alone"]
        chosen = {name: work for name, work in works.items() if not only or name in {*only, "bare aiohttp"}}
        title = f"Links: {items:,} documents of {size:,} bytes, {latency * 1000:g} ms"
        return compare(f"links-{latency * 1000:g}ms", title, "bare aiohttp", chosen, rounds)


@contextmanager
def studio(tasks: int, boxes: int) -> Iterator[Mapping[str, str]]:
    """Run the embedded Label Studio in a process of its own; yield what it said about itself."""
    import subprocess  # noqa: PLC0415  # here only

    words = [sys.executable, "-m", "syncer.demo.platform", "--with-parent", "--tasks", str(tasks), "--finished"]
    with subprocess.Popen(
        [*words, "--boxes", str(boxes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def inline(tasks: int, boxes: int, rounds: int) -> Comparison:
    """Compare on Label Studio's task list, whose pages carry the documents."""
    with studio(tasks, boxes) as said:
        (project,) = said["projects"]
        where = ["--set", f"url={said['url']}", "--set", f"token={said['token']}"]
        export = ["export", "label_studio", "--project", project, *where, "--to"]
        at = said["url"], said["token"], tasks
        works = {
            "server alone": contestant("raw", *at),
            "label-studio-sdk": contestant("vendor", *at),
            "syncer to zip": syncer([*export, "out.zip"], lambda _: {}, tasks),
            "syncer to folder": syncer([*export, "out/", "--set", "sink.durability=none"], lambda _: {}, tasks),
        }
        return compare(
            "inline", f"Label Studio: {tasks:,} tasks, {boxes} boxes each", "label-studio-sdk", works, rounds
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.speed", description=__doc__)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--late-items", type=int, default=20_000, help="items where every answer takes 20 ms")
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--boxes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=(), help="links, late, inline")
    options = parser.parse_args(arguments)
    console = Console(width=150)
    runs: Mapping[str, Callable[[], Comparison]] = {
        "links": lambda: links(options.items, options.size, 0, options.rounds, serial=1000),
        "late": lambda: links(options.late_items, options.size, 0.02, options.rounds, serial=100),
        "inline": lambda: inline(options.tasks, options.boxes, options.rounds),
    }
    for name, run in runs.items():
        if not options.only or name in options.only:
            comparison = run()
            comparison.show(console)
            comparison.write(RESULTS)


if __name__ == "__main__":
    main()
