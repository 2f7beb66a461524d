"""The emulated Clarifai in a process of its own: whoever is killed and started again beside it, it goes on serving."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remote:
    """Where it is, and its key."""

    url: str
    key: str


@contextmanager
def clarifai_process(*options: str) -> Iterator[Remote]:
    """Start a server with command line options (`--inputs`, `500`); stop it at the end, however that comes."""
    command = [sys.executable, "-m", "tests.emulators.clarifai", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Remote(**json.loads(process.stdout.readline()))
        finally:
            assert process.stdin is not None
            process.stdin.close()
