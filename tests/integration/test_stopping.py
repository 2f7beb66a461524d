"""Stopping the real process while something hangs: a bucket, a disk, the event loop itself."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from tests.emulators.link_process import RemoteLink, link_process
from tests.support.command import start, syncer
from tests.support.destination import contents
from tests.support.link_run import prepare

ITEMS = 30
#: A transform that never comes back from its seventh document, in a thread or on the loop as documents are large or
#: small.
HANGS = """
import time
from pathlib import Path

seen = 0

def transform(body, ref):
    global seen
    seen += 1
    if seen == 7 and Path("hang").exists():
        Path("hanging").touch()
        time.sleep(10_000)
    return body
"""


@contextmanager
def black_hole() -> Iterator[tuple[socket.socket, str]]:
    """Listen on an address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, f"http://127.0.0.1:{server.getsockname()[1]}"


def hung(folder: Path, platform: RemoteLink) -> dict[str, str]:
    """Prepare a job whose transform hangs while there is a file named `hang`."""
    env = prepare(folder, platform, commit={"items": 5, "interval": "100ms"})
    file = folder / "syncer.yaml"
    file.write_text(
        file.read_text().replace("    sinks:\n    - folder", "    transform: hangs:transform\n    sinks:\n    - folder")
    )
    assert "hangs:transform" in file.read_text()
    (folder / "hangs.py").write_text(HANGS)
    (folder / "hang").touch()
    env["PYTHONPATH"] += f":{folder}"
    return env


def waiting(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until the transform hangs."""
    while not (folder / "hanging").exists():
        assert process.poll() is None
        time.sleep(0.005)


def ended(process: "subprocess.Popen[bytes]") -> str:
    """Send SIGTERM, wait for the end, and return what it said."""
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == Exit.NOT_NOW, errors.decode()
    return errors.decode()


def test_a_bucket_that_never_answers(tmp_path: Path) -> None:
    """The run is cut off within the grace period, says so, and ends with 75."""
    with link_process("--items", str(ITEMS)) as platform, black_hole() as (hole, nowhere):
        sinks = {"lake": {"type": "prefix", "url": "s3://bucket/x", "endpoint": nowhere, "allow_http": True}}
        env = prepare(tmp_path, platform, sinks=sinks)
        env |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "r"}
        process = start("sync", "--set", "daemon.grace=1s", "-v", cwd=tmp_path, env=env)
        with hole.accept()[0]:
            said = ended(process)
        assert "not through 1 s after SIGTERM: cut off" in said
        assert "the next run goes on from there" in said
        assert "Traceback" not in said


@pytest.mark.parametrize("size", [200, 400_000])
def test_a_thread_or_a_loop_that_never_comes_back(tmp_path: Path, size: int) -> None:
    """The process ends after the grace period with 75, and says so; the next one finds what was committed."""
    with link_process("--items", str(ITEMS), "--size", str(size)) as platform:
        env = hung(tmp_path, platform)
        process = start("sync", "folder", "--set", "daemon.grace=1s", cwd=tmp_path, env=env)
        waiting(process, tmp_path)
        said = ended(process)
        assert "something holds the process up and is left to itself; run it again to go on" in said
        (tmp_path / "hang").unlink()
        syncer("sync", "folder", "-q", cwd=tmp_path, env=env).ok()
        syncer("verify", "folder", "--deep", "-q", cwd=tmp_path, env=env).ok()
        assert len(contents(tmp_path / "folder")) == ITEMS


def test_a_run_that_stands_still_is_named_and_started_again(tmp_path: Path) -> None:
    """Its stage, the place where it hangs and no value of it are in the log; with `on_stall: exit` it ends with 75."""
    with link_process("--items", str(ITEMS), "--size", "400000") as platform:
        env = hung(tmp_path, platform)
        options = ("daemon.grace=1s", "daemon.stall_after=2s", "daemon.on_stall=exit")
        words = [word for option in options for word in ("--set", option)]
        process = start("sync", "folder", *words, "--log-format", "json", cwd=tmp_path, env=env)
        _, errors = process.communicate(timeout=100)
        assert process.returncode == Exit.NOT_NOW, errors.decode()
        lines = [json.loads(line) for line in errors.splitlines()]
        (stall,) = [line for line in lines if line["event"] == "a run does not move"]
        assert (stall["job"], stall["stage"]) == ("folder", "fetching")
        assert any("hangs.py:" in each and each.startswith("thread ") for each in stall["waits"])
        assert any("flow/write.py:" in each for each in stall["waits"])
        (tmp_path / "hang").unlink()
        syncer("sync", "folder", "-q", cwd=tmp_path, env=env).ok()
        assert len(contents(tmp_path / "folder")) == ITEMS


def test_a_process_that_is_short_of_memory_goes_on_with_less_at_once(tmp_path: Path) -> None:
    """Under a ceiling that it exceeds from the start it says so, and still stores every large document."""
    with link_process("--items", "40", "--size", "3000000") as platform:
        env = prepare(tmp_path, platform)
        words = ("sync", "folder", "--set", "daemon.memory_limit=1MiB", "--log-format", "json")
        done = syncer(*words, cwd=tmp_path, env=env).ok()
        assert "memory is short: " in done.err
        assert len(contents(tmp_path / "folder")) == 40
