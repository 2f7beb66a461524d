"""What a command costs: seconds of CPU and peak memory of it and all that it starts, as the kernel counts them.

`python -m tests.support.measured FILE COMMAND…` is the launcher: the kernel hands a parent's peak memory on to a
child that it starts, so the parent has to be a small process, and not the test itself.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Seconds between two looks at a tree of processes. One process alone needs none: the kernel knows its peak.
_LOOK = 0.05
#: `prctl(2)`: processes whose parent ended become ours, so that their CPU is counted, too.
_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Cost:
    """One command that ended well."""

    #: Seconds from its start to its end.
    wall: float
    #: Seconds of CPU, of all its threads and processes.
    cpu: float
    #: Most memory resident at a time, in bytes; where it starts processes, the sum over those that lived together.
    peak: int
    out: str

    def json(self) -> Any:
        """Return the data that it printed."""
        return json.loads(self.out)


def measured(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 600, code: int = 0
) -> Cost:  # fmt: skip
    """Run a command to its end, and measure it; `code` is how it has to end."""
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
        assert process.returncode == code, f"exit {process.returncode}: {' '.join(command)}\n{errors}"
        assert "Traceback" not in errors, errors
        return Cost(**json.load(figures), out=out)


def _main(target: str, command: Sequence[str]) -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    begun = time.perf_counter()
    pid = os.fork()
    if not pid:
        os.execvp(command[0], list(command))  # noqa: S606  # the command that we were asked to measure
    highest = 0
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        tree = [_resident(each) for each in _tree(pid)]
        highest = max(highest, sum(tree) if len(tree) > 1 else 0)
        _until_end(pid, _LOOK)
    wall = time.perf_counter() - begun
    with suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Linux counts `ru_maxrss` in KiB, macOS in bytes (getrusage(2) of each).
    unit = 1 if sys.platform == "darwin" else 1024
    peak = max(highest, used.ru_maxrss * unit)
    Path(target).write_text(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": peak}))
    return os.waitstatus_to_exitcode(ended[1])


def _until_end(pid: int, seconds: float) -> None:
    """Sleep, but not past the end of a child."""
    if sys.platform != "linux":
        time.sleep(min(seconds, 0.01))
        return
    import select  # noqa: PLC0415  # the launcher stays small

    descriptor = os.pidfd_open(pid)
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it; nothing more where the kernel doesn't tell."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in tasks.read_text().split():
                yield from _tree(int(child))


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2:]))
