"""What a process costs: seconds of CPU and peak memory of one command, as the kernel counts them.

`python -m tests.support.measured FILE COMMAND…` is the launcher: the kernel hands a parent's peak memory on to a
child that it starts, so the parent has to be a small process, and not the test itself.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Cost:
    """One command that ended well."""

    #: Seconds from its start to its end.
    wall: float
    #: Seconds of CPU, of all its threads.
    cpu: float
    #: Most memory resident at a time, in bytes.
    peak: int
    out: str

    def json(self) -> Any:
        """Return the data that it printed."""
        return json.loads(self.out)


def measured(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 600) -> Cost:
    """Run a command to its end, and measure it."""
    with tempfile.NamedTemporaryFile(suffix=".json") as figures:
        launcher = [sys.executable, "-S", "-I", __file__, figures.name, *command]
        process = subprocess.Popen(
            launcher, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            out, errors = process.communicate(timeout=timeout)
        except BaseException:  # also when the test is interrupted: launcher and command end together
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        assert process.returncode == 0, f"exit {process.returncode}: {' '.join(command)}\n{errors}"
        assert "Traceback" not in errors, errors
        return Cost(**json.load(figures), out=out)


def _main(target: str, command: Sequence[str]) -> int:
    begun = time.perf_counter()
    pid = os.fork()
    if not pid:
        os.execvp(command[0], list(command))  # noqa: S606  # the command that we were asked to measure
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    # Linux counts `ru_maxrss` in KiB, macOS in bytes (getrusage(2) of each).
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * unit}
    Path(target).write_text(json.dumps(figures))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2:]))
