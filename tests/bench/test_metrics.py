"""What being watched costs: the same run with and without metrics, by turns, in processor time an item."""

import gc
import time
from pathlib import Path
from statistics import median

import pytest
import uvloop
from msgspec.structs import replace

from syncer.app.library import open_syncer
from syncer.app.registry import Registry, discover
from syncer.observe.hub import Hub
from syncer.observe.metrics import Metrics
from syncer.observe.outcomes import Outcomes
from tests.emulators.link_process import link_process
from tests.emulators.link_source import PLUGIN
from tests.support.link_run import prepare

ITEMS, ROUNDS = 3_000, 7


async def once(folder: Path, registry: Registry, *, watched: bool) -> tuple[float, float]:
    """Return seconds of processor time and items a second of one run: a request an item, into a folder."""
    hub = Hub([Metrics(Outcomes("1"))] if watched else [])
    async with open_syncer(folder / "syncer.yaml", hub=hub, registry=registry) as s:
        gc.collect()
        began, cpu = time.perf_counter(), time.process_time()
        report = await s.sync("folder")
        spent, wall = time.process_time() - cpu, time.perf_counter() - began
    assert report.counts.stored == ITEMS
    return spent, ITEMS / wall


@pytest.mark.bench
def test_metrics_cost_little(tmp_path: Path) -> None:
    """Counting costs less than five per cent of what an item costs."""
    known = discover()
    registry = replace(known, sources={**known.sources, "link": PLUGIN})
    took: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with link_process("--items", str(ITEMS)) as platform:
        for number in range(ROUNDS):
            for watched in (number % 2 == 0, number % 2 == 1):
                folder = tmp_path / f"{number}-{watched}"
                prepare(folder, platform)
                took[watched].append(uvloop.run(once(folder, registry, watched=watched)))
    cpu = {watched: median(each[0] for each in rounds) / ITEMS * 1e6 for watched, rounds in took.items()}
    rate = {watched: median(each[1] for each in rounds) for watched, rounds in took.items()}
    share = median(on[0] / off[0] for on, off in zip(took[True], took[False], strict=True))
    for watched in (False, True):
        print(f"metrics {watched}: {cpu[watched]:.0f} us an item, {rate[watched]:.0f} items/s")
    print(f"x{share:.3f}")
    assert share < 1.05
