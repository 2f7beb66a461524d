"""Words to the supervisor, on a real socket."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from syncer.observe.notify import Condition, Supervisor
from tests.support.clock import InstantClock


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + address[1:] if address.startswith("@") else address)
        heard.settimeout(10)
        yield heard


def words(heard: socket.socket) -> list[str]:
    """Return the lines of the next word."""
    return heard.recv(4096).decode().split("\n")


@pytest.mark.parametrize("abstract", [False, True])
def test_a_life_is_told(tmp_path: Path, abstract: bool) -> None:
    """Ready, reload and end reach a socket in the file system as well as an abstract one."""
    address = f"@syncer-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with listening(address) as heard:
        supervisor = Supervisor.from_environment({"NOTIFY_SOCKET": address})
        supervisor.ready()
        assert words(heard) == ["READY=1"]
        supervisor.reloading()
        first, second = words(heard)
        assert first == "RELOADING=1"
        assert int(second.removeprefix("MONOTONIC_USEC=")) > 0
        supervisor.stopping(20)
        assert words(heard) == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=25000000"]


async def test_the_watchdog_is_fed_only_while_all_is_well(tmp_path: Path) -> None:
    """At half of its time comes a word of life, with what changed; not from a process that stands still."""
    address, clock = str(tmp_path / "notify"), InstantClock()
    conditions = [
        Condition("street: fetching"), Condition("street: fetching"), Condition("street\nstands still", well=False),
        Condition("street: fetching", left=3),
    ]  # fmt: skip
    with listening(address) as heard:
        supervisor = Supervisor.from_environment(
            {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}
        )
        with pytest.raises(IndexError):
            await supervisor.attend(clock, lambda: conditions.pop(0))
        assert words(heard) == ["STATUS=street: fetching", "WATCHDOG=1"]
        assert words(heard) == ["WATCHDOG=1"]
        assert words(heard) == [r"STATUS=street\nstands still"]
        assert words(heard) == ["STATUS=street: fetching", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=8000000"]
    assert set(clock.slept) == {2.0}


async def test_without_a_supervisor_nothing_is_done() -> None:
    """No variable, no words; a watchdog that is meant for another process is not ours to feed."""
    with anyio.fail_after(10):
        await Supervisor.from_environment({}).attend(InstantClock(), lambda: Condition(""))
    other = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}
    assert Supervisor.from_environment(other).watchdog is None


def test_a_supervisor_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    """A socket that is gone, or full, costs a word and no more."""
    Supervisor(str(tmp_path / "gone")).ready()
    address = str(tmp_path / "full")
    with listening(address):
        supervisor = Supervisor(address)
        for _ in range(5000):
            supervisor.ready()
