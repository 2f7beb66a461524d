"""A daemon at work that measures itself: `python -m tests.support.soak_process SECONDS` in a configured folder.

With `--rest` it measures a loop that has nothing to do. Else it prints a JSON object a second: bytes of resident
memory, open files, tasks, threads, runs so far; and, last, the lag of its event loop and the exit codes of its runs.
"""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path

import anyio

from syncer.app.daemon import open_daemon
from syncer.app.library import open_syncer
from syncer.app.vitals import open_vitals
from syncer.cli import heap
from syncer.model.events import Event, RunEnded
from syncer.observe.hub import Hub
from syncer.observe.lag import PERIOD, LagMeter
from syncer.schedule.ceiling import resident
from syncer.schedule.clock import SystemClock


class OwnLag:
    """How late the loop is through this process's own doing: never more than the CPU that it used meanwhile.

    On a busy machine a loop is late because others have the cores; that says nothing about the daemon.
    """

    def __init__(self) -> None:
        """Measure nothing yet."""
        self.lags: list[float] = []

    async def watch(self) -> None:
        """Measure again and again."""
        while True:
            began, used = time.monotonic(), time.process_time()
            await anyio.sleep(PERIOD)
            late = time.monotonic() - began - PERIOD
            self.lags.append(max(0.0, min(late, time.process_time() - used)))

    def quantile(self, share: float) -> float:
        """Return the lag that so large a share of the measurements did not exceed."""
        return sorted(self.lags)[int(share * len(self.lags))]


async def rest(seconds: int) -> None:
    """Do nothing for so long, and print how late a loop is here that has nothing to do."""
    meter = LagMeter(SystemClock(), window=float("inf"))
    with anyio.move_on_after(seconds):
        await meter.watch()
    print(json.dumps({"p50": meter.quantile(0.5), "p99": meter.quantile(0.99), "worst": meter.worst}), flush=True)


async def soak(seconds: int) -> None:
    """Run the daemon of this folder for so long."""
    runs: list[int] = []

    def count(event: Event) -> None:
        if isinstance(event, RunEnded):
            runs.append(int(event.report.exit_code()))

    meter, own = LagMeter(SystemClock(), window=float("inf")), OwnLag()
    async with (
        open_syncer(hub=Hub([count])) as syncer,
        open_daemon(syncer) as daemon,
        open_vitals(syncer, lambda stall: print(json.dumps({"stall": str(stall)}), flush=True)),
        anyio.create_task_group() as group,
    ):
        group.start_soon(daemon.work, lambda: None)
        group.start_soon(meter.watch)
        group.start_soon(own.watch)
        for _ in range(seconds):
            await anyio.sleep(1)
            sample = {
                "rss": await anyio.to_thread.run_sync(resident),
                "files": await anyio.to_thread.run_sync(lambda: len(list(Path("/proc/self/fd").iterdir()))),
                "tasks": len(asyncio.all_tasks()), "threads": threading.active_count(), "runs": len(runs),
            }  # fmt: skip
            print(json.dumps(sample), flush=True)
        daemon.drain("the end of the soak")
        quantiles = {f"p{share}": meter.quantile(share / 100) for share in (50, 99)}
        print(
            json.dumps(
                {"lag": {**quantiles, "worst": meter.worst}, "own": own.quantile(0.99), "codes": sorted(set(runs))}
            ),
            flush=True,
        )
        group.cancel_scope.cancel()


def main() -> None:
    """Run it."""
    heap.bound()
    what = rest if sys.argv[2:] == ["--rest"] else soak
    anyio.run(what, int(sys.argv[1]), backend_options={"use_uvloop": True})
    os._exit(0)


if __name__ == "__main__":
    main()
