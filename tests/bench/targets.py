"""What was aimed at beside what was measured, from the committed results; see `summary` for who shows it."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.field import HELD
from tests.bench.figures import RESULTS

#: Results of one file.
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """One line."""

    what: str
    aim: str
    seen: str
    met: bool


def rate(found: Found, name: str) -> float:
    """Return the items a second of a contestant."""
    return median(found["figures"][name]["rates"])


def at_least(what: str, aim: float, seen: float, unit: str = "") -> Target:
    """Return a line about a figure that should be high."""
    return Target(what, f"≥ {aim:g}{unit}", f"{seen:,.3g}{unit}" if seen < 1000 else f"{seen:,.0f}{unit}", seen >= aim)


def at_most(what: str, aim: float, seen: float, unit: str = "") -> Target:
    """Return a line about a figure that should be low."""
    return Target(what, f"≤ {aim:g}{unit}", f"{seen:,.3g}{unit}" if seen < 1000 else f"{seen:,.0f}{unit}", seen <= aim)


def field(small: Mapping[str, Found], large: Mapping[str, Found]) -> Iterator[Target]:
    """Yield what the field is about: results by milliseconds, of small and of large documents."""
    ours = "syncer to zip"
    for late, least in (("0", 0.85), ("20", 0.98), ("100", 0.98)):
        if late in small:
            for name, how in ((ours, ""), (HELD, ", with 64 in flight as it has")):
                if name in small[late]["ratios"]:
                    yield at_least(f"of the bare loop, into a zip, {late} ms{how}", least, small[late]["ratios"][name])
    for late in ("0", "20"):
        for other in ("rclone", "aria2c"):
            if late in small and other in small[late]["figures"]:
                ratio = rate(small[late], ours) / rate(small[late], other)
                yield at_least(f"times as fast as {other}, {late} ms", 1, ratio)
    for late, other, least in (("0", "dlt", 10), ("20", "serial loop", 30), ("20", "kognic-io", 150)):
        if late in small and other in small[late]["figures"]:
            ratio = rate(small[late], ours) / rate(small[late], other)
            yield at_least(f"times as fast as {other}, {late} ms", least, ratio)
    if "0" in small:
        cpu = {
            name: median(small["0"]["figures"][name]["cpus"]) / small["0"]["figures"][name]["items"]
            for name in (ours, "bare aiohttp")
        }
        yield at_most("CPU of an item, times the bare loop's", 1.25, cpu[ours] / cpu["bare aiohttp"])
    for size, found in (("8 kB", small), ("200 kB", large)):
        if found:
            peak = max(median(each["figures"][ours]["peaks"]) for each in found.values())
            yield at_most(f"peak memory, documents of {size}", 80, peak, " MB")


def limits(found: Found) -> Iterator[Target]:
    """Yield what a server's limit and a kill cost."""
    for each in found["limited"]:
        if each["name"].startswith("syncer"):
            where = f"{each['name']}, limit of {each['limit']}/s"
            yield at_least(f"{where}: delivered", 100, 100 * each["delivered"] / each["items"], " %")
            yield at_most(f"{where}: requests wasted", 3, 100 * each["wasted"], " %")
            yield at_least(f"{where}: of it used", 0.97, each["used"])
    for each in found["killed"]:
        if each["committed"] is not None:
            most = each["items"] - each["committed"] + 2 * 64
            yield at_most("requests after a SIGKILL half way", most, each["again"])


def growth(found: Found) -> Iterator[Target]:
    """Yield what more items cost."""
    first, *_, last = (each for each in found["sizes"] if each["items"] > 1)
    cpus = list(found["cpu_per_item"].values())
    more = f"at {last['items']:,} items, more than at {first['items']:,}"
    yield at_most(f"CPU of an item {more}", 10, 100 * (cpus[-1] / cpus[0] - 1), " %")
    yield at_most(f"peak memory {more}", 10, 100 * (last["peak"] / first["peak"] - 1), " %")
    _, goes_on, nothing, *_ = found["later"]
    yield at_most(f"first request of a pass after {goes_on['items']:,} items", 1, goes_on["first_request"], " s")
    yield at_most("listings of a pass that finds nothing new", 2, nothing["listings"])
    sealed = found["sealing"][-1]
    seal = median(sealed["last"]) / median(sealed["first"])
    yield at_most(f"last seals of {sealed['entries']:,} entries, times the first", 2, seal)


def inline(found: Found) -> Iterator[Target]:
    """Yield how long the loop stands still."""
    for size, each in found["sizes"].items():
        longest = median(one["longest"] for one in each["syncer"])
        yield at_most(f"the loop stands still, pages of documents of {int(size) // 1024} kB", 20, 1000 * longest, " ms")


def targets(folder: Path = RESULTS) -> list[Target]:
    """Return all lines that there are results for."""
    sizes = ("8kB", "200kB")
    small, large = (
        {
            f"{found['latency'] * 1000:g}": found
            for found in (json.loads(path.read_text()) for path in folder.glob(f"field-{size}-*.json"))
        }
        for size in sizes
    )
    lines = list(field(small, large))
    others: Mapping[str, Callable[[Found], Iterator[Target]]] = {
        "limits": limits, "growth": growth, "inline": inline
    }  # fmt: skip
    for name, judge in others.items():
        if (path := folder / f"{name}.json").exists():
            lines += judge(json.loads(path.read_text()))
    return lines
