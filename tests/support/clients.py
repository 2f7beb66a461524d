"""Vendors' own clients, in a process and an environment of their own: their dependencies are none of ours.

`SYNCER_TEST_CLIENTS` names the Python of that environment, else `.cache/clients/bin/python` of this checkout is taken.
It is never skipped: where it is missing, the tests that need it fail and say what to run.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread

CHECKOUT = Path(__file__).resolve().parents[2]

#: Releases that the emulated platforms are proved with.
VERSIONS = ("vi-sdk==0.1.0b7", "datature==1.12.2")


def client_python() -> Path:
    """Return the Python that has the clients.

    Raises:
        RuntimeError: there is none; the message says what to do.
    """
    named = os.environ.get("SYNCER_TEST_CLIENTS")
    python = Path(named) if named else CHECKOUT / ".cache" / "clients" / "bin" / "python"
    if not python.exists():
        message = (
            f"{python} is missing. Run: python3 -m venv .cache/clients && .cache/clients/bin/pip install "
            f"{' '.join(VERSIONS)}\nor set SYNCER_TEST_CLIENTS to the Python of an environment that has them."
        )
        raise RuntimeError(message)
    return python


def ask_client(script: str, *words: str, home: Path, env: Mapping[str, str]) -> Any:
    """Run a script of `tests/integration` with the clients; return the JSON that it printed last. Blocks."""
    command = [str(client_python()), str(CHECKOUT / "tests" / "integration" / script), *words]
    inherited = {"PATH": os.environ.get("PATH", ""), "HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, env={**inherited, **env}, check=False, timeout=280)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


async def ask_client_aside(script: str, *words: str, home: Path, env: Mapping[str, str]) -> Any:
    """Do the same in a thread, so that this loop can serve meanwhile."""
    return await anyio.to_thread.run_sync(lambda: ask_client(script, *words, home=home, env=env))
