"""`syncer export` from an emulated Kognic or Annotell as a test runs it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread

from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.support.command import Ended, syncer
from tests.support.exporting import documents, report

#: The literal project, batch and type of `KognicPlatform(n)`.
ONE = ("--project", PROJECT, "--batch", BATCH, "--annotation-type", TYPE)

#: So that what stays broken is given up within seconds.
HASTY = ("--set", "limits.attempts=2", "--set", "limits.retry_budget=2")


@dataclass(frozen=True, slots=True)
class Exporter:
    """A folder to work in, with a platform's address and credentials."""

    folder: Path
    platform: KognicPlatform
    type: str = "kognic"
    #: Variables beside the credentials.
    env: Mapping[str, str] = field(default_factory=dict)

    async def run(self, *words: str) -> Ended:
        """Run a command to its end, whatever that is, while this loop serves; `PLATFORM` is the emulated one."""
        file = self.folder / "credentials.json"
        if not file.exists():
            self.platform.credentials(file)
        env = {f"{self.type.upper()}_CREDENTIALS": str(file), **self.env}
        return await anyio.to_thread.run_sync(lambda: syncer(*words, cwd=self.folder, env=env))

    async def export(self, to: str, *more: str, what: tuple[str, ...] = ONE) -> Ended:
        """Export; the report is on standard output, as JSON."""
        where = ("--set", f"url={self.platform.url}")
        options = ("--to", to, "-o", "json", "--progress", "none")
        return await self.run("export", self.type, *what, *where, *options, *more)

    def documents(self, to: str) -> dict[str, bytes]:
        """Return every document that lies at a destination by its name."""
        return documents(self.folder / to)

    async def rows(self, to: str) -> dict[str, Any]:
        """Check a destination, and return the rows of its merged manifest by path."""
        (await self.run("verify", to, "--deep")).ok()
        printed = (await self.run("manifest", to, "-o", "jsonl")).ok().out
        return {row["path"]: row for row in map(json.loads, printed.splitlines())}


def named(found: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return documents by UUID of the scene under the names that they are stored by."""
    return {f"{scene}.json": document for scene, document in found.items()}


def numbers(ended: Ended, *names: str) -> tuple[int, ...]:
    """Return some counts of the one job that ran."""
    every = report(ended)["counts"]
    return tuple(every[name] for name in names)
