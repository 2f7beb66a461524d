"""A server that allows so many requests a second, and a process killed half way: `python -m tests.bench.limits`.

What arrives, what is wasted, and how much of the limit is used; then how much of what was fetched before a SIGKILL is
fetched again. The server counts. Others than `syncer` have as many items as a limit lets through in a few seconds.
"""

import argparse
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import environments
from tests.bench.commands import Command, commands
from tests.bench.content import content, documents
from tests.bench.environments import Field
from tests.bench.figures import RESULTS, write
from tests.emulators.link_process import link_process

#: Bytes of a document, and items of contestants that give up anyway.
SIZE, FEW = 8_192, 400

#: Seconds after which a contestant is stopped.
PATIENCE = 180.0

#: Requests in flight, which a kill loses.
IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Limited:
    """What one contestant got through a limit."""

    name: str
    limit: int
    items: int
    delivered: int
    requests: int
    refused: int
    #: Between the first and the last answer, and of the whole process.
    span: float
    seconds: float
    #: Exit code; None: stopped, because it took too long.
    code: int | None

    @property
    def wasted(self) -> float:
        """The part of its requests that brought nothing."""
        return 1 - self.delivered / self.requests if self.requests else 0.0

    @property
    def used(self) -> float:
        """The part of the limit that was used."""
        return self.delivered / self.span / self.limit if self.span else 0.0


def through(limit: int, items: int, command: Command, programs: Field) -> Limited:
    """Let one contestant fetch everything through a limit."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        documents(items, SIZE) as stored,
        content(stored, 0, rate=limit, counted=True) as server,
        link_process("--items", str(items), "--size", str(SIZE), "--content-url", server.url) as platform,
    ):
        folder = Path(name)
        started = command.start(folder, platform, items, programs)
        begun = time.perf_counter()
        code = _ended(started, PATIENCE + items / limit)
        seconds = time.perf_counter() - begun
        answered = server.answered()
        # The first one was ours: whether the server is there.
        requests, refused = answered.total() - 1, answered["429"]
        delivered, span = command.delivered(folder), server.span()
        return Limited(command.name, limit, items, delivered, requests, refused, span, seconds, code)


@dataclass(frozen=True, slots=True)
class Killed:
    """What one contestant asked for again."""

    name: str
    items: int
    before: int
    #: Items that were safe when it was killed, as it says itself; None: it can't say.
    committed: int | None
    again: int
    delivered: int


def killed(items: int, command: Command, programs: Field) -> Killed:
    """Kill a contestant once half of its requests are made, and start it again."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        documents(items, SIZE) as stored,
        content(stored, 0.02, counted=True) as server,
        link_process("--items", str(items), "--size", str(SIZE), "--content-url", server.url) as platform,
    ):
        folder = Path(name)
        started = command.start(folder, platform, items, programs)
        while server.answered().total() < items // 2 and started.poll() is None:
            time.sleep(0.02)
        started.send_signal(signal.SIGKILL)
        started.wait()
        before = server.answered().total()
        committed = command.committed(folder) if command.committed is not None else None
        _ended(command.start(folder, platform, items, programs), PATIENCE)
        after = server.answered().total()
        return Killed(command.name, items, before, committed, after - before, command.delivered(folder))


def _ended(process: "subprocess.Popen[bytes]", patience: float) -> int | None:
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def show_limited(console: Console, found: Iterable[Limited]) -> None:
    """Print the table of limits."""
    table = Table("", "limit", "items", "delivered", "requests", "refused", "wasted", "seconds", "of the limit", "exit")
    for each in found:
        table.add_row(
            each.name, f"{each.limit}/s", f"{each.items:,}", f"{each.delivered:,}", f"{each.requests:,}",
            f"{each.refused:,}", f"{each.wasted:.1%}", f"{each.seconds:,.1f}", f"{each.used:.3f}",
            "stopped" if each.code is None else str(each.code),
        )  # fmt: skip
    console.print(table)


def show_killed(console: Console, found: Iterable[Killed]) -> None:
    """Print the table of kills."""
    table = Table("", "items", "requests before the kill", "committed", "requests after it", "at most", "delivered")
    for each in found:
        most = "" if each.committed is None else f"{each.items - each.committed + 2 * IN_FLIGHT:,}"
        committed = "" if each.committed is None else f"{each.committed:,}"
        table.add_row(
            each.name, f"{each.items:,}", f"{each.before:,}", committed, f"{each.again:,}", most, f"{each.delivered:,}"
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.limits", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limits", type=int, nargs="*", default=[60, 300], help="requests a second")
    parser.add_argument("--seconds", type=int, default=60, help="how long `syncer` takes at the limit")
    parser.add_argument("--killed", type=int, default=4000, help="items where processes are killed; 0: none")
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME", help="contestants")
    parser.add_argument("--to", type=Path, default=RESULTS, help="folder for results")
    options = parser.parse_args(arguments)
    programs, console = environments.install(), Console(width=150)
    limited = [
        through(limit, limit * options.seconds if each.name.startswith("syncer") else FEW, each, programs)
        for limit in options.limits
        for each in commands(limit)
        if not options.only or each.name in options.only
    ]
    show_limited(console, limited)
    kills = [killed(options.killed, each, programs) for each in commands(None) if options.killed]
    show_killed(console, kills)
    rows = [{**asdict(each), "wasted": each.wasted, "used": each.used} for each in limited]
    found = {"limited": rows, "killed": [asdict(each) for each in kills]}
    write(options.to, "limits", "Limits of a server, and a SIGKILL half way", found)


if __name__ == "__main__":
    main()
