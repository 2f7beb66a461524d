"""`syncer` inside this process, in front of an emulated Clarifai that listens in a thread of its own."""

import asyncio
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Commands import these when they run, which reads files on a loop that the tests watch.
from syncer.cli import adhoc, context, main, passes, previews, tables  # noqa: F401
from tests.emulators.clarifai import ClarifaiPlatform
from tests.support.command import Ended


@contextmanager
def in_thread(platform: ClarifaiPlatform) -> Iterator[ClarifaiPlatform]:
    """Let a platform listen while the block runs."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def listen() -> None:
        async with platform:
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(listen()))
    thread.start()
    try:
        assert ready.wait(30)
        yield platform
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@dataclass
class Desk:
    """A folder, a platform, and commands."""

    folder: Path
    platform: ClarifaiPlatform
    capsys: pytest.CaptureFixture[str]
    #: As fast as the platform answers, and without patience.
    sets: tuple[str, ...] = ("limits.requests_per_second=5000", "limits.attempts=2")

    def run(self, *words: str) -> Ended:
        """Run a command to its end."""
        code = main(list(words))
        said = self.capsys.readouterr()
        assert "Traceback" not in said.err
        return Ended(code, said.out, said.err)

    def export(self, to: str = "out.zip", *more: str, app: str = "cars") -> Ended:
        """Export an app; the report is on standard output, as JSON."""
        sets = [word for each in self.sets for word in ("--set", each)]
        self.platform.log.clear()
        return self.run(
            "export", "clarifai", "--project", app, "--to", to, "-o", "json", "--progress", "none", *sets, *more
        )

    def documents(self, to: str = "out.zip") -> dict[str, Any]:
        """Return the documents of an archive by name, without those that explain the app."""
        with zipfile.ZipFile(self.folder / to) as archive:
            names = [name for name in archive.namelist() if not name.startswith("_context")]
            return {name: json.loads(archive.read(name)) for name in names}


def counts(ended: Ended) -> dict[str, int]:
    """Return the counts of the one job that ran."""
    (report,) = ended.json()
    found: dict[str, int] = report["counts"]
    return found
