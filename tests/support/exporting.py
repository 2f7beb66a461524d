"""`syncer export label_studio` as a test runs it, and what then lies at its destination."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from tests.support.command import Ended, syncer
from tests.support.destination import contents

#: Where the documents that explain a project lie.
CONTEXT = "_context/"


@dataclass(frozen=True, slots=True)
class Exporter:
    """A folder to work in, with the address and the token of a server in its environment."""

    folder: Path
    url: str
    token: str

    def run(self, *words: str, timeout: float = 280) -> Ended:
        """Run a command to its end, whatever that is."""
        # Variables of this tool are taken out of the environment, these two are added for it.
        env = {"LABEL_STUDIO_URL": self.url, "LABEL_STUDIO_API_KEY": self.token}
        return syncer(*words, cwd=self.folder, env=env, timeout=timeout)

    def export(self, project: int, to: str, *more: str) -> Ended:
        """Export a project; the report is on standard output, as JSON."""
        return self.run(
            "export", "label_studio", "--project", str(project), "--to", to, "-o", "json", "--progress", "none", *more
        )

    async def aside(self, project: int, to: str, *more: str) -> Ended:
        """Do the same in a thread, so that this loop can serve meanwhile."""
        return await anyio.to_thread.run_sync(lambda: self.export(project, to, *more))

    def place(self, to: str) -> Path:
        """Return where a destination lies."""
        return self.folder / to

    def check(self, to: str) -> list[dict[str, Any]]:
        """Check that the manifest of a destination names exactly what lies there; return its rows."""
        self.run("verify", to, "--deep").ok()
        printed = self.run("manifest", to, "-o", "jsonl").ok().out
        rows = [json.loads(line) for line in printed.splitlines()]
        found = contents(self.place(to))
        for row in rows:
            assert found[row["path"]] == row["sha256"], row["path"]
        return rows


def report(ended: Ended) -> dict[str, Any]:
    """Return the report of the one job that ran."""
    (only,) = ended.json()
    found: dict[str, Any] = only
    return found


def counts(ended: Ended, *names: str) -> dict[str, int]:
    """Return some counts of the one job that ran."""
    every = report(ended)["counts"]
    return {name: every[name] for name in names}


def documents(place: Path) -> dict[str, bytes]:
    """Return every document of a folder or an archive by its name, without those that explain the project."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
    else:
        files = [path for path in place.rglob("*") if path.is_file()]
        found = {path.relative_to(place).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in found.items() if not name.startswith((CONTEXT, "_manifest/"))}


def same_documents(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """Check that documents are as expected: first which there are, then field by field, then to the byte."""
    assert sorted(found) == sorted(expected)
    for name, data in expected.items():
        assert json.loads(found[name]) == json.loads(data), name
        assert found[name] == data, name
