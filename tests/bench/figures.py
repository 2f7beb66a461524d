"""What was measured: the rounds of each contestant, compared with their neighbours in time, as a table and as JSON."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.measured import Cost

RESULTS = Path(__file__).resolve().parent / "results"

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

    @property
    def cpu(self) -> float:
        """Microseconds of CPU an item, the median, start-up included."""
        return median(self.cpus) / self.items * 1e6

    @property
    def whole(self) -> float:
        """Items a second of the whole process, its start-up included: the median."""
        return self.items / median(self.walls)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table: some contestants on one workload."""

    name: str
    title: str
    #: The contestant that the others are measured by.
    ceiling: str
    figures: Mapping[str, Figures]
    #: What else a reader of the results needs.
    notes: Mapping[str, Any] = field(default_factory=dict)

    def ratio(self, name: str) -> float:
        """Return a contestant's rate as a part of the ceiling's: the median over rounds, each with its neighbour."""
        pairs = zip(self.figures[name].rates, self.figures[self.ceiling].rates, strict=True)
        return median(mine / theirs for mine, theirs in pairs)

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(title=self.title, title_justify="left")
        table.add_column("")
        headings = ("items", "items/s", "spread", f"of {self.ceiling}", "process s", "its items/s", "CPU µs/item", "MB")
        for heading in headings:
            table.add_column(heading, justify="right")
        for each in self.figures.values():
            table.add_row(
                each.name, f"{each.items:,}", f"{each.rate:,.0f}", f"{min(each.rates):,.0f}–{max(each.rates):,.0f}",
                f"{self.ratio(each.name):.3f}", f"{median(each.walls):.2f}", f"{each.whole:,.0f}",
                f"{each.cpu:,.0f}", f"{median(each.peaks):,.0f}",
            )  # fmt: skip
        console.print(table)

    def write(self, folder: Path) -> None:
        """Write all figures as JSON, with what they were measured on."""
        found = {
            **self.notes,
            "ratios": {name: round(self.ratio(name), 3) for name in self.figures},
            "ceiling": self.ceiling,
            "figures": {name: asdict(each) for name, each in self.figures.items()},
        }
        write(folder, self.name, self.title, found)


def compare(
    name: str, title: str, ceiling: str, works: Mapping[str, Work], rounds: int,
    *, notes: Mapping[str, Any] | None = None, where: Path | None = None,
) -> Comparison:  # fmt: skip
    """Run the contestants in turn, so many rounds, in a folder that is there for them."""
    figures, failed = {each: Figures(each) for each in works}, dict[str, str]()
    for _ in range(rounds):
        for each in [one for one in works if one not in failed]:
            with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
                try:
                    figures[each].add(*works[each](Path(folder)))
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    # One that fails is left out; an hour of measurements of all others is not lost for it.
                    if each == ceiling:
                        raise
                    failed[each] = str(error)[-2000:]
                    print(f"{each} failed and is left out: {failed[each]}", file=sys.stderr)
    done = {each: found for each, found in figures.items() if each not in failed}
    return Comparison(name, title, ceiling, done, {**(notes or {}), "failed": failed})


def write(folder: Path, name: str, title: str, found: Mapping[str, Any]) -> None:
    """Write results as JSON, with what they were measured on."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"title": title, "machine": machine(), **found}, indent=1) + "\n")


def machine(packages: Sequence[str] = ()) -> dict[str, Any]:
    """Return what figures depend on."""
    ours = ("annotation-syncer", "aiohttp", "uvloop", "isal", "msgspec", "anyio", "httpx", "label-studio-sdk")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "versions": {name: version(name) for name in (*ours, *packages)},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
