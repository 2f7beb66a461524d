"""What more workers bring: one run of a fleet by one, two and four of them, `python -m tests.bench.fleet`.

Each worker does one unit at a time, of a platform that takes 20 ms for an answer, and all write to memory where the
machine has a place for that. The cores of this machine also run the platform and the database: how much of them is in
use is part of the table, and where that is nearly all, what is missing is the machine's. `--tasks 50` are units that
mostly wait, `--tasks 1000` such that mostly work.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import Exit
from tests.bench.figures import RESULTS, write
from tests.support.command import start
from tests.support.fleet import Fleet, finished, fleet
from tests.support.postgres import Postgres, postgres

#: Seconds that the platform takes for an answer.
LATENCY = 0.02

#: Where destinations and the database lie: a disk is one for all, whatever the number of workers.
MEMORY = Path("/dev/shm")  # noqa: S108  # a folder with a random name in it


@dataclass(frozen=True, slots=True)
class Round:
    """One run from nothing."""

    workers: int
    items: int
    units: int
    #: Seconds from the beginning of the first unit to the end of the last, and to that of the run.
    worked: float
    ended: float
    #: Seconds of CPU meanwhile: of all workers, the database, and the platform; without the workers' start.
    cpu: float
    database: float
    platform: float
    #: Bytes that the database wrote to its log.
    log: float

    @property
    def rate(self) -> float:
        """Items a second, the end of the run included."""
        return self.items / self.ended

    @property
    def busy(self) -> float:
        """The part of all cores that was in use."""
        return (self.cpu + self.database + self.platform) / self.ended / (os.cpu_count() or 1)


def seconds_of(*pids: int) -> float:
    """Return the seconds of CPU of processes, of their children that live, and of those that ended."""
    found = 0
    for pid in pids:
        # Children first: what ends meanwhile is in the sums of its parent by then.
        for each in (*Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                # After the name, which may have spaces: utime, stime, cutime, cstime are fields 14 to 17, see proc(5).
                fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
                found += sum(map(int, fields[11:15]))
    return found / os.sysconf("SC_CLK_TCK")


def used(server: Postgres, crew: Fleet, platform: Remote) -> dict[str, float]:
    """Return the seconds of CPU that each part has used so far, and the bytes of the database's log."""
    assert server.process is not None
    with server.connect() as connection:
        row = connection.execute("SELECT (pg_current_wal_lsn() - '0/0')::float8").fetchone()
    assert row is not None
    return {
        "log": float(str(row[0])),
        "cpu": seconds_of(*[member.pid for member in crew.members]),
        "database": seconds_of(server.process.pid),
        "platform": seconds_of(platform.pid),
    }


async def one(server: Postgres, workers: int, projects: int, tasks: int) -> Round:
    """Let so many workers do one run."""
    total = projects * tasks
    options = ("--tasks", str(tasks), "--projects", str(projects), "--finished", "--latency", str(LATENCY))
    with tempfile.TemporaryDirectory(prefix="bench-") as name, server.schema() as schema:
        async with platform_process(*options) as platform:
            with fleet(Path(name) / "fleet", platform, server, schema, heartbeat=2, silent=10) as crew:
                for _ in range(workers):
                    await asyncio.to_thread(crew.name_of, crew.start("--concurrency", "1"))
                before = used(server, crew, platform)
                command = start("sync", "--fleet", "--progress", "none", cwd=crew.folder)
                await asyncio.to_thread(finished, command)
                spent = {part: after - before[part] for part, after in used(server, crew, platform).items()}
                worked, ended = _span(crew, projects)
                assert set(await asyncio.to_thread(crew.stop)) == {Exit.DONE}
                (end,) = crew.ends()
                assert (end["exit"], end["stored"]) == (0, total)
    return Round(workers, total, projects, worked, ended, **spent)


def _span(crew: Fleet, projects: int) -> tuple[float, float]:
    (row,) = crew.ask(
        "SELECT count(*), extract(epoch FROM max(u.ended) - min(u.began))::float8,"
        " extract(epoch FROM max(r.ended) - min(u.began))::float8"
        " FROM fleet_units AS u JOIN fleet_runs AS r ON r.id = u.run WHERE u.state = 'done'"
    )
    assert row[0] == projects
    return float(row[1]), float(row[2])


def rows(rounds: Sequence[Round]) -> list[Mapping[str, float]]:
    """Return one line a number of workers: medians, and how many times as fast as one worker in the same round."""
    found: list[Mapping[str, float]] = []
    alone = [each for each in rounds if each.workers == 1]
    for workers in sorted({each.workers for each in rounds}):
        mine = [each for each in rounds if each.workers == workers]
        found.append(
            {
                "workers": workers,
                "items/s": median(each.rate for each in mine),
                "times": median(each.rate / first.rate for each, first in zip(mine, alone, strict=True)),
                "worker us": median(each.cpu / each.items for each in mine) * 1e6,
                "database us": median(each.database / each.items for each in mine) * 1e6,
                "database ms a unit": median(each.database / each.units for each in mine) * 1e3,
                "log bytes": median(each.log / each.items for each in mine),
                "platform us": median(each.platform / each.items for each in mine) * 1e6,
                "busy": median(each.busy for each in mine),
                "end s": median(each.ended - each.worked for each in mine),
            }
        )
    return found


def show(console: Console, found: Sequence[Mapping[str, float]]) -> None:
    """Print the table."""
    table = Table()
    for heading in (
        "workers", "items/s", "times one", "CPU µs an item: workers", "database", "a unit, ms", "log, bytes",
        "platform", "cores in use", "end of the run, s",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for each in found:
        table.add_row(
            f"{each['workers']}", f"{each['items/s']:,.0f}", f"{each['times']:.2f}", f"{each['worker us']:,.0f}",
            f"{each['database us']:,.0f}", f"{each['database ms a unit']:.1f}", f"{each['log bytes']:,.0f}",
            f"{each['platform us']:,.0f}", f"{each['busy']:.0%}", f"{each['end s']:.2f}",
        )  # fmt: skip
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--projects", type=int, default=24, help="units of a run")
    parser.add_argument("--tasks", type=int, default=1000, help="items of a unit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for results")
    options = parser.parse_args(arguments)
    rounds: list[Round] = []
    began = time.monotonic()
    if MEMORY.is_dir():
        tempfile.tempdir = str(MEMORY)
    with postgres() as server:
        for _ in range(options.rounds):
            for workers in options.workers:
                rounds.append(asyncio.run(one(server, workers, options.projects, options.tasks)))
                print(f"{workers}: {rounds[-1].rate:,.0f} items/s", flush=True)
    found = rows(rounds)
    show(Console(width=150), found)
    print(f"{time.monotonic() - began:,.0f} s")
    title = f"{options.projects} units of {options.tasks} items at {LATENCY * 1e3:g} ms, one unit at a time each"
    write(options.to, f"fleet-{options.tasks}", title, {"table": found, "rounds": [asdict(each) for each in rounds]})


if __name__ == "__main__":
    main()
