"""Probes and metrics of the daemon as supervisors see them: a real process, asked over its listener."""

import json
import re
import signal
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import Exit
from tests.integration.test_daemon import configured, ended, running, until
from tests.support.command import syncer
from tests.support.exposed import faults, values


def listening(folder: Path, platform: Remote, port: int = 0, **jobs: Mapping[str, Any]) -> None:
    """Write a configuration whose daemon listens for supervisors."""
    file = configured(folder, platform, **jobs)
    tree = json.loads(file.read_text("utf-8"))
    tree["serve"]["ops"] = {"address": "127.0.0.1", "port": port}
    file.write_text(json.dumps(tree), "utf-8")


def where(process: "subprocess.Popen[bytes]") -> str:
    """Return the URL that the log names."""
    return str(until(process, lambda line: line["event"] == "probes and metrics")["url"])


async def get(url: str) -> tuple[int, str]:
    """Return status and text."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_a_daemon_shows_its_runs(tmp_path: Path) -> None:
    """After a run: counters equal the run's own account, freshness is its start, and names are those configured."""
    async with platform_process("--tasks", "20") as platform:
        listening(tmp_path, platform, street={"schedule": {"once": True}}, never={})
        with running(tmp_path) as process:
            url = where(process)
            account = until(process, lambda line: ended(line, "street"))
            while not values((await get(f"{url}/metrics"))[1])["syncer_event_loop_lag_seconds_count"]:
                pass
            assert (await get(f"{url}/livez"), await get(f"{url}/readyz")) == ((200, "alive\n"), (200, "ready\n"))
            _, text = await get(f"{url}/metrics")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == Exit.DONE
    got = values(text)
    assert faults(text) == []
    for name in ("listed", "stored", "unchanged", "owed", "filtered"):
        assert got[f'syncer_items_total{{result="{name}",sync_job="street"}}'] == account[name]
    assert got['syncer_bytes_total{sync_job="street"}'] == account["bytes"]
    requests = [value for key, value in got.items() if key.startswith("syncer_requests_total")]
    assert sum(requests) == account["requests"]
    assert all('platform="studio"' in key for key in got if key.startswith("syncer_requests_total"))
    (run,) = syncer("history", "-o", "json", cwd=tmp_path).ok().json()
    begun = datetime.fromisoformat(run["started"]).timestamp()
    assert got['syncer_fresh_until_timestamp_seconds{sync_job="street"}'] == pytest.approx(begun, abs=1e-3)
    assert got['syncer_runs_total{code="0",sync_job="never"}'] == 0
    assert platform.url not in text


async def test_a_restarted_daemon_shows_the_same_freshness(tmp_path: Path) -> None:
    """It is remembered, not made: before its first run, and after one that could not see everything."""
    name = 'syncer_fresh_until_timestamp_seconds{sync_job="street"}'
    async with platform_process("--tasks", "20") as platform:
        listening(tmp_path, platform, street={})
        target = tmp_path / "syncer.prom"
        syncer("sync", "--metrics-file", str(target), cwd=tmp_path).ok()
        before = values(target.read_text())[name]
        await platform.fault("status", status=500, times=None)
        syncer("--set", "platforms.studio.limits.attempts=1", "sync", cwd=tmp_path)
        with running(tmp_path) as process:
            url = where(process)
            _, text = await get(f"{url}/metrics")
            while name not in values(text):
                _, text = await get(f"{url}/metrics")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert values(text)[name] == before
    assert values(text)['syncer_last_run_exit_code{sync_job="street"}'] != 0


async def test_a_draining_daemon_is_alive_and_not_ready(tmp_path: Path) -> None:
    """From SIGTERM on it takes no more work, and says so until it ends."""
    async with platform_process("--tasks", "200") as platform:
        listening(tmp_path, platform, daily={"schedule": {"every": "1d"}})
        await platform.fault("latency", seconds=0.5, times=None)
        with running(tmp_path) as process:
            url = where(process)
            until(process, lambda line: line["event"] == "page compared")
            process.send_signal(signal.SIGTERM)
            until(process, lambda line: line["event"].startswith("finishing what is in flight"))
            status, text = await get(f"{url}/readyz")
            assert (status, await get(f"{url}/livez")) == (503, (200, "alive\n"))
            assert re.fullmatch(r"[^\n]*stop[^\n]*\n", text)
            process.communicate(timeout=60)
            assert process.returncode == Exit.DONE


async def test_rule_21_a_port_that_is_taken_ends_with_75(tmp_path: Path) -> None:
    """A second daemon says which option is in the way, and the first goes on."""
    async with platform_process("--tasks", "1") as platform:
        listening(tmp_path, platform, street={})
        with running(tmp_path) as process:
            port = int(where(process).rpartition(":")[2])
            (tmp_path / "other").mkdir()
            listening(tmp_path / "other", platform, port, street={})
            second = syncer("daemon", cwd=tmp_path / "other")
            assert second.code == Exit.NOT_NOW
            assert f"serve.ops: 127.0.0.1:{port} is taken by another process" in second.err
            assert (await get(f"http://127.0.0.1:{port}/livez"))[0] == 200


async def test_a_job_that_can_not_be_assembled_is_a_failed_run(tmp_path: Path) -> None:
    """A credential that is missing is logged and counted each time, though no run ever begins."""
    async with platform_process("--tasks", "1") as platform:
        listening(tmp_path, platform, street={"schedule": {"every": "1s"}})
        file = tmp_path / "syncer.yaml"
        tree = json.loads(file.read_text("utf-8"))
        tree["platforms"]["studio"]["token"] = "env:NO_SUCH_TOKEN"
        file.write_text(json.dumps(tree), "utf-8")
        with running(tmp_path) as process:
            url = where(process)
            line = until(process, lambda line: "NO_SUCH_TOKEN" in line["event"])
            assert (line["level"], line["job"]) == ("error", "street")
            until(process, lambda line: ended(line, "street"))
            got = values((await get(f"{url}/metrics"))[1])
            assert got['syncer_runs_total{code="78",sync_job="street"}'] >= 1
            assert got['syncer_last_run_exit_code{sync_job="street"}'] == Exit.SETTINGS
