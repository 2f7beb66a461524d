"""The emulated Datature in a process of its own: whoever is killed and started again beside it, it goes on serving."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import anyio

from tests.emulators.datature import DataturePlatform

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class RemoteDatature:
    """A platform in a process of its own, seen from outside."""

    url: str
    org: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """What the vendor's own client, and `syncer`, read."""
        return {
            "DATATURE_VI_API_ENDPOINT": self.url,
            "DATATURE_VI_ORGANIZATION_ID": self.org,
            "DATATURE_VI_SECRET_KEY": self.key,
        }

    def stats(self, query: str = "") -> dict[str, Any]:
        """Return the counters: requests by route; blocks, briefly."""
        with urlopen(f"{self.url}/_stats{query}", timeout=120) as answer:  # noqa: S310  # our own server
            counters: dict[str, Any] = json.load(answer)
        return counters

    def wait(self, route: str, count: int) -> None:
        """Block until the platform was asked for a route so often."""
        self.stats(f"?route={route}&count={count}")


@contextmanager
def datature_process(*options: str) -> Iterator[RemoteDatature]:
    """Start a platform with command line options (`--assets`, `5000`); stop it at the end, however that comes."""
    command = (sys.executable, "-m", "tests.emulators.datature_process", *options)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield RemoteDatature(**json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the platform until SIGTERM, or until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.datature_process")
    parser.add_argument("--assets", type=int, default=100)
    parser.add_argument("--parts", type=int, default=3, help="annotations of every asset")
    parser.add_argument("--most", type=int, default=1000, help="most rows of a page")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--no-objects", action="store_true", help="no assets together with their annotations")
    parser.add_argument("--export-fails", action="store_true", help="exports fail in the end")
    parser.add_argument("--big", type=Path, help="the archive of every export")
    parser.add_argument("--breaks", type=int, default=0, help="bytes after which a content connection is dropped")
    parser.add_argument("--lapse", type=int, default=0, help="content requests after which all links lapse, once")
    options = parser.parse_args(arguments)
    platform = DataturePlatform(most=options.most, objects=not options.no_objects, export_fails=options.export_fails)
    platform.content.big, platform.content.breaks, platform.content.lapse = options.big, options.breaks, options.lapse
    platform.dataset().generate(options.assets, options.parts)
    if options.latency:
        platform.faults.latency(options.latency)
    anyio.run(_serve, platform)


async def _serve(platform: DataturePlatform) -> None:
    async with platform:
        sys.stdout.write(json.dumps({"url": platform.url, "org": platform.org, "key": platform.key}) + "\n")
        sys.stdout.flush()
        while True:
            await anyio.wait_readable(sys.stdin.fileno())
            if not os.read(sys.stdin.fileno(), 4096):
                return


if __name__ == "__main__":
    main()
