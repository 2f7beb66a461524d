"""The way in: usage, bugs, groups of errors, signals and pipes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

import syncer.cli
from syncer import __version__
from syncer.cli import main
from syncer.cli.exits import UsageError, code_of, collapse
from syncer.cli.tree import hoisted
from syncer.model.errors import Exit, NotNow, SettingsError
from tests.support.tree import ROOT
from tests.unit.cli.conftest import Run


def _process(
    *words: str, cwd: Path, code: str = "", stdout: "int | BinaryIO" = subprocess.PIPE
) -> "subprocess.Popen[bytes]":
    start = ["-c", code] if code else ["-m", "syncer"]
    env = {**os.environ, "XDG_STATE_HOME": str(cwd / "xdg"), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *start, *words], cwd=cwd, env=env, stdout=stdout, stderr=subprocess.PIPE)


def test_version(run: Run) -> None:
    """`--version` prints the version of the package and nothing else."""
    assert run("--version").out.strip() == __version__


def test_python_m_syncer_is_the_same_command(tmp_path: Path) -> None:
    """`python -m syncer` runs a command in a process of its own, which ends with its code."""
    process = _process("snyc", cwd=tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == Exit.USAGE
    assert b'Did you mean "sync"' in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("snyc",), "Did you mean"),
        (("sync", "--drun"), "--dry-run"),
        (("sync", "--max-items", "many"), "--max-items"),
        (("sync", "--max-items", "0"), "--max-items"),
        (("sync", "--max-time", "soon"), "expected a duration such as 30s"),
        (("sync", "--max-bytes", "256M"), "expected a size such as"),
        (("sync", "--shard", "4/4"), "expected I/N"),
        (("sync", "-o", "xml"), "xml"),
        (("export", "memory", "--to", "x/", "--project", "7", "--since", "tomorrow"), "expected a date or time"),
        (("export", "memory", "--project", "7"), "--to"),
        (("get",), "PLATFORM"),
        (("manifest",), "JOB"),
        (("owed", "lst"), "list"),
        (("repair",), "repair what?"),
        (("repair", "a", "--to", "x.zip"), "--salvage"),
        (("repair", "--salvage", "x.partial"), "--to OUT"),
        (("owed", "ignore", "--until", "2030-01-01"), "owed list"),
        (("history", "--limit", "0"), "--limit"),
    ],
)
def test_rule_21_usage_errors_end_with_2(run: Run, words: tuple[str, ...], said: str) -> None:
    """Whatever is wrong with the words of a command is said in a line, with a hint, and ends with 2."""
    ended = run(*words)
    assert ended.code == Exit.USAGE
    assert ended.err.startswith("error: ")
    assert said in ended.err
    assert ended.out == ""


def test_what_was_typed_cannot_command_the_terminal(run: Run) -> None:
    """Control characters of a wrong word are spelt out in the message about it."""
    assert "\x1b" not in run("sync\x1b[2J").err


@pytest.mark.parametrize("name", ["owed", "state", "config"])
def test_a_family_without_a_command_shows_its_help_and_ends_with_2(run: Run, name: str) -> None:
    """`syncer state` does nothing, and a script that calls it by mistake hears so."""
    ended = run(name)
    assert ended.code == Exit.USAGE
    assert f"Usage: syncer {name}" in ended.out


def test_syncer_alone_shows_the_help(run: Run) -> None:
    """Without a word all commands are shown, which is no mistake."""
    ended = run()
    assert (ended.code, "Export and sync" in ended.out) == (Exit.DONE, True)


@pytest.mark.parametrize(
    ("words", "moved"),
    [
        (["-c", "x.yaml", "sync", "a"], ["sync", "a", "-c", "x.yaml"]),
        (["--config=x.yaml", "-vv", "sync"], ["sync", "--config=x.yaml", "-vv"]),
        (["-q", "get", "p", "--", "-5"], ["get", "p", "-q", "--", "-5"]),
        (["--help"], ["--help"]),
        (["-c", "x.yaml"], ["-c", "x.yaml"]),
        (["--unknown", "sync"], ["--unknown", "sync"]),
        (["sync", "-c", "x.yaml"], ["sync", "-c", "x.yaml"]),
    ],
)
def test_options_may_stand_before_the_command(words: list[str], moved: list[str]) -> None:
    """Options that every command takes are moved behind it, all else stays as it is."""
    assert hoisted(words) == moved


def test_rule_21_a_bug_ends_with_1_and_a_short_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is called a bug, without a traceback."""
    monkeypatch.setattr(syncer.cli, "_run", lambda _: 1 // 0)
    ended = run("status")
    assert ended.code == Exit.BUG
    assert "this is a bug in syncer: ZeroDivisionError" in ended.err
    assert "-v" in ended.err


def test_v_shows_where_a_bug_is(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With -v the traceback follows, without what looks like a credential."""

    def fail(_: object) -> int:
        message = "Authorization: Bearer abcdefgh12345678"
        raise RuntimeError(message)

    monkeypatch.setattr(syncer.cli, "_run", fail)
    assert main(["status", "-v"]) == Exit.BUG
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "abcdefgh12345678" not in said.partition("Traceback")[2]


def test_rule_21_a_group_of_errors_is_told_by_its_worst() -> None:
    """An interrupt comes before a bug, a bug before a setting, a setting before what will pass."""
    groups: list[tuple[list[BaseException], type[BaseException]]] = [
        ([NotNow("later"), SettingsError("wrong")], SettingsError),
        ([SettingsError("wrong"), ZeroDivisionError()], ZeroDivisionError),
        ([ZeroDivisionError(), KeyboardInterrupt()], KeyboardInterrupt),
        ([NotNow("later"), UsageError("what?")], UsageError),
    ]
    for errors, expected in groups:
        nested = BaseExceptionGroup("outer", [BaseExceptionGroup("inner", errors)])
        assert type(collapse(nested)) is expected
    assert code_of(NotNow("later")) == Exit.NOT_NOW
    assert code_of(ZeroDivisionError()) == Exit.BUG


def test_a_reader_that_left_is_no_error(tmp_path: Path) -> None:
    """When nobody reads standard output any more, the command ends by SIGPIPE and says nothing."""
    code = (
        "import os, sys; from syncer.cli import main\n"
        "import syncer.cli\n"
        "syncer.cli._run = lambda call: [print('x' * 70000) for _ in range(50)] and 0\n"
        "sys.exit(main(['status']))\n"
    )
    process = _process(cwd=tmp_path, code=code)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (-signal.SIGPIPE, b"")


def test_a_full_disk_under_standard_output_is_no_bug(tmp_path: Path) -> None:
    """What can't be printed ends with 75 and one sentence, whether Python buffers it to the end or not."""
    for count in (1, 70_000):
        code = (
            "import sys; from syncer.cli import main\n"
            "import syncer.cli\n"
            f"syncer.cli._run = lambda call: print('x' * {count}) or 0\n"
            "sys.exit(main(['status']))\n"
        )
        with Path("/dev/full").open("wb") as full:
            process = _process(cwd=tmp_path, code=code, stdout=full)
            _, err = process.communicate(timeout=60)
        assert (process.returncode, err.count(b"\n")) == (Exit.NOT_NOW, 2), err
        assert b"No space left on device" in err


def test_an_interrupt_is_died_by(tmp_path: Path) -> None:
    """A command that SIGINT ends says so to its parent: killed by SIGINT, no traceback."""
    code = (
        "import os, signal, sys, threading; from syncer.cli import main\n"
        "import anyio, syncer.cli.context\n"
        # Whoever runs the tests in the background may have it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "async def wait(*_, **__):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    await anyio.sleep_forever()\n"
        "class Opened:\n"
        "    __aenter__ = wait\n"
        "    async def __aexit__(self, *_): ...\n"
        "syncer.cli.context.opened = lambda *_, **__: Opened()\n"
        "sys.exit(main(['status']))\n"
    )
    process = _process(cwd=tmp_path, code=code)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (-signal.SIGINT, b"")
