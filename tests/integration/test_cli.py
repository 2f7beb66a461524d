"""The command as its users run it: processes, signals, a terminal, and the embedded platform behind HTTP."""

import hashlib
import json
import os
import pty
import signal
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from syncer.demo.platform.process import Remote, platform_process
from syncer.model.errors import Exit
from tests.support.command import command, environment, fresh, start, syncer
from tests.support.destination import contents

TASKS = 200


def _account(platform: Remote) -> Mapping[str, str]:
    return {"LABEL_STUDIO_URL": platform.url, "LABEL_STUDIO_API_KEY": platform.token}


def _wait_for(process: "subprocess.Popen[bytes]", word: bytes) -> None:
    """Read standard error up to a line with this word."""
    assert process.stderr is not None
    seen: list[bytes] = []
    for line in process.stderr:
        seen.append(line)
        if word in line:
            return
    raise AssertionError(b"".join(seen).decode())


def _documents(folder: Path) -> int:
    return len([path for path in folder.iterdir() if path.suffix == ".json"])


async def test_an_export_in_one_line(tmp_path: Path) -> None:
    """Two variables and one line give an archive and a folder with the same documents; again, nothing is fetched."""
    async with platform_process("--tasks", str(TASKS)) as platform:
        env = _account(platform)
        line = ("export", "label_studio", "--project", "1", "-o", "json", "--to")
        packed = fresh(*line, "out.zip", cwd=tmp_path, env=env).ok()
        loose = syncer(*line, "out/", cwd=tmp_path, env=env).ok()
        stored = packed.json()[0]["counts"]["stored"]
        assert 0 < stored == loose.json()[0]["counts"]["stored"]
        with zipfile.ZipFile(tmp_path / "out.zip") as archive:
            inside = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
        assert inside == contents(tmp_path / "out")
        again = syncer(*line, "out.zip", cwd=tmp_path, env=env).ok().json()[0]["counts"]
        assert (again["stored"], again["requests"] < 10) == (0, True)
        syncer("verify", "--deep", "out.zip", "out/", cwd=tmp_path).ok()
        one = fresh("get", "label_studio", "1", cwd=tmp_path, env=env).ok()
        assert json.loads(one.out)["id"] == 1


async def test_rule_21_trouble_with_the_platform(tmp_path: Path) -> None:
    """No token is 78, a wrong one 77, a server that is away 75; each says what to do."""
    async with platform_process("--tasks", "3") as platform:
        line = ("export", "label_studio", "--project", "1", "--to", "out/", "--set", "limits.attempts=1")
        missing = syncer(*line, cwd=tmp_path, env={"LABEL_STUDIO_URL": platform.url})
        wrong = fresh(*line, cwd=tmp_path, env={**_account(platform), "LABEL_STUDIO_API_KEY": "0" * 40})
    away = syncer(*line, cwd=tmp_path, env=_account(platform))
    assert (missing.code, "--set token=env:LABEL_STUDIO_API_KEY" in missing.err) == (Exit.SETTINGS, True)
    assert (wrong.code, "hint: " in wrong.err) == (Exit.PERMISSION, True)
    assert (away.code, "no connection" in away.err) == (Exit.NOT_NOW, True)
    assert platform.token not in missing.err + wrong.err + away.err


async def test_rule_20_the_first_signal_drains(tmp_path: Path) -> None:
    """SIGTERM finishes what is in flight and ends with 75; the next pass brings the rest, and nothing twice."""
    async with platform_process("--tasks", str(TASKS)) as platform:
        env = _account(platform)
        await platform.fault("latency", seconds=0.3, times=None)
        line = ("export", "label_studio", "--project", "1", "--to", "out/", "--set", "page_size=20")
        process = start(*line, "-v", cwd=tmp_path, env=env)
        _wait_for(process, b'"page compared"')
        process.send_signal(signal.SIGTERM)
        _wait_for(process, b"a second signal stops at once")
        _, said = process.communicate(timeout=60)
        assert process.returncode == Exit.NOT_NOW, said.decode()
        assert b"stopped by SIGTERM; run it again to go on" in said
        first = _documents(tmp_path / "out")
        await platform.heal()
        rest = syncer(*line, "-o", "json", cwd=tmp_path, env=env).ok().json()[0]["counts"]
        assert first + rest["stored"] == _documents(tmp_path / "out")
        syncer("export", "label_studio", "--project", "1", "--to", "calm/", cwd=tmp_path, env=env).ok()
        assert contents(tmp_path / "out") == contents(tmp_path / "calm")


async def test_rule_21_the_second_signal_is_died_by(tmp_path: Path) -> None:
    """A second SIGINT ends the process by SIGINT, whatever is still in flight."""
    async with platform_process("--tasks", "50") as platform:
        await platform.fault("latency", seconds=30, times=None)
        line = ("export", "label_studio", "--project", "1", "--to", "out/", "-v")
        process = start(*line, cwd=tmp_path, env=_account(platform))
        _wait_for(process, b'"run started"')
        process.send_signal(signal.SIGINT)
        _wait_for(process, b"a second signal stops at once")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT


async def test_rule_5_one_process_a_job(tmp_path: Path) -> None:
    """While a job runs, a second process gets 75 and the pid of the first; looking is free."""
    async with platform_process("--tasks", "50") as platform:
        env = _account(platform)
        await platform.fault("latency", seconds=30, times=None)
        line = ("export", "label_studio", "--project", "1", "--to", "out/")
        process = start(*line, "-v", cwd=tmp_path, env=env)
        _wait_for(process, b'"run started"')
        second = syncer(*line, cwd=tmp_path, env=env)
        process.kill()
        process.communicate(timeout=60)
        assert (second.code, f"pid {process.pid}" in second.err) == (Exit.NOT_NOW, True)


async def test_rule_24_a_terminal_is_not_commanded(tmp_path: Path) -> None:
    """On a terminal the account stands on lines of its own, and a title's control characters are spelt out."""
    async with platform_process("--tasks", "30") as platform:
        await platform.ask("PATCH", "/api/projects/1/", {"title": "evil \x1b]0;owned\x07 \u202e"})
        env = environment(tmp_path, {**_account(platform), "TERM": "xterm"})
        shown = {}
        for words in (("projects", "label_studio"), ("export", "label_studio", "--project", "1", "--to", "out/")):
            terminal, ours = pty.openpty()
            process = subprocess.Popen(command(*words), cwd=tmp_path, env=env, stdout=ours, stderr=ours)
            os.close(ours)
            shown[words[0]] = _read(terminal)
            assert process.wait(timeout=60) == Exit.DONE, shown
    assert r"\x1b]0;owned\x07" in shown["projects"]
    assert "\x1b]0;" not in shown["projects"] + shown["export"]
    assert "\u202e" not in shown["projects"] + shown["export"]
    (line,) = [each for each in shown["export"].split("\r\n") if ": listed " in each]
    assert line.endswith("+ frozen 0")


def _read(terminal: int) -> str:
    """Read a terminal until the last process has closed it."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux: nobody writes to it any more
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)
