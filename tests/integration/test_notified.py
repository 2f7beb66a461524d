"""The daemon and its supervisor: what systemd hears from start to end, over a real socket."""

import signal
import socket
from pathlib import Path

from syncer.demo.platform.process import platform_process
from syncer.model.errors import Exit
from tests.support.buckets import free_ports
from tests.support.command import start
from tests.support.survival import prepare


def heard(listener: socket.socket, word: str) -> list[str]:
    """Read until a line begins with a word; return all lines so far."""
    lines: list[str] = []
    while not any(line.startswith(word) for line in lines):
        lines += listener.recv(4096).decode().split("\n")
    return lines


async def test_a_supervisor_hears_the_whole_life(tmp_path: Path) -> None:
    """Ready (and every listener open), how it goes, words of life, a reload and the end, in this order."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(100)
        async with platform_process("--tasks", "20") as platform:
            folder = prepare(tmp_path / "x", platform)
            (port,) = free_ports(1)
            words = ("--set", f"serve.ops.port={port}", "--set", "serve.ui.enabled=false")
            env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"}
            process = start("daemon", *words, cwd=folder, env=env)
            first = heard(listener, "READY=1")
            socket.create_connection(("127.0.0.1", port), timeout=100).close()
            assert "STATUS=idle" in first + heard(listener, "WATCHDOG=1")
            heard(listener, "STATUS=job: ")
            process.send_signal(signal.SIGHUP)
            heard(listener, "RELOADING=1")
            heard(listener, "READY=1")
            process.send_signal(signal.SIGTERM)
            last = heard(listener, "STOPPING=1")
            assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in last)
            _, errors = process.communicate(timeout=100)
        assert process.returncode == Exit.DONE, errors.decode()
