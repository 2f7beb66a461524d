"""CPU of an item beside that of the bare loop, in one process and one run: `python -m tests.bench.guard`.

Both fetch the same documents, in turn; only the least of each counts, because whatever else happens on a machine only
adds to that. Their ratio hardly depends on the machine, so a test can hold it.
"""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from syncer.app.library import open_syncer
from tests.bench.contestants.aiohttp_loop import fetch_all
from tests.bench.figures import RESULTS
from tests.emulators.link_process import RemoteLink, link_process
from tests.support.link_run import plugged, prepare

#: Documents of a round. The first ones warm up: imports, caches, connections.
ITEMS, SIZE = 1500, 8192
ROUNDS = 4

#: What the test compares with.
STORED = RESULTS / "guard.json"

#: Requests in flight.
IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Guarded:
    """Microseconds of CPU an item, of this process and those that it started."""

    bare: float
    syncer: float

    @property
    def ratio(self) -> float:
        """How much more an item costs than its bare download."""
        return self.syncer / self.bare


async def synced(platform: RemoteLink) -> None:
    """Sync everything into an archive."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        prepare(folder, platform, limits={"concurrency": IN_FLIGHT})
        async with open_syncer(folder / "syncer.yaml") as syncer:
            report = await syncer.sync("zip")
        assert report.counts.stored == ITEMS, report


async def cost(work: Callable[[], Awaitable[object]]) -> float:
    """Return the microseconds of CPU that an item takes."""
    before = used()
    await work()
    return (used() - before) / ITEMS * 1e6


def used() -> float:
    """Return the seconds of CPU so far, of this process and those that it waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


async def guarded(platform: RemoteLink, rounds: int) -> Guarded:
    """Measure both in turn."""
    bare, syncer = [], []
    for _ in range(rounds):
        bare.append(await cost(lambda: fetch_all(platform.url, platform.token, ITEMS)))
        syncer.append(await cost(lambda: synced(platform)))
    return Guarded(min(bare), min(syncer))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.guard", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true", help="keep the figures as those that the test holds")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        link_process("--items", str(ITEMS), "--size", str(SIZE)) as platform,
    ):
        # The source of this platform is a plug-in, and found like one.
        sys.path += plugged(Path(name))["PYTHONPATH"].split(":")
        found = uvloop.run(guarded(platform, options.rounds))
    line = json.dumps({"bare": round(found.bare), "syncer": round(found.syncer), "ratio": round(found.ratio, 2)})
    print(line)
    if options.write:
        STORED.write_text(line + "\n")


if __name__ == "__main__":
    main()
