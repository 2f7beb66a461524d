"""The results of the field as one picture; matplotlib draws it in an environment of its own, where this file runs."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

NAME = "field.png"

#: Ours are blue, the ceiling is black, all others are grey.
OURS, CEILING, OTHERS = "#1f6feb", "#24292f", "#b1b8c0"


def draw(folder: Path, python: Path) -> None:
    """Draw what lies in a folder of results into the same folder."""
    subprocess.run([str(python), "-P", __file__, str(folder)], check=True)


def _main(folder: Path) -> None:
    from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  # only here it is there

    found = [json.loads(path.read_text()) for path in folder.glob("field-*.json")]
    found.sort(key=lambda each: (each["size"], each["latency"]))
    sizes = sorted({each["size"] for each in found})
    columns = max(sum(each["size"] == size for each in found) for size in sizes)
    figure, grid = plt.subplots(len(sizes), columns, figsize=(4.6 * columns, 3.6 * len(sizes)), squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    for row, size in enumerate(sizes):
        for column, each in enumerate(one for one in found if one["size"] == size):
            _panel(grid[row][column], each)
    machine = found[-1]["machine"]
    figure.suptitle(
        f"Items per second into their destination, medians ({machine['cpus']} cores, {machine['at'][:10]})", fontsize=11
    )
    figure.tight_layout()
    figure.savefig(folder / NAME, dpi=90)


def _panel(axes: Any, found: dict[str, Any]) -> None:
    axes.set_visible(True)
    figures = sorted(found["figures"].values(), key=lambda each: median(each["rates"]))
    names = [each["name"] for each in figures]
    rates = [median(each["rates"]) for each in figures]
    low = [rate - min(each["rates"]) for rate, each in zip(rates, figures, strict=True)]
    high = [max(each["rates"]) - rate for rate, each in zip(rates, figures, strict=True)]
    colours = [
        CEILING if name == found["ceiling"] else OURS if name.startswith("syncer") else OTHERS for name in names
    ]  # fmt: skip
    axes.barh(names, rates, xerr=[low, high], color=colours, error_kw={"elinewidth": 0.8, "ecolor": "#57606a"})
    axes.set_xscale("log")
    axes.set_xlim(left=min(rates) / 3, right=max(rates) * 4)
    for place, rate in enumerate(rates):
        axes.text(rate * 1.15, place, f"{rate:,.0f}", va="center", fontsize=7)
    rounds = len(figures[0]["rates"])
    axes.set_title(f"{found['size'] // 1024} kB, {found['latency'] * 1000:g} ms, {rounds} rounds", fontsize=9)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
