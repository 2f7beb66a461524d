"""The daemon as its users run it: a process with a configuration file, stopped by signals."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import Exit
from tests.support.command import start, syncer
from tests.support.destination import contents


def configured(folder: Path, platform: Remote, **jobs: Mapping[str, Any]) -> Path:
    """Write a configuration with these jobs, each with a folder of its own."""
    file = folder / "syncer.yaml"
    tree = {
        "state": "sqlite:state.db",
        "platforms": {"studio": {"type": "label_studio", "url": platform.url, "token": platform.token}},
        "sinks": {
            name: {"type": "prefix", "url": f"file:{name}", "path": "{project}/{item}.json"} for name in jobs
        },
        "jobs": {
            name: {"platform": "studio", "select": {"projects": ["1"]}, "sinks": [name], **options}
            for name, options in jobs.items()
        },
        "serve": {"ops": {"enabled": False}, "ui": {"enabled": False}},
    }  # fmt: skip
    file.write_text(json.dumps(tree), "utf-8")
    return file


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a daemon over the configuration in a folder; whatever happens, it is gone at the end."""
    process = start("daemon", "--log-format", "json", "-v", cwd=folder)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(process: "subprocess.Popen[bytes]", wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read the log up to a line."""
    assert process.stderr is not None
    seen: list[bytes] = []
    for text in process.stderr:
        seen.append(text)
        line = json.loads(text)
        if wanted(line):
            return line
    raise AssertionError(b"".join(seen).decode())


def ended(line: Mapping[str, Any], job: str) -> bool:
    """Tell whether a line is that of a run that ended."""
    return line["event"] == "run ended" and line["job"] == job


async def test_jobs_run_by_their_schedules(tmp_path: Path) -> None:
    """One job comes again and again, one once, one after that; SIGTERM ends the daemon with 0 and nothing is left."""
    async with platform_process("--tasks", "20") as platform:
        configured(
            tmp_path, platform,
            often={"schedule": {"every": "1s"}}, first={"schedule": {"once": True}},
            then={"schedule": {"after": "first"}}, never={},
        )  # fmt: skip
        with running(tmp_path) as process:
            seen: list[str] = []

            def all_came(line: dict[str, Any]) -> bool:
                if line["event"] == "run ended":
                    assert line["exit"] == 0, line
                    seen.append(line["job"])
                return {"first", "then"} <= set(seen) and seen.count("often") >= 3

            until(process, all_came)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == Exit.DONE
    history = syncer("history", "-o", "json", cwd=tmp_path).ok().json()
    assert (seen.count("first"), seen.count("then"), "never" in seen) == (1, 1, False)
    assert all(run["exit_code"] == 0 for run in history)
    assert 0 < len(contents(tmp_path / "then")) == len(contents(tmp_path / "often"))


async def test_a_drained_run_goes_on_after_the_restart(tmp_path: Path) -> None:
    """A daily job that SIGTERM interrupts is due again at the next start, and what it stored before stays."""
    async with platform_process("--tasks", "200") as platform:
        configured(tmp_path, platform, daily={"schedule": {"every": "1d"}})
        await platform.fault("latency", seconds=0.2, times=None)
        with running(tmp_path) as process:
            until(process, lambda line: line["event"] == "page compared")
            process.send_signal(signal.SIGTERM)
            line = until(process, lambda line: ended(line, "daily"))
            assert (line["stopped"], line["complete"]) == ("SIGTERM", False)
            process.communicate(timeout=60)
            assert process.returncode == Exit.DONE
        await platform.fault("latency", seconds=0.0, times=None)
        with running(tmp_path) as process:
            again = until(process, lambda line: ended(line, "daily"))
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert (again["exit"], again["complete"]) == (0, True)
    syncer("verify", "--deep", cwd=tmp_path).ok()


async def test_sighup_takes_a_new_schedule(tmp_path: Path) -> None:
    """A changed schedule is used after SIGHUP, a changed platform refused; `status` names the next run."""
    async with platform_process("--tasks", "5") as platform:
        file = configured(tmp_path, platform, street={"schedule": {"every": "1h"}})
        with running(tmp_path) as process:
            until(process, lambda line: ended(line, "street"))
            (row,) = syncer("status", "-o", "json", cwd=tmp_path).ok().json()
            assert (row["next_run"] > row["last_run"], row["paused"]) == (True, None)
            text = file.read_text("utf-8")
            file.write_text(text.replace(platform.url, "http://localhost:1"), "utf-8")
            process.send_signal(signal.SIGHUP)
            refused = until(process, lambda line: "is not used" in line["event"])
            assert "platforms.studio.url" in refused["event"]
            file.write_text(text.replace('"1h"', '"1s"'), "utf-8")
            process.send_signal(signal.SIGHUP)
            until(process, lambda line: "from now on: jobs.street.schedule" in line["event"])
            until(process, lambda line: ended(line, "street"))
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == Exit.DONE
