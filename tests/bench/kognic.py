"""`syncer` beside the vendor's own client of Kognic, in one run: `python -m tests.bench.kognic`.

Both save all annotations of one batch to a zip archive, the vendor's client as its documentation says, from the same
platform in a process of its own, which counts what it is asked. Each contestant is a process of its own, too, and
says itself how long its work took; start-up is in the column of the whole process. Rounds alternate.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.figures import RESULTS, machine
from tests.emulators.kognic import Remote, kognic_process
from tests.support.command import command, environment
from tests.support.link_run import ROOT
from tests.support.measured import Cost, measured

#: How many times as fast as the vendor's client we want to be.
AIM = 30

VENDOR = "kognic-io"


@dataclass(slots=True)
class Figures:
    """All rounds of one contestant."""

    name: str
    #: Seconds of work, and of the whole process.
    seconds: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    #: Peak memory in megabytes.
    peaks: list[float] = field(default_factory=list)
    #: What the platform was asked: alike in every round.
    listings: int = 0
    contents: int = 0
    others: int = 0
    connections: int = 0
    in_flight: int = 0

    def add(self, seconds: float, cost: Cost, stats: Mapping[str, Any]) -> None:
        """Take one round."""
        self.seconds.append(seconds)
        self.walls.append(cost.wall)
        self.cpus.append(cost.cpu)
        self.peaks.append(cost.peak / 1e6)
        self.listings, self.contents = (stats["requests"].get(name, 0) for name in ("search", "storage"))
        self.others = sum(stats["requests"].values()) - self.listings - self.contents
        self.connections, self.in_flight = sum(stats["connections"].values()), stats["peak"]


#: Runs one round in an empty folder; returns the seconds of work, and what the process cost.
Work = Callable[[Path], tuple[float, Cost]]


def vendor(platform: Remote, annotations: int) -> Work:
    """Return the recipe of the vendor's documentation."""

    def work(folder: Path) -> tuple[float, Cost]:
        at = (platform.url, platform.client_id, platform.client_secret)
        words = [sys.executable, "-m", "tests.bench.kognic", "--recipe", *at]
        cost = measured(words, cwd=folder, env=environment(folder, {"PYTHONPATH": str(ROOT)}))
        said = cost.json()
        assert said["annotations"] == annotations, said
        return said["seconds"], cost

    return work


def syncer(platform: Remote, annotations: int, to: str, *more: str) -> Work:
    """Return one line of `syncer`."""

    def work(folder: Path) -> tuple[float, Cost]:
        what = ["--project", platform.project, "--batch", platform.batch, "--annotation-type", platform.type]
        words = ["export", "kognic", *what, "--to", to, "--set", f"url={platform.url}", "-o", "json", "-q", *more]
        pair = {"KOGNIC_CLIENT_ID": platform.client_id, "KOGNIC_CLIENT_SECRET": platform.client_secret}
        cost = measured(command(*words), cwd=folder, env=environment(folder, pair))
        (report,) = cost.json()
        assert report["counts"]["stored"] == annotations, report
        started, ended = (datetime.fromisoformat(report[name]) for name in ("started", "ended"))
        return (ended - started).total_seconds(), cost

    return work


def recipe(url: str, client_id: str, client_secret: str) -> None:
    """Run the vendor's client in this process, and print what it did."""
    from tests.emulators.kognic import BATCH, PROJECT, TYPE  # noqa: PLC0415  # each contestant pays for its own imports
    from tests.support.kognic_io import archive, client, entries  # noqa: PLC0415  # same

    at = SimpleNamespace(url=url, auth=SimpleNamespace(client_id=client_id, client_secret=client_secret))
    begun = time.perf_counter()
    data = archive(client(at, max_retry_attempts=23, timeout=60), PROJECT, BATCH, TYPE)
    Path("out.zip").write_bytes(data)
    seconds = time.perf_counter() - begun
    print(json.dumps({"annotations": len(entries(data)), "seconds": seconds}))


def show(console: Console, title: str, figures: Mapping[str, Figures]) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in (
        "seconds", "times as fast", "process s", "CPU s", "peak MB", "listings", "contents", "others", "connections",
        "in flight",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for each in figures.values():
        table.add_row(
            each.name, f"{median(each.seconds):.2f}", f"{ratio(figures, each.name):.1f}", f"{median(each.walls):.2f}",
            f"{median(each.cpus):.2f}", f"{median(each.peaks):,.0f}", str(each.listings), f"{each.contents:,}",
            str(each.others), f"{each.connections:,}", str(each.in_flight),
        )  # fmt: skip
    console.print(table)


def ratio(figures: Mapping[str, Figures], name: str) -> float:
    """Return how many times as fast as the vendor's client a contestant is."""
    return median(figures[VENDOR].seconds) / median(figures[name].seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kognic", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--annotations", type=int, default=1000)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before every answer")
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--recipe", nargs=3, metavar=("URL", "ID", "SECRET"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.recipe:
        recipe(*options.recipe)
        return
    count, latency = options.annotations, options.latency
    flags = ("--annotations", count, "--size", options.size, "--latency", latency, "--page-size", options.page_size)
    with kognic_process(*map(str, flags)) as platform:
        works: Mapping[str, Work] = {
            VENDOR: vendor(platform, count),
            "syncer to zip": syncer(platform, count, "out.zip"),
            "syncer to folder": syncer(platform, count, "out/"),
            "folder, no fsync": syncer(platform, count, "out/", "--set", "sink.durability=none"),
        }
        figures = {name: Figures(name) for name in works}
        for _ in range(options.rounds):
            for name, work in works.items():
                platform.forget()
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    seconds, cost = work(Path(folder))
                figures[name].add(seconds, cost, platform.stats())
    title = f"Kognic: {count:,} annotations of {options.size:,} bytes, {latency * 1000:g} ms"
    show(Console(width=150), title, figures)
    found = {
        "title": title,
        "aim": AIM,
        "machine": {**machine(), VENDOR: version(VENDOR)},
        "times as fast": {name: round(ratio(figures, name), 1) for name in figures},
        "figures": {name: asdict(each) for name, each in figures.items()},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "kognic.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
