"""The command line inside this process, in a folder and with a state of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog  # noqa: F401  # first loaded inside of a command, it would ask for the working directory on the loop

import syncer.cli.context  # noqa: F401  # rich looks for the working folder while it is imported: not on a loop
from syncer.cli import main
from syncer.sources.memory import MemoryPlatform, platform_named


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the data that it printed."""
        return json.loads(self.out)

    def words(self) -> str:
        """Return what it said to people: no log lines, no line breaks."""
        return " ".join(line for line in self.err.splitlines() if not line.startswith("{"))


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; no traceback is ever shown without -v."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> Ended:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Ended(code, said.out, said.err)

    return call


@pytest.fixture
def platform(tmp_path: Path) -> MemoryPlatform:
    """Return the platform behind `config`: five items in project 7, and nobody else's."""
    found = platform_named(tmp_path.name)
    for number in range(1, 6):
        found.put(str(number))
    return found


@pytest.fixture
def config(tmp_path: Path, platform: MemoryPlatform) -> Path:
    """Write a configuration with two jobs, one into files and one into an archive."""
    file = tmp_path / "syncer.yaml"
    file.write_text(
        "state: sqlite:state.db\n"
        f"platforms: {{mem: {{type: memory, platform: {tmp_path.name}}}}}\n"
        'sinks:\n  lake: {type: prefix, url: "file:lake"}\n  box: {type: zip, url: "file:box"}\n'
        'jobs:\n  files: {platform: mem, select: {projects: ["7"]}, sinks: [lake]}\n'
        '  archive: {platform: mem, select: {projects: ["7"]}, sinks: [box]}\n',
        encoding="utf-8",
    )
    return file
