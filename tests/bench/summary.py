"""What was measured, for README.md and the design: `python -m tests.bench.summary` writes both tables anew."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.field import HELD
from tests.bench.figures import RESULTS
from tests.bench.targets import targets
from tests.support.tree import ROOT

README, DESIGN = ROOT / "README.md", ROOT / "syncer" / "DESIGN.md"
BEGIN, END = "<!-- speed -->\n", "<!-- end of speed -->\n"

#: How contestants are called where there is no room to explain them.
NAMES: Mapping[str, str] = {
    "bare aiohttp": "one aiohttp loop on uvloop that stores nothing, 64 at once",
    "syncer to zip": "**`syncer` to a zip archive**",
    HELD: "the same, held at 64 at once",
    "syncer to folder": "**`syncer` to a folder**",
    "syncer to S3": "**`syncer` to S3** (SeaweedFS on the same machine)",
    "rclone": "`rclone`, 64 transfers, from a ready-made list",
    "aria2c": "`aria2c`, 64 at once, from a ready-made list",
    "dlt": "`dlt`, its `rest_api` and a deferred transformer",
    "airbyte-cdk": "`airbyte-cdk`, declarative, 64 at once",
    "serial loop": "a serial loop into `zipfile`",
    "kognic-io": "`kognic-io`, as its documentation says",
    "label-studio-sdk, one by one": "`label-studio-sdk`, one by one",
}

#: The size that the lines are about.
SIZE = 8_192


def table(folder: Path = RESULTS) -> str:
    """Return the lines of the table."""
    found = [json.loads(path.read_text()) for path in folder.glob(f"field-{SIZE // 1024}kB-*.json")]
    found.sort(key=lambda each: float(each["latency"]))
    first = found[0]
    late = [f"{each['latency'] * 1000:g} ms" for each in found]
    lines = [
        f"| items/s at | {' | '.join(late)} | CPU µs an item | peak MB |",
        f"|---|{'--:|' * (len(late) + 2)}",
    ]
    for name, title in NAMES.items():
        if name in first["figures"]:
            rates = [_rate(each, name) for each in found]
            cpu = median(first["figures"][name]["cpus"]) / first["figures"][name]["items"] * 1e6
            peak = max(median(each["figures"][name]["peaks"]) for each in found if name in each["figures"])
            lines.append(f"| {title} | {' | '.join(rates)} | {cpu:,.0f} | {peak:,.0f} |")
    return "".join(f"{line}\n" for line in lines)


def _rate(found: Mapping[str, Any], name: str) -> str:
    rate = median(found["figures"][name]["rates"]) if name in found["figures"] else None
    return "" if rate is None else f"{rate:,.0f}"


def aims(folder: Path = RESULTS) -> str:
    """Return the lines of what was aimed at."""
    lines = ["| | aim | measured | |", "|---|--:|--:|---|"]
    lines += [
        f"| {each.what} | {each.aim} | {each.seen} | {'' if each.met else 'missed'} |" for each in targets(folder)
    ]
    return "".join(f"{line}\n" for line in lines)


def written(file: Path) -> str:
    """Return the table that a file has."""
    text = file.read_text("utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def main() -> None:
    """Write the tables into their files."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    for file, made in ((README, table()), (DESIGN, aims())):
        new = pattern.sub(lambda _, made=made: f"{BEGIN}{made}{END}", file.read_text("utf-8"))  # type: ignore[misc]  # bound now
        file.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
