"""Where the time of an item goes: `python -m tests.bench.stages` samples one run of `syncer` and sums up by stage.

It needs py-spy (`pip install py-spy`). Samples say how a thread's time is spent, and the kernel says how much CPU each
thread had: on a busy machine a sample alone would blame whoever waits for a core.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.emulators.link_process import RemoteLink, link_process
from tests.support.command import command, environment
from tests.support.link_run import prepare

#: Stages by the deepest frame of ours in a stack; the first match counts.
STAGES: Sequence[tuple[str, str]] = (
    ("start-up", r"importlib|cli/tree\.py|syncer/settings/|syncer/app/|net/transport\.py"),
    ("events", r"syncer/observe/"),
    ("net: limits, retry", r"syncer/net/(limits|pace|policy|retry|call|routes|guard|redact|classify|addresses)"),
    ("net: body", r"syncer/net/"),
    ("source", r"link_source\.py|syncer/sources/"),
    ("flow: discover, plan", r"syncer/flow/(discover|plan|intake|frontier)"),
    ("flow: fetch, channel", r"syncer/flow/(fetch|channel)"),
    ("flow: shape, sha256", r"syncer/flow/transform"),
    ("flow: write, commit", r"syncer/flow/|syncer/model/"),
    ("sink: deflate", r"syncer/sinks/zip64/deflate"),
    ("sink: write", r"syncer/sinks/|syncer/blobs/"),
    ("ledger: classify", r"sqlite/(classify|held)"),
    ("ledger: commit", r"sqlite/"),
)
LIBRARY = "aiohttp"
LOOP = "event loop"

_IDLE = re.compile(r"^(Condition\.wait|WorkerThread\.run|_worker|Queue\.get) |^thread \(")
_TICK = os.sysconf("SC_CLK_TCK")
_STACK = re.compile(r"^thread \((\d+)\)(?:: ([^;]*))?;?(.*) (\d+)$")


@dataclass(frozen=True, slots=True)
class Profile:
    """Microseconds of CPU an item."""

    stages: Mapping[str, float]
    threads: Mapping[str, float]
    functions: Mapping[str, float]


def profile(platform: RemoteLink, items: int, job: str, folder: Path) -> Profile:
    """Run a job on a platform and sample it."""
    env = environment(folder, prepare(folder, platform, limits={"concurrency": 64}))
    raw = folder / "samples"
    spy = str(Path(sys.executable).with_name("py-spy"))
    sampler = [spy, "record", "-r", "400", "-t", "-F", "-f", "raw", "--nonblocking"]
    words = [*sampler, "-o", str(raw), "--", *command("sync", job, "-q", "--progress", "none")]
    used: dict[int, float] = {}
    with subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for child in _children(process.pid):
                used.update(_threads(child))
            time.sleep(0.05)  # a sampler's period, nothing is waited for
    return _summed(raw.read_text().splitlines(), used, items)


def _children(pid: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, tasks.read_text().split())


def _threads(pid: int) -> Iterator[tuple[int, float]]:
    """Yield the seconds of CPU that each thread of a process had so far."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(stat.parent.name), (int(fields[11]) + int(fields[12])) / _TICK


def _summed(lines: Sequence[str], used: Mapping[int, float], items: int) -> Profile:
    samples: dict[int, Counter[tuple[str, str]]] = {}
    names: dict[int, str] = {}
    for line in lines:
        found = _STACK.match(line)
        if found is None:
            continue
        thread, frames = int(found[1]), found[3].split(";")
        names.setdefault(thread, found[2] or "")
        if frames[-1] and not _IDLE.match(frames[-1]):
            samples.setdefault(thread, Counter())[_stage(frames)] += int(found[4])
    stages: Counter[str] = Counter()
    threads: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for thread, counted in samples.items():
        each = used.get(thread, 0.0) / counted.total() / items * 1e6
        threads[names[thread] or str(thread)] += each * counted.total()  # type: ignore[assignment]  # floats count too
        for (stage, function), count in counted.items():
            stages[stage] += each * count  # type: ignore[assignment]  # same
            functions[function] += each * count  # type: ignore[assignment]  # same
    return Profile(dict(stages.most_common()), dict(threads.most_common()), dict(functions.most_common(40)))


def _stage(frames: Sequence[str]) -> tuple[str, str]:
    """Return stage and function of a stack, whose leaf is the last frame."""
    if any("importlib" in frame for frame in frames):
        return "start-up", "start-up"
    ours = next((frame for frame in reversed(frames) if "syncer/" in frame or "link_source" in frame), "")
    below = frames[frames.index(ours) :] if ours else frames
    library = any("aiohttp/" in frame for frame in below)
    if library and ("syncer/net/" in ours or not ours):
        return LIBRARY, frames[-1].partition(" (")[0]
    if not ours or "__main__" in ours or "syncer/cli/__init__" in ours:
        return LOOP, frames[-1].partition(" (")[0]
    stage = next((name for name, pattern in STAGES if re.search(pattern, ours)), "other")
    return stage, ours.rpartition(":")[0] or ours


def main(arguments: Sequence[str] | None = None) -> None:
    """Profile one run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stages", description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--job", choices=("zip", "folder"), default="zip")
    options = parser.parse_args(arguments)
    size, latency = str(options.size), str(options.latency)
    with (
        tempfile.TemporaryDirectory() as folder,
        link_process("--items", str(options.items), "--size", size, "--latency", latency, "--workers", "2") as platform,
    ):
        found = profile(platform, options.items, options.job, Path(folder))
    for title, figures in (("stage", found.stages), ("thread", found.threads), ("function", found.functions)):
        table = Table()
        table.add_column(title)
        table.add_column("CPU µs/item", justify="right")
        for name, value in figures.items():
            table.add_row(name, f"{value:,.1f}")
        Console().print(table)


if __name__ == "__main__":
    main()
