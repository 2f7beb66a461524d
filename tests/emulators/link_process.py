"""The linking platform in processes of its own: several of them behind one pair of ports, counting in shared memory."""

import argparse
import asyncio
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import uvloop

from tests.emulators.link import TOKEN, LinkPlatform, Tally


class SharedCounts:
    """Counters of all processes: each adds in a row of its own, so that no addition is lost; all read the sums."""

    def __init__(self, memory: memoryview, length: int, row: int) -> None:
        self._memory = memory
        self._length = length
        self._row = row * length

    def __getitem__(self, place: int, /) -> int:
        return sum(self._memory[place :: self._length])

    def __setitem__(self, place: int, value: int, /) -> None:
        # Callers only ever add to what they read; the difference is this process's own.
        self._memory[self._row + place] += value - self[place]

    def __iter__(self) -> Iterator[int]:
        rows = [self._memory[start : start + self._length] for start in range(0, len(self._memory), self._length)]
        return map(sum, zip(*rows, strict=True))


@dataclass(frozen=True, slots=True)
class RemoteLink:
    """A platform in processes of its own, seen from outside."""

    url: str
    content_url: str
    token: str
    #: Of the parent of the workers.
    pid: int

    def stats(self) -> dict[str, Any]:
        """Return the counters of all workers (`LinkPlatform.stats`); blocks, briefly."""
        with urlopen(f"{self.url}/_stats", timeout=60) as answer:  # noqa: S310  # our own server
            counters: dict[str, Any] = json.load(answer)
        return counters


@contextmanager
def link_process(*options: str) -> Iterator[RemoteLink]:
    """Start a platform with command line options (`--items`, `5000`); stop it at the end, however that comes."""
    command = (sys.executable, "-m", "tests.emulators.link", *options)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield RemoteLink(**json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the platform until SIGTERM, or until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.link")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--size", type=int, default=2048, help="bytes of every document")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--content-port", type=int, default=0)
    parser.add_argument("--content-url", help="links lead there: to another server, which has the same documents")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the ports")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before content is sent")
    parser.add_argument("--rate", type=float, default=0.0, help="content requests a second, above which there is 429")
    parser.add_argument("--link-seconds", type=float, default=3600.0, help="life of a link")
    parser.add_argument("--fail-every", type=int, default=0, help="every n-th item fails once with 503")
    options = parser.parse_args(arguments)
    memory = memoryview(mmap.mmap(-1, 4 * options.workers * (options.items + 3))).cast("I")
    split = options.workers * options.items
    with ExitStack() as stack:
        # Bound here and never listened on: the ports stay ours while the workers share them.
        ports = [_reserve(stack, port) for port in (options.port, options.content_port)]
        workers, alive = [], os.pipe()
        for row in range(options.workers):
            platform = LinkPlatform(
                options.items,
                options.size,
                link_seconds=options.link_seconds,
                latency=options.latency,
                rate=options.rate / options.workers,
                fail_every=options.fail_every,
            )
            platform.linked = options.content_url or ""
            platform.tally = Tally(
                SharedCounts(memory[:split], options.items, row), SharedCounts(memory[split:], 3, row)
            )
            workers.append(_fork(platform, ports, alive))
        for _, ready in workers:
            os.read(ready, 1)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        line = {"url": urls[0], "content_url": options.content_url or urls[1], "token": TOKEN, "pid": os.getpid()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        _wait()
        for worker, _ in workers:
            os.kill(worker, signal.SIGTERM)


def _wait() -> None:
    """Return at SIGTERM, or at the end of standard input."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        while os.read(sys.stdin.fileno(), 4096):
            pass


def _reserve(stack: ExitStack, port: int) -> int:
    reserved = stack.enter_context(socket.socket())
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(("127.0.0.1", port))
    bound: int = reserved.getsockname()[1]
    return bound


def _fork(platform: LinkPlatform, ports: Sequence[int], alive: tuple[int, int]) -> tuple[int, int]:
    """Start a worker; return its pid, and a pipe that it writes to once it listens."""
    ready, told = os.pipe()
    worker = os.fork()
    if worker:
        os.close(told)
        return worker, ready
    os.close(alive[1])

    async def work() -> None:
        await platform.start(*ports, shared=True)
        os.write(told, b"1")
        # A worker whose parent was killed must not stay: nobody else holds the other end of this pipe.
        orphaned = asyncio.Event()
        asyncio.get_running_loop().add_reader(alive[0], orphaned.set)
        await orphaned.wait()

    uvloop.run(work())
    os._exit(0)


if __name__ == "__main__":
    main()
