"""Annotations in tables and in an archive, what they take and cost: `python -m tests.bench.tables`.

An emulated Kognic in a process of its own serves the same annotations to `syncer export` into a zip archive, lines of
JSON (plain, gz, zst) and Parquet. Then DuckDB counts in each table twice: items, by a key column alone, and what stands
in the documents, by looking into all of them.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import duckdb
from rich.console import Console
from rich.table import Table

from tests.bench.figures import RESULTS, Figures, write
from tests.bench.kognic import syncer
from tests.emulators.kognic import Remote, kognic_process

#: Destinations by name.
SHAPES: Mapping[str, str] = {
    "zip": "out.zip",
    "jsonl": "out.jsonl",
    "jsonl, gz": "out.jsonl.gz",
    "jsonl, zst": "out.jsonl.zst",
    "parquet": "out.parquet",
}
_KEYS = "SELECT count(DISTINCT item) FROM {rows} WHERE kind = 'annotation'"
_DOCUMENTS = _KEYS.replace("item", "document->>'$.openlabel.metadata.uuid'")
#: Said, not guessed: OpenLABEL has names of its own in every document, and DuckDB would make columns of them all.
_TYPES = "columns = {kind: 'VARCHAR', item: 'VARCHAR', document: 'JSON'}"


@dataclass(slots=True)
class Shape:
    """All rounds of one destination."""

    figures: Figures
    #: Bytes of its files.
    size: int = 0
    #: Milliseconds of a query that needs key columns alone, and of one that looks into every document.
    keys: list[float] = field(default_factory=list)
    documents: list[float] = field(default_factory=list)


def asked(path: Path, query: str) -> tuple[float, int]:
    """Return how many milliseconds DuckDB took for a query, and its answer; with a connection of its own."""
    rows = f"read_parquet('{path}')" if path.suffix == ".parquet" else f"read_json('{path}', {_TYPES})"
    with duckdb.connect() as connection:
        begun = time.perf_counter()
        row = connection.execute(query.format(rows=rows)).fetchone()
        spent = time.perf_counter() - begun
    assert row is not None
    return spent * 1e3, int(row[0])


def measure(platform: Remote, annotations: int, rounds: int) -> dict[str, Shape]:
    """Export into each destination in turn, so many rounds, and query the tables."""
    found = {name: Shape(Figures(name)) for name in SHAPES}
    for _ in range(rounds):
        for name, to in SHAPES.items():
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                seconds, cost = syncer(platform, annotations, to)(Path(folder))
                found[name].figures.add(annotations, seconds, cost)
                path = Path(folder) / to
                found[name].size = path.stat().st_size
                if path.suffix == ".zip":
                    continue
                for query, times in ((_KEYS, found[name].keys), (_DOCUMENTS, found[name].documents)):
                    spent, answer = asked(path, query)
                    assert answer == annotations, (name, query, answer)
                    times.append(spent)
    return found


def show(console: Console, title: str, found: Mapping[str, Shape]) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("MB", "bytes/item", "items/s", "CPU µs/item", "peak MB", "keys, ms", "documents, ms"):
        table.add_column(heading, justify="right")
    for name, each in found.items():
        table.add_row(
            name, f"{each.size / 1e6:,.1f}", f"{each.size / each.figures.items:,.0f}", f"{each.figures.rate:,.0f}",
            f"{each.figures.cpu:,.0f}", f"{median(each.figures.peaks):,.0f}",
            *(f"{median(times):,.0f}" if times else "" for times in (each.keys, each.documents)),
        )  # fmt: skip
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tables", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--annotations", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for results")
    options = parser.parse_args(arguments)
    flags = ("--annotations", options.annotations, "--size", options.size, "--page-size", 500, "--varied")
    with kognic_process(*map(str, flags)) as platform:
        found = measure(platform, options.annotations, options.rounds)
    title = f"Kognic: {options.annotations:,} annotations of {options.size:,} bytes, 0 ms"
    show(Console(width=140), title, found)
    shapes = {name: asdict(each) for name, each in found.items()}
    # `chrt -r 1` in front of the command puts it before all else that the machine does.
    realtime = os.sched_getscheduler(0) == os.SCHED_RR
    write(options.to, "tables", title, {"realtime": realtime, "shapes": shapes})


if __name__ == "__main__":
    main()
