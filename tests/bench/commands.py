"""The contestants as commands that may fail: what they delivered is counted where they deliver it."""

import gzip
import os
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.environments import Field
from tests.bench.field import IN_FLIGHT, SCRIPTS
from tests.emulators.link_process import RemoteLink
from tests.support.command import command, environment, syncer
from tests.support.link_run import ROOT, prepare

Words = Callable[[Path, RemoteLink, int, Field], Sequence[str | Path]]


@dataclass(frozen=True, slots=True)
class Command:
    """One contestant."""

    name: str
    words: Words
    delivered: Callable[[Path], int]
    #: Items that are safe now, if the contestant can say that.
    committed: Callable[[Path], int] | None = None

    def start(self, folder: Path, platform: RemoteLink, items: int, programs: Field) -> "subprocess.Popen[bytes]":
        """Start it in a folder; a second time there, it goes on as well as it can."""
        words = self.words(folder, platform, items, programs)
        extra = {"PYTHONPATH": _path(folder)}
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(word) for word in words], cwd=folder, env=environment(folder, extra), stdout=log, stderr=log
            )


def _syncer(rate: float | None) -> Words:
    def words(folder: Path, platform: RemoteLink, items: int, programs: Field) -> Sequence[str | Path]:
        limits: dict[str, Any] = {"concurrency": IN_FLIGHT}
        if rate is not None:
            limits["requests_per_second"] = rate
        prepare(folder, platform, limits=limits)
        return command("sync", "zip", "-q")

    return words


def _archived(folder: Path) -> int:
    archives = list((folder / "archive").glob("*.zip"))
    return sum(len(zipfile.ZipFile(each).namelist()) for each in archives)


def _committed(folder: Path) -> int:
    (row,) = syncer("status", "zip", "-o", "json", cwd=folder, env={"PYTHONPATH": _path(folder)}).ok().json()
    items: int = row["items"]
    return items


def _path(folder: Path) -> str:
    return f"{ROOT}{os.pathsep}{folder / 'plug-ins'}"


def _rclone(folder: Path, platform: RemoteLink, items: int, programs: Field) -> Sequence[str | Path]:
    (folder / "list").write_text("".join(f"{item:07d}\n" for item in range(items)))
    return [programs.rclone, "copy", ":http:", "out", "--http-url", f"{platform.content_url}/c", "--http-no-head",
            "--files-from-raw", "list", "--no-traverse", "--transfers", str(IN_FLIGHT), "-q",
            "--config", os.devnull]  # fmt: skip


def _aria2c(folder: Path, platform: RemoteLink, items: int, programs: Field) -> Sequence[str | Path]:
    (folder / "list").write_text("".join(f"{platform.content_url}/c/{item:07d}\n" for item in range(items)))
    return ["aria2c", "-i", "list", "-d", "out", f"-j{IN_FLIGHT}", "-x1", "-s1", "--file-allocation=none", "-c",
            "--no-conf", "--quiet", "--summary-interval=0", "--auto-save-interval=0"]  # fmt: skip


def _script(name: str, program: str) -> Words:
    def words(folder: Path, platform: RemoteLink, items: int, programs: Field) -> Sequence[str | Path]:
        return [getattr(programs, program), SCRIPTS / f"{name}.py", platform.url, platform.token, str(items)]

    return words


def _files(folder: Path) -> int:
    return sum(path.stat().st_size > 0 and path.suffix != ".aria2" for path in (folder / "out").glob("*"))


def _rows(folder: Path) -> int:
    """Count what dlt loaded."""
    found = 0
    for path in (folder / "out").glob("links/documents/*.jsonl*"):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as file:
            found += sum(1 for _ in file)
    return found


def _records(folder: Path) -> int:
    with (folder / "records.jsonl").open("rb") as file:
        return sum(b'"type":"RECORD"' in line for line in file)


def commands(limit: float | None) -> Sequence[Command]:
    """Return all contestants; one of them is told the limit, if there is one."""
    ours = [Command("syncer", _syncer(None), _archived, _committed)]
    if limit is not None:
        ours.append(Command("syncer, told the limit", _syncer(limit), _archived))
    return [
        *ours,
        Command("rclone", _rclone, _files),
        Command("aria2c", _aria2c, _files),
        Command("dlt", _script("dlt_pipeline", "dlt"), _rows),
        Command("airbyte-cdk", _script("airbyte_source", "airbyte"), _records),
    ]
