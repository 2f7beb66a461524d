"""`--ping`: a monitor learns that a pass began and how it ended, and is never in its way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from anyio.from_thread import start_blocking_portal

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.support.servers import Handler, Served, in_turn, serving
from tests.unit.cli.conftest import Run

#: What only the owner of a job knows.
CHECK = "0f4c1a52-6d1b-4a8e-9a55-b7e3f2f7c001"


@contextmanager
def monitor(handler: Handler | None = None) -> Iterator[Served]:
    """Run a monitor beside the command."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(handler or in_turn(web.Response(text="OK")))) as served,
    ):
        yield served


def asked(served: Served) -> list[str]:
    """Return method, path and query of what a monitor was asked, without the secret part."""
    return [f"{each.method} {each.path_qs.replace(CHECK, '*')}" for each in served.requests]


def test_start_and_success(run: Run, config: Path) -> None:
    """A pass that is done asks for the URL with /start, and at the end for the URL itself; its query stays."""
    with monitor() as served:
        assert run("sync", "files", "--ping", f"{served.url}/{CHECK}/?rid=1").code == Exit.DONE
    assert asked(served) == ["GET /*/start?rid=1", "GET /*?rid=1"]
    assert "Authorization" not in served.requests[0].headers


def test_rule_21_other_ends_are_told_by_their_code(run: Run, config: Path, platform: MemoryPlatform) -> None:
    """What does not end with 0 asks for the URL with the exit code, also where nothing could be run at all."""
    platform.fail("3", "503", times=100)
    with monitor() as served:
        url = f"{served.url}/{CHECK}"
        assert run("sync", "files", "--ping", url).code == Exit.OWING
        assert run("sync", "nothing", "--ping", url).code == Exit.USAGE
        config.write_text("jobs: 7\n")
        assert run("sync", "--ping", url).code == Exit.SETTINGS
    assert asked(served) == ["GET /*/start", "GET /*/3", "GET /*/start", "GET /*/2", "GET /*/start", "GET /*/78"]


@pytest.mark.parametrize("quiet", [False, True])
def test_a_monitor_that_fails_is_a_warning(run: Run, config: Path, quiet: bool) -> None:
    """An answer that is none, and nobody there at all, change no exit code; the secret path is shown nowhere."""
    words = ["-q"] if quiet else []
    with monitor(in_turn(404)) as served:
        ended = run("sync", "files", "--ping", f"{served.url}/{CHECK}", *words)
    away = run("sync", "archive", "--ping", f"{served.url}/{CHECK}", *words)
    assert (ended.code, away.code) == (Exit.DONE, Exit.DONE)
    for said in (ended.err, away.err):
        assert said.count(f"warning: --ping: {served.url} was not told") == (0 if quiet else 2)
        assert CHECK not in said
    assert (config.parent / "lake").exists()


def test_rule_24_the_url_may_be_a_reference(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:NAME` keeps the URL off the command line; one that is missing, or no URL, is said before anything runs."""
    with monitor() as served:
        monkeypatch.setenv("CHECK_URL", f"{served.url}/{CHECK}")
        assert run("sync", "files", "--ping", "env:CHECK_URL").code == Exit.DONE
        assert len(served.requests) == 2
        assert run("sync", "files", "--dry-run", "--ping", "env:CHECK_URL").code == Exit.DONE
        assert len(served.requests) == 2
    assert run("sync", "archive", "--ping", "env:CHECK_URLS").code == Exit.SETTINGS
    ended = run("sync", "archive", "--ping", "hc-ping.example/x")
    assert (ended.code, "--ping" in ended.err) == (Exit.USAGE, True)
    assert not (config.parent / "box").exists()


def test_an_export_tells_too(run: Run, platform: MemoryPlatform, tmp_path: Path) -> None:
    """`syncer export` has the same option."""
    with monitor() as served:
        options = ("--set", f"platform={tmp_path.name}", "--ping", f"{served.url}/{CHECK}")
        assert run("export", "memory", "--project", "7", "--to", "out/", *options).code == Exit.DONE
    assert asked(served) == ["GET /*/start", "GET /*"]
