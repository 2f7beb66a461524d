"""`syncer` in processes that need not import it first: each is forked, for one command, from one that waits.

Starting Python and importing everything is most of what a small command takes. What is forked is a process of its own
nevertheless, with its own signals, exit code and environment; at its end, threads are awaited and what was registered
for then is done. Only the seed of `hash` is that of all of them, and modules are not torn down: a process that is
killed, or asked about its start or end, is started afresh (`tests.support.command`).
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]

#: Bytes that an order may have: words and an environment.
_LONGEST = 1 << 17


@dataclass(slots=True)
class Warm:
    """The process that waits. It is started by the first command, and ends with this one, however that ends."""

    _control: socket.socket | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; many may run side by side.

        Raises:
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        order = {"words": list(words), "cwd": str(cwd), "env": dict(env)}
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as out,
            tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        ):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours:
                with theirs:
                    numbers = [theirs.fileno(), out.fileno(), err.fileno()]
                    socket.send_fds(self._waiting(), [json.dumps(order).encode()], numbers)
                pid = _number(ours)
                ours.settimeout(timeout)
                try:
                    code = _number(ours)
                except TimeoutError:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(list(words), timeout) from None
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(words), code, out.read(), err.read())

    def _waiting(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    process = subprocess.Popen(
                        [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())],
                        cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
                    )  # fmt: skip
                atexit.register(_end, self._control, process)
            return self._control


#: The one of this test run.
WARM = Warm()


#: The code that a command ended with, in its own process; none where it broke.
_left: list[int] = []


def _number(line: socket.socket) -> int:
    """Return what was sent; nothing comes from a process that broke before it could."""
    return int(line.recv(32))


def _end(control: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    control.close()
    process.wait()


def _main(control: socket.socket) -> None:
    """Load everything, then fork for each order, until nobody can send one any more."""
    # Registered first, it is done last.
    atexit.register(_leave)
    import syncer  # noqa: PLC0415  # only the process that waits needs it

    for module in pkgutil.walk_packages(syncer.__path__, "syncer."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # What is loaded stays: no process looks through it again.
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(control, _LONGEST, 3)
        if not message:
            return
        if not os.fork():
            control.close()
            _accompany(json.loads(message), *files)
        for file in files:
            os.close(file)
        with contextlib.suppress(ChildProcessError):  # raised when all have ended
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _accompany(order: Mapping[str, Any], line: int, out: int, err: int) -> NoReturn:
    """Run one command in a process of its own; tell who asked for it which one that is, and how it ended."""
    with socket.socket(fileno=line) as asker:
        pid = os.fork()
        if pid:
            asker.send(str(pid).encode())
            _, status = os.waitpid(pid, 0)
            with contextlib.suppress(OSError):  # whoever asked may have given up
                asker.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
    _run(order, out, err)
    sys.exit()


def _run(order: Mapping[str, Any], out: int, err: int) -> None:
    """Become what `python -m syncer` with these words is."""
    from syncer.cli import main  # noqa: PLC0415  # see above

    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, file in ((1, out), (2, err)):
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["syncer", *order["words"]]
    path = os.environ.get("PYTHONPATH", "")
    sys.path[:1] = [order["cwd"], *(folder for folder in path.split(os.pathsep) if folder)]
    _left.append(main())


def _leave() -> NoReturn:
    """Skip what Python does after all that was registered: taking every module apart, for a tenth of a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_left[0] if _left else 1)


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
