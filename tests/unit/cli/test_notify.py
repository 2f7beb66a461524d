"""`notify`: `syncer sync` tells those whom the file names how its runs ended."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from syncer.model.errors import Exit
from syncer.sources.memory import MemoryPlatform
from tests.support.inbox import Inbox, inbox
from tests.unit.cli.conftest import Run


@contextmanager
def _inbox(*answers: int) -> Iterator[Inbox]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(inbox(*answers)) as box:
        yield box


def _told(config: Path, *recipients: dict[str, Any]) -> None:
    config.write_text(config.read_text("utf-8") + f"\nnotify: {json.dumps(recipients)}\n", "utf-8")


def test_a_pass_tells_of_each_job(
    run: Run, config: Path, platform: MemoryPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run that concerns a recipient is told before the command ends; URL and secret are references."""
    with _inbox() as box:
        monkeypatch.setenv("HOOK", f"{box.served.url}/secret-path")
        monkeypatch.setenv("HOOK_KEY", "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
        _told(config, {"url": "env:HOOK", "secret": "env:HOOK_KEY", "on": "always"})
        assert run("sync").code == Exit.DONE
        assert {report["job"] for report in box.reports} == {"files", "archive"}
        assert all("webhook-signature" in headers for headers, _ in box.came)
        before = len(box.came)
        assert run("status").code == run("plan").code == Exit.DONE
        assert len(box.came) == before


def test_failures_are_told_also_where_nothing_began(
    run: Run, config: Path, platform: MemoryPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that owes is told, one that is fine is not, and one that could not be assembled is told too."""
    with _inbox() as box:
        _told(config, {"url": f"{box.served.url}/x"})
        assert run("sync", "files").code == Exit.DONE
        assert box.came == []
        platform.put("9")
        platform.fail("9", "503", times=100)
        assert run("sync", "files").code == Exit.OWING
        assert [report["exit_code"] for report in box.reports] == [3]
        bad = ("--set", "sinks.lake.path={nothing}/{item}.json")
        assert run("sync", "files", *bad).code == Exit.SETTINGS
        assert [report["exit_code"] for report in box.reports] == [3, 78]


def test_a_recipient_that_refuses_changes_nothing(run: Run, config: Path) -> None:
    """A recipient that says no is a warning; the pass ends as it would without."""
    with _inbox(404) as box:
        _told(config, {"url": f"{box.served.url}/secret-path", "on": "always"})
        ended = run("sync", "files")
    assert ended.code == Exit.DONE
    assert "secret-path" not in ended.err
