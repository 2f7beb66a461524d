"""`syncer` as its users start it: a process of its own.

Most tests want only that: `syncer` forks one from a process that has everything imported. `fresh` and `start` begin as
users do, for tests of the process itself, and for those that stop or kill one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.warm import WARM

#: Beginnings of variables with settings and credentials of whoever runs the tests.
_PERSONAL = ("SYNCER", "LABEL_STUDIO", "KOGNIC", "ANNOTELL", "CLARIFAI", "DATATURE")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the data that it printed."""
        return json.loads(self.out)

    def ok(self) -> "Ended":
        """Check that it was done, with what it said as the reason otherwise."""
        assert self.code == 0, f"exit {self.code}\n{self.err}"
        return self


def command(*words: str | Path) -> list[str]:
    """Return the command line of `syncer`."""
    return [sys.executable, "-m", "syncer", *(str(word) for word in words)]


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nothing of the user's own state or settings is seen."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PERSONAL)}
    # An installed package is compiled once, not anew by each process.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    homes = {f"XDG_{kind}_HOME": str(folder / "xdg" / kind.lower()) for kind in ("CACHE", "CONFIG")}
    return {**kept, "XDG_STATE_HOME": str(folder / "xdg"), **homes, "COLUMNS": "200", "NO_COLOR": "1", **(extra or {})}


def syncer(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 100) -> Ended:
    """Run a command to its end, in a process that need not import anything first."""
    return _ended(WARM.run([*map(str, words)], cwd=cwd, env=environment(cwd, env), timeout=timeout))


def fresh(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 100) -> Ended:
    """Run a command to its end, in a process that starts from nothing."""
    done = subprocess.run(
        command(*words),
        cwd=cwd,
        env=environment(cwd, env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return _ended(done)


def _ended(done: "subprocess.CompletedProcess[str]") -> Ended:
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


def start(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a command and leave it running; whoever starts it ends it."""
    return subprocess.Popen(
        command(*words), cwd=cwd, env=environment(cwd, env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
