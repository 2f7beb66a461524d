"""The platform in a process of its own: whoever is killed and started again beside it, it goes on serving."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import anyio

from syncer.demo.platform.server import until_end_of_input, until_signal
from tests.emulators.kognic.platform import BATCH, PROJECT, TYPE, KognicPlatform


@dataclass(frozen=True, slots=True)
class Remote:
    """A running platform, seen from outside. Its methods block, briefly."""

    url: str
    storage_url: str
    client_id: str
    client_secret: str
    project: str
    batch: str
    type: str
    #: UUIDs of its inputs at the start.
    inputs: list[str]
    pid: int

    def stats(self) -> dict[str, Any]:
        """Return the counters of `Traffic`, and grants by type."""
        counters: dict[str, Any] = self._ask("GET", "/_stats")
        return counters

    def forget(self) -> None:
        """Count from zero again."""
        self._ask("DELETE", "/_stats")

    def fault(self, kind: str, **options: Any) -> None:
        """Switch a fault on; options are the fields of `faults.Fault`."""
        self._ask("POST", "/_faults", {"kind": kind, **options})

    def heal(self) -> None:
        """Switch all faults off."""
        self._ask("DELETE", "/_faults")

    def edit(self, action: str, inputs: Sequence[str] = ()) -> list[str]:
        """Correct, invalidate, delete or finish: return the UUIDs of the scenes."""
        scenes: list[str] = self._ask("POST", "/_edit", {"action": action, "inputs": list(inputs)})
        return scenes

    def documents(self) -> dict[str, bytes]:
        """Return the document of every delivered annotation by UUID of its scene."""
        return {scene: text.encode() for scene, text in self._ask("GET", "/_documents").items()}

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.url + path, data, method=method), timeout=60) as answer:  # noqa: S310  # our own server
            return json.load(answer)


@contextmanager
def kognic_process(*options: str) -> Iterator[Remote]:
    """Start a platform with command line options (`--annotations`, `5000`); stop it at the end, however that comes."""
    command = (sys.executable, "-m", "tests.emulators.kognic", *options)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Remote(**json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the platform until SIGTERM, or until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.kognic")
    parser.add_argument("--annotations", type=int, default=100)
    parser.add_argument("--size", type=int, default=2048, help="about how many bytes a document has")
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer, on both origins")
    parser.add_argument("--lifetime", type=float, default=3600.0, help="seconds that tokens live")
    parser.add_argument("--link-seconds", type=float, default=3600.0, help="seconds that links live")
    parser.add_argument("--varied", action="store_true", help="no two documents have the same cuboids")
    options = parser.parse_args(arguments)
    platform = KognicPlatform(
        options.annotations,
        lifetime=options.lifetime,
        size=options.size,
        page_size=options.page_size,
        link_seconds=options.link_seconds,
    )
    if options.varied:
        platform.vary()
    if options.latency:
        platform.faults.add("latency", seconds=options.latency, times=None)
    anyio.run(_serve, platform, backend_options={"use_uvloop": True})


async def _serve(platform: KognicPlatform) -> None:
    async with platform, anyio.create_task_group() as tasks:
        tasks.start_soon(until_signal, tasks.cancel_scope)
        tasks.start_soon(until_end_of_input, tasks.cancel_scope)
        line = {
            "url": platform.url,
            "storage_url": platform.storage_url,
            "client_id": platform.auth.client_id,
            "client_secret": platform.auth.client_secret,
            "project": PROJECT,
            "batch": BATCH,
            "type": TYPE,
            "inputs": list(platform.world.inputs),
            "pid": os.getpid(),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
