"""What a job of a million items costs more than one of ten thousand, an item: `python -m tests.bench.growth`.

Four questions: does memory or CPU per item grow; how soon does a pass that goes on after a million items ask for the
next; what does a pass cost that finds nothing new; and does sealing an archive depend on what lies in it already.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from syncer.model.errors import Exit
from tests.bench.figures import RESULTS, write
from tests.bench.sealing import Sealing, sealing
from tests.emulators.link_process import RemoteLink, link_process
from tests.support.command import command, environment
from tests.support.link_run import prepare
from tests.support.measured import Cost, measured
from tests.support.relay import Relay, relaying

#: Bytes of a document: what grows with their number is asked for, not what their bytes cost.
SIZE = 1024

#: The pass after which another one goes on.
STOPPED = "stopped"

#: Jobs of up to so many items are run so many times.
_SMALL, _ROUNDS = 20_000, 5

#: Seconds that one run may take.
_PATIENCE = 5 * 3600


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of a job, in a process of its own."""

    title: str
    items: int
    stored: int
    cost: Cost
    #: Requests for listings and for contents.
    listed: int
    asked: int
    #: Seconds from the start of the process to its first request.
    first: float | None = None

    def as_json(self) -> Mapping[str, Any]:
        """Return what is kept."""
        cost = self.cost
        return {
            "title": self.title, "items": self.items, "stored": self.stored, "seconds": round(cost.wall, 3),
            "cpu": round(cost.cpu, 3), "peak": cost.peak, "listings": self.listed, "contents": self.asked,
            "first_request": self.first,
        }  # fmt: skip


@contextmanager
def _platform(items: int) -> Iterator[RemoteLink]:
    with link_process("--items", str(items), "--size", str(SIZE), "--workers", "2") as platform:
        yield platform


def run(
    title: str, folder: Path, platform: RemoteLink, items: int, env: Mapping[str, str], *more: str, code: int = 0
) -> Pass:
    """Run one pass and count what it asks for."""
    before = platform.stats()
    words = command("sync", "zip", "-o", "json", "-q", "--progress", "none", *more)
    cost = measured(words, cwd=folder, env=environment(folder, env), timeout=_PATIENCE, code=code)
    after = platform.stats()
    (report,) = cost.json()
    return Pass(
        title, items, report["counts"]["stored"], cost, after["listed"] - before["listed"],
        after["content"] - before["content"],
    )  # fmt: skip


def sizes(counts: Sequence[int], console: Console) -> list[Pass]:
    """Run jobs of different sizes, each from nothing; the first has one item: what a process costs anyway.

    Small ones are run several times, and the one of median CPU counts: 0.1 s more or less are 10 µs an item there.
    """
    found = []
    for items in (1, *counts):
        again = []
        for _ in range(_ROUNDS if items <= _SMALL else 1):
            with tempfile.TemporaryDirectory(prefix="bench-") as name, _platform(items) as platform:
                again.append(run(f"{items:,} items", Path(name), platform, items, prepare(Path(name), platform)))
            assert again[-1].stored == items
        each = sorted(again, key=lambda one: one.cost.cpu)[len(again) // 2]
        console.print(f"{each.title}: {each.cost.wall:,.1f} s, {each.cost.peak >> 20} MiB")
        found.append(each)
    return found


async def again(items: int, console: Console) -> list[Pass]:
    """Go on after so many items are done; then find nothing new, by a listing of changes and by a whole one."""
    rest = max(1, items // 100)
    found = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _platform(items + rest) as platform:
        folder = Path(name)
        async with relaying(platform.url) as between:
            env = prepare(folder, replace(platform, url=between.url))
            for title, more in (
                (STOPPED, ("--max-items", str(items))),
                ("goes on", ()),
                ("nothing new", ()),
                ("nothing new, whole listing", ("--relist",)),
            ):
                each = await _timed(title, folder, platform, items, env, between, more)
                console.print(f"{title}: {each.cost.wall:,.1f} s, first request after {each.first or 0:.2f} s")
                found.append(each)
    stopped, goes_on, *nothing = found
    assert items <= stopped.stored < items + rest, stopped.stored
    assert goes_on.stored == items + rest - stopped.stored
    assert not any(each.stored or each.asked for each in nothing)
    return found


async def _timed(
    title: str, folder: Path, platform: RemoteLink, items: int, env: Mapping[str, str], between: Relay,
    more: Sequence[str],
) -> Pass:  # fmt: skip
    arrived: list[float] = []
    between.seen = lambda _: None if arrived else arrived.append(time.perf_counter())
    begun = time.perf_counter()
    code = Exit.STOPPED if title == STOPPED else Exit.DONE
    each = await asyncio.to_thread(run, title, folder, platform, items, env, *more, code=code)
    return replace(each, first=arrived[0] - begun if arrived else None)


def growth(passes: Sequence[Pass]) -> Iterator[tuple[Pass, float]]:
    """Yield each size with its CPU an item, less what a process costs anyway."""
    nothing, *sized = passes
    for each in sized:
        yield each, (each.cost.cpu - nothing.cost.cpu) / each.items


def show(console: Console, passes: Sequence[Pass], later: Sequence[Pass], sealed: Sequence[Sealing]) -> None:
    """Print the three tables."""
    table = Table("from nothing", "seconds", "CPU µs/item", "more than the smallest", "MB", "more than the smallest")
    (first, least), *_ = sized = list(growth(passes))
    for each, cpu in sized:
        table.add_row(
            each.title, f"{each.cost.wall:,.1f}", f"{cpu * 1e6:,.0f}", f"{cpu / least - 1:+.1%}",
            f"{each.cost.peak / 1e6:,.0f}", f"{each.cost.peak / first.cost.peak - 1:+.1%}",
        )  # fmt: skip
    console.print(table)
    table = Table(
        f"after {later[0].items:,} items", "stored", "first request after", "seconds", "CPU s", "MB", "listings",
        "contents",
    )  # fmt: skip
    for each in later:
        table.add_row(
            each.title, f"{each.stored:,}", "" if each.first is None else f"{each.first:.2f} s",
            f"{each.cost.wall:,.2f}", f"{each.cost.cpu:,.2f}", f"{each.cost.peak / 1e6:,.0f}", f"{each.listed:,}",
            f"{each.asked:,}",
        )  # fmt: skip
    console.print(table)
    table = Table("entries in the archive", "first seals", "last seals", "publishing", "of it an entry", "directory MB")
    for each in sealed:
        table.add_row(
            f"{each.entries:,}", f"{median(each.first) * 1e3:,.1f} ms", f"{median(each.last) * 1e3:,.1f} ms",
            f"{each.publish:,.2f} s", f"{each.publish / each.entries * 1e6:,.1f} µs", f"{each.directory / 1e6:,.1f}",
        )  # fmt: skip
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for results")
    options = parser.parse_args(arguments)
    console = Console(width=150)
    sealed = [asyncio.run(sealing(entries)) for entries in options.items]
    passes = sizes(options.items, console)
    later = asyncio.run(again(max(options.items), console))
    show(console, passes, later, sealed)
    found = {
        "document_bytes": SIZE,
        "sizes": [each.as_json() for each in passes],
        "cpu_per_item": {each.items: cpu for each, cpu in growth(passes)},
        "later": [each.as_json() for each in later],
        "sealing": [each.as_json() for each in sealed],
    }
    write(options.to, "growth", f"One pass of {', '.join(f'{items:,}' for items in options.items)} items", found)


if __name__ == "__main__":
    main()
