"""One of three platforms goes away: what the other two lose, by what they stored and what it cost."""

import json
import os
import time
from collections import Counter
from pathlib import Path

import anyio
import pytest

from syncer.app.daemon import open_daemon
from syncer.app.library import open_syncer
from syncer.demo.platform.process import Remote, platform_process
from syncer.model.events import Event, RequestEnded, RunEnded, Warned
from syncer.net.guard import origin_of, parse_url

#: Seconds of each of the two measurements.
SECONDS = 40.0


def write(folder: Path, platforms: dict[str, Remote]) -> Path:
    """Write a configuration: two jobs a platform, each looking every second."""
    names = [f"{platform}-{number}" for platform in platforms for number in (1, 2)]
    tree = {
        "state": "sqlite:state.db",
        "platforms": {
            name: {"type": "label_studio", "url": each.url, "token": each.token} for name, each in platforms.items()
        },
        "sinks": {name: {"type": "prefix", "url": f"file:{name}", "path": "{item}.json"} for name in names},
        "jobs": {
            name: {
                "platform": name.partition("-")[0], "select": {"projects": ["1"]}, "sinks": [name],
                "schedule": {"every": "1s"},
            }
            for name in names
        },
    }  # fmt: skip
    file = folder / "syncer.yaml"
    file.write_text(json.dumps(tree), "utf-8")
    return file


@pytest.mark.bench
async def test_two_platforms_go_on_without_the_third(tmp_path: Path) -> None:
    """With one of three platforms away the others look as often, and the whole costs no more CPU than before."""
    async with (
        platform_process("--tasks", "300") as one,
        platform_process("--tasks", "300") as two,
    ):
        gone = platform_process("--tasks", "300")
        third = await gone.__aenter__()
        runs, requests, words = Counter[str](), Counter[str](), list[str]()

        def hear(event: Event) -> None:
            match event:
                case RunEnded(report):
                    runs[report.job] += 1
                case RequestEnded():
                    requests[event.origin] += 1
                case Warned(message):
                    words.append(message)
                case _:
                    pass

        file = write(tmp_path, {"one": one, "two": two, "third": third})
        async with open_syncer(file) as syncer, open_daemon(syncer) as daemon, anyio.create_task_group() as group:
            syncer.hub.add(hear)
            group.start_soon(daemon.work)
            while len(runs) < 6:  # noqa: ASYNC110  # first everything is fetched
                await anyio.sleep(0.1)
            measured = []
            for phase in ("all there", "one away"):
                if phase == "one away":
                    await gone.__aexit__(None, None, None)
                    # The circuit opens, and what was under way gives up.
                    third_jobs = [plan for plan in daemon.scheduler.plans.values() if plan.platform == "third"]
                    while not any("is away" in word for word in words):  # noqa: ASYNC110  # the circuit opens
                        await anyio.sleep(0.1)
                    while any(each.running for each in third_jobs):  # noqa: ASYNC110  # what was under way gives up
                        await anyio.sleep(0.1)
                runs.clear()
                requests.clear()
                cpu, wall = time.process_time(), time.monotonic()
                await anyio.sleep(SECONDS)
                others = sum(count for job, count in runs.items() if not job.startswith("third"))
                dead = requests[origin_of(parse_url(third.url))]
                spent, took = time.process_time() - cpu, time.monotonic() - wall
                measured.append((others / took, spent, sum(runs.values()), dead))
                print(
                    f"{phase}: {others} runs of the others in {took:.0f} s ({others / took:.2f}/s),"
                    f" {dead} requests to the third, {1000 * spent / sum(runs.values()):.1f} ms CPU a run,"
                    f" load {os.getloadavg()[0]:.1f}"
                )
            daemon.drain("SIGTERM")
    (before, *_), (after, *_, probes) = measured
    assert after > 0.9 * before
    assert probes <= 2
