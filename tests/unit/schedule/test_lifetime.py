"""Signals and deadlines, in processes that may die of them."""

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from syncer.schedule.lifetime import Deadline

#: Waits inside of `signals` for as long as it takes; `{block}` is what keeps the loop from ever running again.
SCRIPT = """
import os, sys, time
import anyio
from syncer.schedule.lifetime import Deadline, signals

def first(name):
    print("first", name, flush=True)

def late():
    print("late", flush=True)
    {late}

async def main():
    async with signals(first, Deadline({grace}, late, lambda: os._exit(75))):
        print("ready", flush=True)
        {block}

anyio.run(main, backend_options={{"use_uvloop": {uvloop}}})
"""


def started(*, block: str, grace: float = 60, late: str = "pass", uvloop: bool = False) -> "subprocess.Popen[str]":
    """Start a process that handles signals, and wait until it does."""
    text = textwrap.dedent(SCRIPT).format(block=block, grace=grace, late=late, uvloop=uvloop)
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("uvloop", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_rule_21_the_second_signal_is_died_by(number: signal.Signals, uvloop: bool) -> None:
    """The first one is told, the second ends the process by itself; on both kinds of event loop."""
    with started(block="await anyio.sleep_forever()", uvloop=uvloop) as process:
        assert process.stdout is not None
        process.send_signal(number)
        assert process.stdout.readline() == f"first {number.name}\n"
        process.send_signal(number)
        assert process.wait(60) == -number


def test_the_second_signal_needs_no_event_loop() -> None:
    """A loop that stands still, and will for ever, does not keep the process from dying at once."""
    with started(block="time.sleep(10_000)") as process:
        process.send_signal(signal.SIGTERM)
        # The first was seen once the second kills: until then each is taken for the first.
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("uvloop", [False, True])
def test_nothing_outlasts_the_grace_period(uvloop: bool) -> None:
    """Neither a loop that stands still nor last words that nobody takes hold the process up."""
    with started(block="time.sleep(10_000)", grace=0.1, late="time.sleep(10_000)", uvloop=uvloop) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 75
        assert process.stdout is not None
        assert process.stdout.read() == "late\n"


def test_without_a_signal_nothing_ends_and_nothing_stays() -> None:
    """A deadline that never began is dismissed together with its thread; once begun it is kept."""
    ended: list[str] = []
    deadline = Deadline(0.01, lambda: ended.append("late"), lambda: ended.append("end"))
    deadline.dismiss()
    deadline._thread.join(60)
    begun = Deadline(0.01, lambda: ended.append("late"), lambda: ended.append("end"))
    begun.begin()
    begun.dismiss()
    begun._thread.join(60)
    assert ended == ["late", "end"]
    assert "grace period" not in {thread.name for thread in threading.enumerate()}
