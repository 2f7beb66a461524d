"""What the state costs, in a file and in PostgreSQL side by side: commits, a page compared at two sizes, bytes an item.

Run with `-m bench -s`; SYNCER_TEST_BENCH_SIZES=100000,1000000,10000000 adds a size. Times of one run are compared with
each other only; the table and the JSON show the rest.
"""

import json
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median

import pytest

from syncer.model.checkpoint import Candidate, Change, CommitGroup, LegSpec
from syncer.model.entries import StoredRow
from syncer.model.refs import AnnotationRef, Cursor
from syncer.model.rows import ManifestRow
from syncer.ports import Ledger, StateStore
from syncer.state import open_state
from tests.support.postgres import Postgres, postgres
from tests.support.stored import START, key, manifest_row, partition, unit

#: Rows that are there already; ten million take an hour.
SIZES = tuple(int(size) for size in os.environ.get("SYNCER_TEST_BENCH_SIZES", "100000,1000000").split(","))
GROUP = 500
GROUPS = 40
PAGE = 1000

PARTITION = partition().key
LAKE = LegSpec("lake", "f1", {"path": "{item}.json"}, immediate=True, root="s3://bucket/lake")
ZIP = LegSpec("nightly", "f2", {"path": "{item}.json"}, immediate=False, root="file:exports")


@dataclass(frozen=True)
class Kind:
    """One kind of state: the URL of one by its name, and the bytes that it takes."""

    url: Callable[[str], str]
    size: Callable[[str], int]


@dataclass
class Table:
    """Figures of one run by kind of state, printed side by side and written as JSON."""

    figures: dict[str, dict[str, float]] = field(default_factory=dict)

    def show(self, folder: Path) -> None:
        """Print, and write `bench-state.json` (into SYNCER_TEST_BENCH, if that is set)."""
        print()
        print(f"{'':<48}" + "".join(f"{kind:>14}" for kind in self.figures))
        for name in next(iter(self.figures.values())):
            print(f"{name:<48}" + "".join(f"{each[name]:>14,.1f}" for each in self.figures.values()))
        target = Path(os.environ.get("SYNCER_TEST_BENCH", folder)) / "bench-state.json"
        target.write_text(json.dumps(self.figures, indent=1))


def stored_row(item: str, fingerprint: str = "f1") -> StoredRow:
    """Return a row as a platform gives it: a UUID, a version that is a time, three fields."""
    fields = {"external_id": f"frame-{item[:8]}", "created": "2026-01-01T10:00:00Z", "author": "somebody@example.org"}
    return StoredRow(
        key(item), "2026-02-01T10:00:00.000000Z", f"{item}.json", None, 12_345, sha256(item.encode()).hexdigest(),
        fields, None, fingerprint,
    )  # fmt: skip


def names(seed: int, count: int) -> list[str]:
    """Return that many UUIDs."""
    source = random.Random(seed)
    return [str(uuid.UUID(int=source.getrandbits(128))) for _ in range(count)]


async def batches(items: Iterable[str]) -> AsyncIterator[Sequence[ManifestRow]]:
    """Return the rows of a manifest, a thousand at a time."""
    batch: list[ManifestRow] = []
    for item in items:
        batch.append(manifest_row(stored_row(item)))
        if len(batch) == 1000:
            yield batch
            batch = []
    yield batch


async def fill(store: StateStore, items: Sequence[str]) -> None:
    """Fill a state quickly: as a rebuild does."""
    await store.rebuild("job", unit(), LAKE, batches(items), (), {PARTITION: Cursor("0")}, 1)


def group(number: int, items: Sequence[str], legs: Sequence[LegSpec]) -> CommitGroup:
    """Return a group of new items, with a cursor."""
    return CommitGroup(
        "run-1", START,
        changes={leg.name: [Change("put", stored_row(item, leg.fingerprint)) for item in items] for leg in legs},
        seen={PARTITION: [key(item) for item in items]},
        began={PARTITION: True} if number == 0 else {},
        cursors={PARTITION: Cursor(f"cursor {number}")},
        live=frozenset(leg.name for leg in legs),
    )  # fmt: skip


async def commits(ledger: Ledger, items: Sequence[str], legs: Sequence[LegSpec]) -> tuple[float, float, float]:
    """Commit groups of new items; return items a second, microseconds of CPU an item, and the median in ms."""
    groups = [group(n, items[n * GROUP : (n + 1) * GROUP], legs) for n in range(len(items) // GROUP)]
    times: list[float] = []
    cpu, start = time.process_time(), time.perf_counter()
    for each in groups:
        before = time.perf_counter()
        await ledger.commit(each)
        times.append(time.perf_counter() - before)
    elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu
    return len(items) / elapsed, cpu / len(items) * 1e6, median(times) * 1e3


async def compare(ledger: Ledger, items: Sequence[str]) -> tuple[float, float]:
    """Compare pages of stored items; return the median in ms, and ms of CPU a page."""
    times: list[float] = []
    source = random.Random(3)
    pages = [[Candidate(AnnotationRef(key(i), "2026-02-01T10:00:00.000000Z"), {"lake": f"{i}.json"})
              for i in source.sample(items, PAGE)] for _ in range(20)]  # fmt: skip
    cpu = time.process_time()
    for page in pages:
        before = time.perf_counter()
        await ledger.classify(page)
        times.append(time.perf_counter() - before)
    return median(times) * 1e3, (time.process_time() - cpu) / len(pages) * 1e3


async def measure(kind: Kind, folder: Path, sizes: Sequence[int]) -> dict[str, float]:
    """Return the figures of one kind of state."""
    found: dict[str, float] = {}
    new = names(9, GROUP * GROUPS)
    async with open_state(kind.url("empty"), folder) as store, store.unit("job", unit(), [LAKE]) as ledger:
        rate, cpu, middle = await commits(ledger, new, [LAKE])
        found |= {"commit, empty: items/s": rate, "  us CPU an item": cpu, "  ms a group": middle}
    for size in sizes:
        items = names(size, size)
        async with open_state(kind.url(f"s{size}"), folder) as store:
            before = time.perf_counter()
            await fill(store, items)
            found[f"rebuild of {size:,}: items/s"] = size / (time.perf_counter() - before)
        found[f"  bytes an item at {size:,}"] = kind.size(f"s{size}") / size
        async with (
            open_state(kind.url(f"s{size}"), folder) as store,
            store.unit("job", unit(), [LAKE]) as ledger,
        ):
            middle, cpu = await compare(ledger, items)
            found |= {f"diff of 1,000 at {size:,}: ms": middle, f"  ms CPU at {size:,}": cpu}
            rate, cpu, group_ms = await commits(ledger, new, [LAKE])
            found |= {f"commit at {size:,}: items/s": rate, f"  us CPU an item at {size:,}": cpu,
                      f"  ms a group at {size:,}": group_ms}  # fmt: skip
    ordered = [f"task-{number:09}" for number in range(GROUP * GROUPS)]
    async with open_state(kind.url(f"s{sizes[0]}"), folder) as store, store.unit("job", unit(), [LAKE]) as ledger:
        rate, cpu, middle = await commits(ledger, ordered, [LAKE])
        found |= {"commit of ordered keys: items/s": rate, "  ordered: us CPU an item": cpu}
    async with open_state(kind.url("two"), folder) as store, store.unit("job", unit(), [LAKE, ZIP]) as ledger:
        rate, cpu, middle = await commits(ledger, new, [LAKE, ZIP])
        found |= {"commit, two legs, empty: items/s": rate, "  two legs: us CPU an item": cpu}
    return found


def size_of(server: Postgres, schema: str) -> int:
    """Return the bytes of a schema with its indexes."""
    with server.connect() as connection:
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'",
            (schema,),
        ).fetchone()
    assert row is not None
    return int(str(row[0]))


@pytest.mark.bench
@pytest.mark.timeout(7200)
async def test_state(tmp_path: Path) -> None:
    """A page costs little more at ten times the rows, and ordered keys cost less than random ones."""
    table = Table()
    with postgres() as server:
        kinds = {
            "sqlite": Kind(lambda name: f"sqlite:{name}.db", lambda name: (tmp_path / f"{name}.db").stat().st_size),
            "postgresql": Kind(server.url, lambda name: size_of(server, name)),
        }
        for name, kind in kinds.items():
            table.figures[name] = await measure(kind, tmp_path, SIZES)
    table.show(tmp_path)
    for figures in table.figures.values():
        assert figures[f"  ms CPU at {SIZES[1]:,}"] < 3 * figures[f"  ms CPU at {SIZES[0]:,}"]
    file = table.figures["sqlite"]
    assert file["  ordered: us CPU an item"] < file[f"  us CPU an item at {SIZES[0]:,}"]
