"""A real Label Studio on a free port of this machine, for the tests that hold the emulated one to the truth.

It is installed in an environment of its own: `SYNCER_TEST_LABEL_STUDIO` names its command, else
`.cache/label-studio/bin/label-studio` of this checkout is taken. It is never skipped: where it is missing,
the tests that need it fail and say what to run. Its migrated, empty data is made once and kept in
`label-studio-data` below `SYNCER_TEST_CACHE` (else `.cache` of this checkout), so that a start takes seconds.
Tests that use it want a timeout of their own.
"""

import contextlib
import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.studio import Studio

CHECKOUT = Path(__file__).resolve().parents[2]

#: Release that the emulated server was compared with.
RELEASE = "1.23.2"

#: Seconds that a start may take; migrations on a busy machine took 98.
_PATIENCE = 400.0
#: Seconds between two looks, and for the end of a server that was asked to stop.
_LOOK, _FAREWELL = 0.25, 15.0

_TOKEN = "5a1e7e57" * 5
_USER = "admin@example.com"

#: Nothing of the server may leave this machine, and nothing may ask for a browser.
_QUIET = {
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_SENTRY_DSN": "",
    "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    # Without this flag an import silently drops drafts.
    "fflag_feat_back_lsdv_5307_import_reviews_drafts_29062023_short": "true",
}


@dataclass(frozen=True, slots=True)
class RealLabelStudio:
    """A running server: where it is, and a legacy token that is switched on."""

    url: str
    token: str
    #: What it printed, for a look when a test fails.
    log: Path

    def client(self) -> Studio:
        """Return a client to seed and edit it; enter it inside the test."""
        return Studio(self.url, self.token)


@pytest.fixture(scope="session")
def label_studio() -> Iterator[RealLabelStudio]:
    """One real server for the whole session; each test makes projects of its own.

    Only a `conftest.py` imports it: every module that did so would get a server of its own.
    """
    with real_label_studio() as server:
        yield server


@contextlib.contextmanager
def real_label_studio() -> Iterator[RealLabelStudio]:
    """Start a server with empty data; stop it in all cases.

    Raises:
        RuntimeError: it is not installed, or it does not come up; the message says what to do.
    """
    with label_studio_data() as start, start() as server:
        yield server


@contextlib.contextmanager
def label_studio_data() -> Iterator[Callable[[], contextlib.AbstractContextManager[RealLabelStudio]]]:
    """Yield what starts a server on one folder of data: what it held before a stop, it holds after the next start.

    Every start is on another port.
    """
    command = _command()
    with tempfile.TemporaryDirectory(prefix="label-studio-") as folder:
        data = Path(folder) / "data"
        shutil.copytree(_migrated(command), data)
        yield lambda: _running(command, data)


def _command() -> Path:
    named = os.environ.get("SYNCER_TEST_LABEL_STUDIO")
    command = Path(named) if named else CHECKOUT / ".cache/label-studio/bin/label-studio"
    if not command.is_file():
        message = (
            f"this test needs a real Label Studio, and {command} does not exist. Run `python tests/run.py`, or:\n"
            f"  python -m venv {CHECKOUT}/.cache/label-studio && "
            f"{CHECKOUT}/.cache/label-studio/bin/pip install label-studio=={RELEASE}\n"
            "or set SYNCER_TEST_LABEL_STUDIO to the `label-studio` command of an installation."
        )
        raise RuntimeError(message)
    return command


def _migrated(command: Path) -> Path:
    """Return the folder of migrated, empty data; make it first where there is none for this release."""
    found = sorted(command.resolve().parent.parent.glob("lib/python*/site-packages/label_studio-*.dist-info"))
    release = found[0].name.removeprefix("label_studio-").removesuffix(".dist-info") if found else "unknown"
    cache = Path(os.environ.get("SYNCER_TEST_CACHE") or CHECKOUT / ".cache")
    cached = cache / "label-studio-data" / release
    if not cached.is_dir():
        cached.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{release}-", dir=cached.parent))
        try:
            with _running(command, fresh):
                pass
            # Another session may have been quicker; then its folder is as good.
            with contextlib.suppress(OSError):
                fresh.rename(cached)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return cached


@contextlib.contextmanager
def _running(command: Path, data: Path) -> Iterator[RealLabelStudio]:
    port, log = _free_port(), data.parent / f"{data.name}.log"
    arguments = [
        str(command), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port),
        "--data-dir", str(data), "--username", _USER, "--password", "correct horse", "--user-token", _TOKEN,
        "--enable-legacy-api-token",
    ]  # fmt: skip
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(data), "LANG": "C.UTF-8", **_QUIET}
    environment["LABEL_STUDIO_BASE_DATA_DIR"] = str(data)
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # no threads here yet
        )
    try:
        _wait_until_ready(process, port, log)
        yield RealLabelStudio(f"http://127.0.0.1:{port}", _TOKEN, log)
    finally:
        _stop(process)
        log.unlink(missing_ok=True)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _answers(port):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LOOK)
        if process.returncode is not None or time.monotonic() > deadline:
            tail = log.read_bytes()[-2000:].decode(errors="replace")
            message = f"Label Studio did not come up (exit code {process.returncode}); its last words:\n{tail}"
            raise RuntimeError(message)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/api/version/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_FAREWELL)
            return


def _free_port() -> int:
    # The server silently takes another port when this one is busy; the first request would then go astray.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _die_with_parent() -> None:
    """Ask the kernel to kill the server with this process, however it ends (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
