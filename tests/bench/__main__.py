"""`syncer` beside what people would use instead, all on one machine in one run: `python -m tests.bench`.

Rounds alternate, so that a machine that is busy for a while is unfair to all alike; medians and their spread are
shown. Every contestant is a process of its own and says itself how long its work took; start-up is not part of that,
and is in the columns of the whole process. CPU and memory are those of all processes that it starts.

Everything that is needed is installed first: programs by apt as root, other people's packages into environments in
the user's cache folder. Each workload writes a file of results as soon as it is measured.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from tests.bench import environments
from tests.bench.content import Content, content, documents
from tests.bench.field import IN_FLIGHT, Scene, on_kognic, on_label_studio, on_links
from tests.bench.figures import RESULTS, Comparison, Work, compare
from tests.bench.plot import draw
from tests.bench.studio import studio
from tests.emulators.kognic import kognic_process
from tests.emulators.link_process import link_process
from tests.support.buckets import Server, seaweed

#: The server alone has to be so many times as fast as the fastest contestant.
MARGIN = 3.0

#: Documents of each size, and how many of them slow contestants get.
ITEMS: Mapping[int, tuple[int, int]] = {8_192: (20_000, 3_000), 204_800: (2_000, 300)}

#: Milliseconds that answers are late.
LATENCIES = (0, 20, 100)

CEILING = "bare aiohttp"


def workload(
    stored: Path, size: int, latency: float, bucket: Server | None, options: argparse.Namespace
) -> Comparison:  # fmt: skip
    """Run all contestants on documents of one size and answers of one lateness."""
    items, few = options.items or ITEMS[size][0], min(options.few or ITEMS[size][1], options.items or sys.maxsize)
    with ExitStack() as stack:
        server = stack.enter_context(content(stored, latency))
        platform, small = (
            stack.enter_context(
                link_process("--items", str(count), "--size", str(size), "--content-url", server.url)
            )
            for count in (items, few)
        )  # fmt: skip
        scene = Scene(options.programs, platform, items, small, few, bucket, options.patience)
        works = {**on_links(scene), **_vendors(stack, few, size, latency, options.patience)}
        chosen = {name: each for name, each in works.items() if not options.only or name in {*options.only, CEILING}}
        alone = _alone(server)
        title = (
            f"{items:,} documents of {size:,} bytes, {latency * 1000:g} ms, {IN_FLIGHT} in flight where that is told"
        )
        name = f"field-{size // 1024}kB-{latency * 1000:g}ms"
        written = str(options.where or tempfile.gettempdir())
        notes = {"size": size, "latency": latency, "server alone": alone, "written to": written}
        found = compare(name, title, CEILING, chosen, options.rounds, notes=notes, where=options.where)
    fastest = max(each.rate for each in found.figures.values())
    options.console.print(f"The server alone answers {alone:,.0f} requests/s, {alone / fastest:.1f} × the fastest.")
    if alone < MARGIN * fastest:
        options.console.print("[bold red]The server holds the contestants back: these figures compare nothing.[/]")
    return found


def _alone(server: Content) -> float:
    """Return how fast the server is; where answers are late, many connections show it."""
    return server.alone(connections=2000 if server.latency else IN_FLIGHT)


def _vendors(stack: ExitStack, items: int, size: int, latency: float, patience: float) -> dict[str, Work]:
    flags = ("--annotations", items, "--size", size, "--latency", latency)
    kognic = stack.enter_context(kognic_process(*map(str, flags)))
    label_studio = stack.enter_context(studio(items, size, latency))
    return {**on_kognic(kognic, items, patience), **on_label_studio(label_studio, items, patience)}


@contextmanager
def _bucket(wanted: Sequence[str]) -> Iterator[Server | None]:
    """Run an S3 server, if anybody needs it."""
    if wanted and "syncer to S3" not in wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-s3-") as folder, seaweed(Path(folder)) as server:
        yield server


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results and their plot."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", help="bytes of a document")
    parser.add_argument("--latencies", type=float, nargs="*", help="milliseconds")
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME", help="contestants; the ceiling always runs")
    parser.add_argument("--items", type=int, help="so many documents, whatever their size")
    parser.add_argument("--few", type=int, help="so many for slow contestants")
    parser.add_argument("--patience", type=float, default=5.0, help="seconds after which serial loops stop")
    parser.add_argument("--where", type=Path, help="folder on the disk to write to; default: the system's for such")
    parser.add_argument("--to", type=Path, help="folder for results; default: the committed ones")
    parser.add_argument("--quick", action="store_true", help="one round of fewer documents; nothing is written")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.items, options.few, options.patience = 1, options.items or 2000, 500, 2.0
        options.sizes, options.latencies = options.sizes or [8_192], options.latencies or [0, 20]
    options.programs, options.console = environments.install(), Console(width=150)
    folder = options.to or (None if options.quick else RESULTS)
    with _bucket(options.only) as bucket:
        for size in options.sizes or ITEMS:
            with documents(options.items or ITEMS[size][0], size) as stored:
                for milliseconds in options.latencies or LATENCIES:
                    found = workload(stored, size, milliseconds / 1000, bucket, options)
                    found.show(options.console)
                    if folder is not None:
                        found.write(folder)
    if folder is not None:
        draw(folder, options.programs.plot)


if __name__ == "__main__":
    main()
