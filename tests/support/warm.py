"""`syncer` in processes that need not import it first: each is forked, for one command, from one that waits.

Starting Python and importing everything is most of what a small command takes. What is forked is a process of its own
nevertheless, with its own signals, exit code and environment.
"""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.command import Ended, environment


@dataclass(slots=True)
class Warm:
    """The process that waits. It is started by the first command, and ends with this one."""

    _process: "subprocess.Popen[str] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end; one at a time."""
        with tempfile.TemporaryDirectory() as folder, self._lock:
            files = [str(Path(folder) / name) for name in ("out", "err")]
            order = {
                "words": [str(word) for word in words],
                "cwd": str(cwd),
                "env": environment(cwd, env),
                "files": files,
            }
            code = self._ask(order)
            out, err = (Path(name).read_text("utf-8") for name in files)
        assert "Traceback" not in err, err
        return Ended(code, out, err)

    def _ask(self, order: Mapping[str, Any]) -> int:
        if self._process is None or self._process.poll() is not None:
            # Closing standard input ends it, and that happens when this process ends, however that comes.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).resolve().parents[2],
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())


#: The one of this test run.
WARM = Warm()


def _main() -> None:
    import syncer  # noqa: PLC0415  # only the process that waits needs it

    for module in pkgutil.walk_packages(syncer.__path__, "syncer."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            os._exit(_run(json.loads(line)))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(order: Mapping[str, Any]) -> int:
    from syncer.cli import main  # noqa: PLC0415  # see above

    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, name in enumerate(("/dev/null", *order["files"])):
        target = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(target, number)
        os.close(target)
    code = main(order["words"])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    _main()
