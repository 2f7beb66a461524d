"""What a state costs at size, in a file and in PostgreSQL side by side: `python -m tests.bench.state`.

Commits of 500 new items (random and ordered keys), the comparison of a page of 1,000 listed items with what is stored,
bytes an item, memory, and what one lease of shared request slots costs. `--sizes 1000000,10000000` takes an hour.
Every case is a process of its own; with `--realtime` (as root) what is measured has priority over all else, so that a
busy machine shows the figures of a quiet one.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from statistics import median
from uuid import UUID

from rich.console import Console
from rich.table import Table

from syncer.model.checkpoint import Candidate, Change, CommitGroup, LegSpec
from syncer.model.entries import StoredRow
from syncer.model.refs import AnnotationRef, Cursor
from syncer.model.rows import ManifestRow
from syncer.ports import Account, Ledger, Standing, Terms
from syncer.state import open_quotas, open_state
from tests.bench.figures import RESULTS, write
from tests.support.postgres import Postgres, postgres
from tests.support.stored import START, key, manifest_row, partition, sha256, unit

#: Items of a commit, commits of a case, listed items of a page, pages of a case, leases of a case.
GROUP, GROUPS, PAGE, PAGES, LEASES = 500, 60, 1000, 200, 500

PARTITION = partition().key
LAKE = LegSpec("lake", "f1", {"path": "{item}.json"}, immediate=True, root="s3://bucket/lake")
VERSION = "2026-02-01T10:00:00.000000Z"

#: Words of the table, by the name of a figure.
WORDS = {
    "fill": "filled, items/s",
    "bytes": "bytes an item",
    "random": "commits of random keys, items/s",
    "random ms": "  ms a commit of 500",
    "random cpu": "  CPU of the process, µs/item",
    "random database cpu": "  CPU of the database, µs/item",
    "ordered": "commits of ordered keys, items/s",
    "ordered ms": "  ms a commit of 500",
    "ordered cpu": "  CPU of the process, µs/item",
    "ordered database cpu": "  CPU of the database, µs/item",
    "diff ms": "1,000 listed items compared, ms (median)",
    "diff p99": "  ms (99 of 100 pages)",
    "diff cpu": "  CPU of the process, µs/item",
    "diff database cpu": "  CPU of the database, µs/item",
    "lease us": "a lease of request slots, µs",
    "lease cpu": "  CPU of the process, µs",
    "lease database cpu": "  CPU of the database, µs",
    "rss": "memory of the process at most, MB",
}


def item(number: int) -> str:
    """Return the n-th item's id, a UUID without an order."""
    return str(UUID(bytes=md5(number.to_bytes(8), usedforsecurity=False).digest()))


def stored_row(name: str) -> StoredRow:
    """Return a row as a platform gives it: a UUID, a version that is a time, three fields."""
    fields = {"external_id": f"frame-{name[:8]}", "created": "2026-01-01T10:00:00Z", "author": "somebody@example.org"}
    return StoredRow(key(name), VERSION, f"{name}.json", None, 12_345, sha256(name.encode()), fields, None, "f1")


async def rows(size: int) -> AsyncIterator[Sequence[ManifestRow]]:
    """Return the rows of a manifest, a thousand at a time."""
    for first in range(0, size, 1000):
        yield [manifest_row(stored_row(item(number))) for number in range(first, min(first + 1000, size))]


async def fill(url: str, folder: Path, size: int) -> dict[str, float]:
    """Fill a state as a rebuild does."""
    before = time.perf_counter()
    async with open_state(url, folder) as store:
        await store.rebuild("job", unit(), LAKE, rows(size), (), {PARTITION: Cursor("0")}, 1)
    return {"fill": size / (time.perf_counter() - before)}


def group(number: int, items: Sequence[str]) -> CommitGroup:
    """Return a group of new items, with a cursor."""
    return CommitGroup(
        "run-1", START,
        changes={"lake": [Change("put", stored_row(each)) for each in items]},
        seen={PARTITION: [key(each) for each in items]},
        began={PARTITION: True} if number == 0 else {},
        cursors={PARTITION: Cursor(f"cursor {number}")},
        live=frozenset({"lake"}),
    )  # fmt: skip


@dataclass
class Meter:
    """CPU of this process, and of a database server's."""

    #: The server's first process; 0: there is none.
    server: int
    figures: dict[str, float] = field(default_factory=dict)
    _here: float = 0.0

    @contextmanager
    def over(self, name: str, count: int) -> Iterator[None]:
        """Note what was spent on each of so many things, as far as it was `spent`."""
        self._here, there = 0.0, self._database()
        yield
        self.figures[f"{name} cpu"] = self._here / count * 1e6
        if self.server:
            self.figures[f"{name} database cpu"] = (self._database() - there) / count * 1e6

    async def spent(self, work: Awaitable[object]) -> float:
        """Do something; return how many seconds it took."""
        here, before = time.process_time(), time.perf_counter()
        await work
        seconds = time.perf_counter() - before
        self._here += time.process_time() - here
        return seconds

    def _database(self) -> float:
        return sum(_spent(pid) for pid in family(self.server)) if self.server else 0.0


def family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _spent(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        # It ended meanwhile: its parent's figures hold what it spent.
        return 0.0
    # Of itself, and of children that ended.
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


async def commits(ledger: Ledger, meter: Meter, name: str, items: Sequence[str], first: int) -> None:
    """Commit groups of new items."""
    times: list[float] = []
    with meter.over(name, len(items)):
        for n in range(len(items) // GROUP):
            each = group(first + n, items[n * GROUP : (n + 1) * GROUP])
            times.append(await meter.spent(ledger.commit(each)))
    meter.figures |= {name: len(items) / sum(times), f"{name} ms": median(times) * 1e3}


async def compare(ledger: Ledger, meter: Meter, size: int) -> None:
    """Compare pages of items that are stored."""
    source, times = random.Random(3), list[float]()
    with meter.over("diff", PAGE * PAGES):
        for _ in range(PAGES):
            names = [item(number) for number in source.sample(range(size), PAGE)]
            page = [Candidate(AnnotationRef(key(each), VERSION), {"lake": f"{each}.json"}) for each in names]
            times.append(await meter.spent(ledger.classify(page)))
    times.sort()
    meter.figures |= {"diff ms": median(times) * 1e3, "diff p99": times[-(-99 * len(times) // 100) - 1] * 1e3}


@dataclass
class _Partner:
    terms: asyncio.Event = field(default_factory=asyncio.Event)

    def standing(self) -> Standing:
        return Standing(0.0, 8, 0)

    def heard(self, terms: Terms) -> None:
        self.terms.set()


async def leases(url: str, meter: Meter) -> None:
    """Lease slots of a rate that is never the limit."""
    async with open_quotas(url, print) as quotas:
        if quotas is None:
            return
        partner = _Partner()
        quota = quotas.join(Account("account", "https://h", 10_000.0, 32), partner)
        await partner.terms.wait()
        await quota.slots(1, succeeded=True)
        with meter.over("lease", LEASES):
            times = [await meter.spent(quota.slots(10, succeeded=True)) for _ in range(LEASES)]
        meter.figures["lease us"] = median(times) * 1e6


async def measure(url: str, folder: Path, size: int, server: int) -> dict[str, float]:
    """Return the figures of a state that was filled."""
    meter = Meter(server)
    new = [item(size + number) for number in range(GROUP * GROUPS)]
    ordered = [f"task-{number:09}" for number in range(GROUP * GROUPS)]
    async with open_state(url, folder) as store, store.unit("job", unit(), [LAKE]) as ledger:
        await compare(ledger, meter, size)
        await commits(ledger, meter, "random", new, 0)
        await commits(ledger, meter, "ordered", ordered, GROUPS)
        await leases(url, meter)
    meter.figures["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {name: meter.figures[name] for name in WORDS if name in meter.figures}


def size_of(server: Postgres, schema: str) -> int:
    """Return the bytes of a schema with its indexes, after the server has looked through it as it does by itself."""
    with server.connect(schema) as connection:
        connection.execute("VACUUM (ANALYZE)")
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'",
            (schema,),
        ).fetchone()
    assert row is not None
    return int(str(row[0]))


@contextmanager
def priority(*pids: int) -> Iterator[None]:
    """Let processes come before all others."""
    _schedule(pids, os.SCHED_RR, 1)
    try:
        yield
    finally:
        _schedule(pids, os.SCHED_OTHER, 0)


def _schedule(pids: Sequence[int], policy: int, order: int) -> None:
    for pid in pids:
        # A server's children come and go.
        with suppress(ProcessLookupError):
            os.sched_setscheduler(pid, policy, os.sched_param(order))


def case(what: str, url: str, folder: Path, size: int, server: int, *, realtime: bool) -> dict[str, float]:
    """Run one case in a process of its own."""
    words = (sys.executable, "-m", "tests.bench.state", "--case", what, url, str(folder), str(size), str(server))
    with priority(*([os.getpid(), *(family(server) if server else ())] if realtime else ())):
        ended = subprocess.run(words, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def figures(
    sizes: Sequence[int], folder: Path, said: Callable[[str], None], *, realtime: bool = False
) -> dict[str, dict[str, float]]:
    """Measure both kinds of state at all sizes; return figures by case."""
    found: dict[str, dict[str, float]] = {}
    with postgres() as server:
        assert server.process is not None
        for size in sizes:
            for kind in ("SQLite", "PostgreSQL"):
                file, schema = folder / f"{size}.db", f"s{size}"
                pid = server.process.pid if kind == "PostgreSQL" else 0
                url = server.url(schema) if pid else f"sqlite:{file}"
                name = f"{kind}, {size:,}"
                said(name)
                figures = case("fill", url, folder, size, pid, realtime=realtime)
                figures["bytes"] = (size_of(server, schema) if pid else file.stat().st_size) / size
                found[name] = figures | case("measure", url, folder, size, pid, realtime=realtime)
    return found


def show(console: Console, title: str, found: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for name, words in WORDS.items():
        values = [each.get(name) for each in found.values()]
        table.add_row(words, *("" if value is None else f"{value:,.{0 if value >= 100 else 1}f}" for value in values))
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.state", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1000000", help="items that are stored: 1000000,10000000")
    parser.add_argument("--realtime", action="store_true", help="measure before all other processes; as root")
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for results")
    parser.add_argument("--case", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.case:
        what, url, folder, size, server = options.case
        work = (
            fill(url, Path(folder), int(size)) if what == "fill" else measure(url, Path(folder), int(size), int(server))
        )
        print(json.dumps(asyncio.run(work)))
        return
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prefix="bench-state-") as name:
        sizes = [int(size) for size in options.sizes.split(",")]
        found = figures(sizes, Path(name), console.print, realtime=options.realtime)
    title = "A state at size: commits of 500 items, pages of 1,000"
    show(console, title, found)
    write(options.to, "state", title, {"realtime": options.realtime, "figures": found})


if __name__ == "__main__":
    main()
