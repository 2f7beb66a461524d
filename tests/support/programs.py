"""The programs that examples are checked with, where `tests/run.py` puts them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def program(name: str) -> str:
    """Return the path of a program: of the tests' environment, of this machine, or out of a Debian package."""
    own = Path(sys.executable).parent / name
    cache = Path(os.environ.get("SYNCER_TEST_CACHE", Path.home() / ".cache" / "annotation-syncer-tests"))
    places = (own, shutil.which(name), cache / "prometheus" / "usr" / "bin" / name)
    found = [str(place) for place in places if place and Path(place).exists()]
    assert found, f"{name} is missing: tests/run.py installs it"
    return found[0]


def said(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed; it must be content."""
    line = [program(str(words[0])), *map(str, words[1:])]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, f"{' '.join(line)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
