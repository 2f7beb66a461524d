"""The embedded Label Studio in a process of its own, with documents of a wanted size."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

#: Bytes of one box of an annotation, about.
BOX = 230


@contextmanager
def studio(tasks: int, size: int, latency: float = 0.0) -> Iterator[Mapping[str, str]]:
    """Run it, with one finished annotation a task; yield what it said about itself."""
    words = [sys.executable, "-m", "syncer.demo.platform", "--with-parent", "--tasks", str(tasks), "--finished",
             "--boxes", str(max(1, size // BOX)), "--latency", str(latency)]  # fmt: skip
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
